// Product codes: what the builds share.
#ifndef PRODUCT_CODES_H
#define PRODUCT_CODES_H
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT ON

// `count` numbers of `bits` bits from bit `at` of a stream on.
INLINE void read_indices(const uint8_t *stream, size_t bits, size_t at, size_t count, uint8_t *out) {
    if (bits == 8) {
        memcpy(out, stream + at / 8, count);
        return;
    }
    for (size_t i = 0; i < count; i++, at += bits) {
        unsigned window = stream[at / 8];
        if (at % 8 + bits > 8) window |= (unsigned)stream[at / 8 + 1] << 8;
        out[i] = (uint8_t)(window >> at % 8 & ((1u << bits) - 1));
    }
}

// The sum of a row times TOKENS tokens: W lanes, each in the order of the subvectors.
#define ROW(W, TOKENS)                                                                                       \
    do {                                                                                                     \
        typedef float lanes_t __attribute__((vector_size(4 * W), aligned(4)));                               \
        lanes_t sums[TOKENS][2] = {{{0}}};                                                                   \
        size_t j = 0;                                                                                        \
        for (; j + 2 <= per_row; j += 2)                                                                     \
            for (size_t i = 0; i < width; i += W)                                                            \
                for (int t = 0; t < TOKENS; t++) {                                                           \
                    const float *at = x + t * per_row * width + j * width + i;                               \
                    sums[t][0] += *(const lanes_t *)(book + index[j] * width + i) * *(const lanes_t *)at;    \
                    sums[t][1] += *(const lanes_t *)(book + index[j + 1] * width + i) * *(const lanes_t *)(at + width); \
                }                                                                                            \
        for (; j < per_row; j++)                                                                             \
            for (size_t i = 0; i < width; i += W)                                                            \
                for (int t = 0; t < TOKENS; t++)                                                             \
                    sums[t][0] += *(const lanes_t *)(book + index[j] * width + i)                            \
                        * *(const lanes_t *)(x + t * per_row * width + j * width + i);                       \
        for (int t = 0; t < TOKENS; t++) {                                                                   \
            const lanes_t all = sums[t][0] + sums[t][1];                                                     \
            float sum = 0;                                                                                   \
            for (int i = 0; i < W; i++) sum += all[i];                                                       \
            y[t * rows + r] = sum;                                                                           \
        }                                                                                                    \
    } while (0)

INLINE void product_codes(const uint8_t *indices, size_t bits, size_t rows, size_t per_row, const float *book, size_t width,
                          const float *x, size_t tokens, bp_part part, float *y) {
    uint8_t index[65536];
    for (size_t r = part.first; r < part.end; r++) {
        read_indices(indices, bits, r * per_row * bits, per_row, index);
        const float *const all_x = x;
        float *const all_y = y;
        size_t token = 0;
        for (; token + 4 <= tokens; token += 4, x += 4 * per_row * width, y += 4 * rows) {
            if (width % 8 == 0) ROW(8, 4); else ROW(4, 4);
        }
        for (; token < tokens; token++, x += per_row * width, y += rows) {
            if (width % 8 == 0) ROW(8, 1); else ROW(4, 1);
        }
        x = all_x;
        y = all_y;
    }
}
#undef ROW

// A subvector of 4 or 8 numbers fills an AVX2 vector; wider ones would be empty.
void bp_product_codes_portable(const uint8_t *indices, size_t bits, size_t rows, size_t per_row, const float *book,
                               size_t width, const float *x, size_t tokens, bp_part part, float *y);
void bp_product_codes_avx2(const uint8_t *indices, size_t bits, size_t rows, size_t per_row, const float *book,
                           size_t width, const float *x, size_t tokens, bp_part part, float *y);
#endif
