// AVX-512: the table of 16 levels is one vector, and a permute looks up 16 codes.
#include "../levels.h"
#pragma STDC FP_CONTRACT ON

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

INLINE void levels_tile_avx512(const int VECTORS, const int TOKENS, const uint8_t *codes, const size_t stride,
                               const __mmask16 last, const float *levels, size_t rows, size_t columns, size_t block,
                               const float *scales, const float *x, float *y) {
    const __m512 table = _mm512_loadu_ps(levels);
    const size_t blocks = columns / block;
    __m512 out[4][4];
#pragma clang loop unroll(full)
    for (int t = 0; t < TOKENS; t++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) out[t][v] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++) {
        __m512 sums[4][4];
#pragma clang loop unroll(full)
        for (int t = 0; t < TOKENS; t++)
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sums[t][v] = _mm512_setzero_ps();
        for (size_t w = b * block / 8; w < (b + 1) * block / 8; w++) {
            __m512i words[4];
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) {
                words[v] = _mm512_maskz_loadu_epi32(v == VECTORS - 1 ? last : 0xffff, codes + w * stride + 64 * v);
                __builtin_prefetch(codes + w * stride + 64 * v + 3072);
            }
#pragma clang loop unroll(full)
            for (int i = 0; i < 8; i++)
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++) {
                    // The permute looks at the lowest 4 bits of each lane only.
                    const __m512 level = _mm512_permutexvar_ps(_mm512_srli_epi32(words[v], 4 * i), table);
#pragma clang loop unroll(full)
                    for (int t = 0; t < TOKENS; t++)
                        sums[t][v] = _mm512_fmadd_ps(level, _mm512_set1_ps(x[t * columns + 8 * w + i]), sums[t][v]);
                }
        }
#pragma clang loop unroll(full)
        for (int t = 0; t < TOKENS; t++)
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++)
                out[t][v] = _mm512_fmadd_ps(_mm512_loadu_ps(scales + 16 * (v * blocks + b)), sums[t][v], out[t][v]);
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < TOKENS; t++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++)
            _mm512_mask_storeu_ps(y + t * rows + 16 * v, v == VECTORS - 1 ? last : 0xffff, out[t][v]);
}

void bp_levels_block_avx512(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                            size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    if (in_block == 64) {
        size_t t = 0;
        for (; t + 4 <= tokens; t += 4)
            levels_tile_avx512(4, 4, codes, 256, 0xffff, levels, rows, columns, block, scales, x + t * columns, y + t * rows);
#define CASE(n) \
    case n: \
        levels_tile_avx512(4, n, codes, 256, 0xffff, levels, rows, columns, block, scales, x + t * columns, y + t * rows); \
        break;
        switch (tokens - t) { CASE(1) CASE(2) CASE(3) }
#undef CASE
        return;
    }
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in_block; i += 16) {
            const __mmask16 last = (__mmask16)(in_block - i < 16 ? (1u << (in_block - i)) - 1 : 0xffff);
            levels_tile_avx512(1, 1, codes + 4 * i, 4 * in_block, last, levels, rows, columns, block,
                               scales + i * (columns / block), x + t * columns, y + t * rows + i);
        }
}

#pragma clang attribute pop
#endif
