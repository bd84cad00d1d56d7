// FP32 as sums of two BF16 numbers: the sizes that the plain code and the tiles share.
#ifndef SPLIT_H
#define SPLIT_H
#include <string.h>
#include "targets.h"

// A tile has 32 columns of 16 rows of weights, or of 16 tokens. Tiles of nearest numbers and of rests
// alternate.
enum { TILE_ROWS = 16, TILE_COLUMNS = 32, TILE_NUMBERS = TILE_ROWS * TILE_COLUMNS };

// At least one: without columns it is a tile of zeros.
INLINE size_t steps_of(size_t columns) { return columns ? (columns + TILE_COLUMNS - 1) / TILE_COLUMNS : 1; }

// Tokens that go through the weights together: their tiles take a megabyte, and stay in the near cache.
INLINE size_t block_of(size_t columns, size_t tokens) {
    const size_t most = (1 << 20) / (4 * TILE_COLUMNS * TILE_ROWS * steps_of(columns)) * TILE_ROWS;
    const size_t block = most < 2 * TILE_ROWS ? 2 * TILE_ROWS : most;
    return tokens < block ? (tokens + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS : block;
}

void bp_split_multiply_amx(const uint16_t *tiles, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                           uint16_t *scratch);
#endif
