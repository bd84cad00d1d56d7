// AVX2: a table of 16 levels is two vectors, and bit 3 of a code chooses between them.
#include "../levels.h"
#pragma STDC FP_CONTRACT ON

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

static void levels_rows_avx2(const uint8_t *block_at, size_t stride, size_t lanes, const float *levels, size_t columns,
                             size_t block, const float *scales, const float *x, float *y) {
    const __m256 low = _mm256_loadu_ps(levels), high = _mm256_loadu_ps(levels + 8);
    __m256 out[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t b = 0; b < columns / block; b++) {
        __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
        for (size_t w = b * block / 8; w < (b + 1) * block / 8; w++) {
            uint32_t words[16];
            load_lanes(words, block_at + w * stride, lanes);
            for (int half = 0; half < 2; half++) {
                __m256i v = _mm256_loadu_si256((const __m256i *)(words + 8 * half));
                for (size_t i = 0; i < 8; i++, v = _mm256_srli_epi32(v, 4)) {
                    const __m256 a = _mm256_permutevar8x32_ps(low, v), c = _mm256_permutevar8x32_ps(high, v);
                    // Bit 3 of the code chooses the half of the table.
                    const __m256 level = _mm256_blendv_ps(a, c, _mm256_castsi256_ps(_mm256_slli_epi32(v, 28)));
                    sums[half] = _mm256_fmadd_ps(level, _mm256_set1_ps(x[8 * w + i]), sums[half]);
                }
            }
        }
        for (int half = 0; half < 2; half++)
            out[half] = _mm256_fmadd_ps(_mm256_loadu_ps(scales + 16 * b + 8 * half), sums[half], out[half]);
    }
    float all[16];
    _mm256_storeu_ps(all, out[0]);
    _mm256_storeu_ps(all + 8, out[1]);
    memcpy(y, all, lanes * sizeof(float));
}

void bp_levels_block_avx2(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                          size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in_block; i += 16)
            levels_rows_avx2(codes + 4 * i, 4 * in_block, in_block - i < 16 ? in_block - i : 16, levels, columns, block,
                             scales + i * (columns / block), x + t * columns, y + t * rows + i);
}

#pragma clang attribute pop
#endif
