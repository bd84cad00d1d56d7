// Where activations lie for products of sign planes on tiles.
//
// Tokens are cut into groups of equal height, at most 16. A group takes for each 64 columns of a segment, a
// step, a tile of high bytes and one of low bytes, a token after the other; behind them follow its tokens'
// scales, segment by segment. Inside each 32 columns, byte 4 j + i of a tile's row is column 8 i + j: then
// bit j of all bytes of 16 words are a row of the tile of signs.
#ifndef SIGN_TILES_H
#define SIGN_TILES_H
#include "signs.h"

// Tokens from which tiles are faster than tables.
enum { FEWEST_TILE_TOKENS = 10, TILE_TOKENS = 16, TILE = 1024 };

INLINE size_t steps_of(const bp_segment *segment) { return (segment->units + 1) / 2; }

// How many tokens share tiles.
INLINE size_t tile_height(size_t tokens) {
    const size_t groups = (tokens + TILE_TOKENS - 1) / TILE_TOKENS;
    return (tokens + groups - 1) / groups;
}

INLINE size_t tile_steps(const bp_segment *segments, size_t count) {
    size_t steps = 0;
    for (size_t s = 0; s < count; s++) steps += steps_of(segments + s);
    return steps;
}

INLINE size_t tile_group_size(const bp_segment *segments, size_t count, size_t height) {
    return height * 128 * tile_steps(segments, count) + (4 * count * height + 63) / 64 * 64;
}

// One token's columns of a segment: `q` has zeros up to the end of the last step. `row` is the token's in the
// first tile.
void bp_sign_put_in_tiles_amx(const int16_t *q, size_t steps, size_t height, uint8_t *row);
void bp_signs_multiply_amx(const sign_matrix *m, const uint8_t *activations, size_t tokens, float *y);
#endif
