// Integer codes of 2 to 8 bits: what the builds share.
#ifndef CODES_H
#define CODES_H
#include <string.h>
#include "targets.h"

// Bytes of a unit's activations.
enum { UNIT = 64 };

INLINE size_t units_of(const bp_segment *segments, size_t count) {
    size_t units = 0;
    for (size_t s = 0; s < count; s++) units += segments[s].units;
    return units;
}

// 16 words at most: word `w` of rows row .. row + lanes - 1 of a block, the last one possibly cut short,
// zeros beyond.
INLINE void load_words(const bp_codes *m, const uint8_t *block, size_t stride, size_t row, size_t lanes, size_t w,
                       uint32_t *words) {
    const size_t row_bytes = (m->columns * m->bits + 7) / 8, whole = row_bytes / 4, width = row_bytes % 4;
    for (size_t i = 0; i < 16; i++) words[i] = 0;
    if (w < whole) {
        memcpy(words, block + w * stride, 4 * lanes);
    } else if (w == whole && width) {
        const uint8_t *tail = m->codes + 4 * whole * m->rows + row * width;
        for (size_t lane = 0; lane < lanes; lane++) memcpy(words + lane, tail + lane * width, width);
    }
}

// The sums of up to 16 rows times one token.
void bp_code_rows_portable(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t stride,
                           size_t row, size_t lanes, const uint8_t *activations, float *y);
// A block of rows times tokens, whose activations lie `size` bytes apart.
void bp_code_block_avx2(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                        size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y);
void bp_code_block_neon(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                        size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y);
void bp_code_block_neon_dot(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                            size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y);
void bp_code_block_neon_i8mm(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                             size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y);
void bp_code_block_avx512(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                          size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y);
#endif
