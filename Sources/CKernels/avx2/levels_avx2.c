// AVX2: a table of 16 levels is two vectors, and bit 3 of a code chooses between them.
#include "../level_panels.h"
#pragma STDC FP_CONTRACT ON

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

// The levels of code `i` of 8 words.
INLINE __m256 level_avx2(__m256i words, const int i, __m256 low, __m256 high) {
    // The permutes look at the lowest 3 bits of each lane only, the choice at the highest one.
    const __m256i at = _mm256_srli_epi32(words, 4 * i), choice = _mm256_slli_epi32(words, 28 - 4 * i);
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, at), _mm256_permutevar8x32_ps(high, at), _mm256_castsi256_ps(choice));
}

// 8 VECTORS rows times one token: so many that no sum waits for the one before.
INLINE void levels_rows_avx2(const int VECTORS, const uint8_t *codes, size_t stride, const float *levels, size_t columns,
                             size_t block, const float *scales, const float *x, float *y) {
    const __m256 low = _mm256_loadu_ps(levels), high = _mm256_loadu_ps(levels + 8);
    const size_t blocks = columns / block;
    __m256 out[4];
#pragma clang loop unroll(full)
    for (int v = 0; v < VECTORS; v++) out[v] = _mm256_setzero_ps();
    for (size_t b = 0; b < blocks; b++) {
        __m256 sums[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) sums[v] = _mm256_setzero_ps();
        for (size_t w = b * block / 8; w < (b + 1) * block / 8; w++) {
            const uint8_t *at = codes + w * stride;
            __builtin_prefetch(at + 3072);
            __builtin_prefetch(at + 3072 + 64);
            __m256i words[4];
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) words[v] = _mm256_loadu_si256((const __m256i *)(at + 32 * v));
#pragma clang loop unroll(full)
            for (int i = 0; i < 8; i++) {
                const __m256 a = _mm256_set1_ps(x[8 * w + i]);
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++) sums[v] = _mm256_fmadd_ps(level_avx2(words[v], i, low, high), a, sums[v]);
            }
        }
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) {
            const float *scale = scales + 16 * (v / 2 * blocks + b) + 8 * (v % 2);
            out[v] = _mm256_fmadd_ps(_mm256_loadu_ps(scale), sums[v], out[v]);
        }
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < VECTORS; v++) _mm256_storeu_ps(y + 8 * v, out[v]);
}

INLINE void decode_avx2(const uint8_t *codes, size_t stride, size_t in_block, const float *levels, size_t words, float *panel) {
    const __m256 low = _mm256_loadu_ps(levels), high = _mm256_loadu_ps(levels + 8);
    for (size_t w = 0; w < words; w++, codes += stride, panel += 8 * BP_PANEL)
        for (size_t r = 0; r < in_block; r += 8) {
            uint32_t last[16];
            if (in_block - r < 8) load_lanes(last, codes + 4 * r, in_block - r);
            const __m256i v = _mm256_loadu_si256((const __m256i *)(in_block - r < 8 ? (const uint8_t *)last : codes + 4 * r));
#pragma clang loop unroll(full)
            for (int i = 0; i < 8; i++) _mm256_store_ps(panel + i * BP_PANEL + r, level_avx2(v, i, low, high));
        }
}

void bp_levels_block_avx2(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                          size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    // Fewer tokens than pay for a panel, or rows that fill one.
    if (tokens > 1 || in_block % 32) {
        levels_batch(6, 1, decode_avx2, codes, in_block, levels, rows, columns, block, scales, x, tokens, y);
        return;
    }
    for (size_t i = 0; i < in_block; i += 32)
        levels_rows_avx2(4, codes + 4 * i, 4 * in_block, levels, columns, block, scales + i * (columns / block), x, y + i);
}

#pragma clang attribute pop
#endif
