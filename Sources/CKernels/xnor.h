// Signs times signs: what the builds share.
#ifndef XNOR_H
#define XNOR_H
#include <string.h>
#include "targets.h"

// The signs of one token: bit i of word w is column 32 w + i, 1 where it is above 0.
INLINE void sign_bits(const float *x, size_t columns, uint32_t *bits) {
    const size_t words = (columns + 31) / 32;
    for (size_t w = 0; w < words; w++) {
        const size_t n = columns - 32 * w < 32 ? columns - 32 * w : 32;
        uint32_t word = 0;
        for (size_t i = 0; i < n; i++) word |= (uint32_t)(x[32 * w + i] > 0) << i;
        bits[w] = word;
    }
}

// Counts, for each of up to 16 rows, the columns where a row's sign and a token's differ. The words of a row
// lie `stride` bytes apart; `tails` holds `width` bytes a row of the last, partial word.
INLINE void count_differences(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                              size_t lanes, const uint32_t *bits, uint32_t *counts) {
    for (size_t lane = 0; lane < lanes; lane++) counts[lane] = 0;
    for (size_t w = 0; w < words; w++)
        for (size_t lane = 0; lane < lanes; lane++) {
            uint32_t word;
            memcpy(&word, block + w * stride + 4 * lane, 4);
            counts[lane] += (uint32_t)__builtin_popcount(word ^ bits[w]);
        }
    if (width)
        for (size_t lane = 0; lane < lanes; lane++) {
            uint32_t word = 0;
            memcpy(&word, tails + lane * width, width);
            counts[lane] += (uint32_t)__builtin_popcount(word ^ bits[words]);
        }
}

DECLARE(void, bp_sign_bits_of, const float *x, size_t columns, uint32_t *bits);
DECLARE(void, bp_xnor_rows, const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
        size_t lanes, const uint32_t *bits, uint32_t *counts);
void bp_xnor_rows_neon(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words, size_t lanes,
                       const uint32_t *bits, uint32_t *counts);
// 64 rows with no part of a word left over: one contiguous stream.
void bp_xnor_block_avx2(const uint8_t *block, const uint8_t *end, int is_long, size_t words, const uint32_t *bits,
                        size_t columns, float scale, float *y);
void bp_xnor_block_avx512(const uint8_t *block, const uint8_t *end, int is_long, size_t words, const uint32_t *bits,
                          size_t columns, float scale, float *y);
#endif
