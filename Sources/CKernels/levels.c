// 4-bit codes into a table of 16 levels (NF4), products in FP32. A row's sum runs through the columns of a block in order,
// then is scaled and added: alone or in a batch, a token's result is the same.
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT ON

// Words of up to 16 rows; a size that the compiler knows is copied without a call.
INLINE void load_lanes(uint32_t *words, const uint8_t *from, size_t lanes) {
    if (lanes == 16) {
        memcpy(words, from, 64);
    } else {
        memset(words, 0, 64);
        memcpy(words, from, 4 * lanes);
    }
}

static void levels_rows_portable(const uint8_t *block_at, size_t stride, size_t lanes, const float *levels, size_t columns,
                                 size_t block, const float *scales, const float *x, float *y) {
    float out[16] = {0};
    for (size_t b = 0; b < columns / block; b++) {
        float sums[16] = {0};
        for (size_t w = b * block / 8; w < (b + 1) * block / 8; w++) {
            uint32_t words[16];
            load_lanes(words, block_at + w * stride, lanes);
            for (size_t i = 0; i < 8; i++)
                for (size_t lane = 0; lane < 16; lane++) sums[lane] += levels[words[lane] >> (4 * i) & 15] * x[8 * w + i];
        }
        for (size_t lane = 0; lane < 16; lane++) out[lane] += scales[16 * b + lane] * sums[lane];
    }
    memcpy(y, out, lanes * sizeof(float));
}

static void levels_block_portable(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                                  size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in_block; i += 16)
            levels_rows_portable(codes + 4 * i, 4 * in_block, in_block - i < 16 ? in_block - i : 16, levels, columns, block,
                                 scales + i * (columns / block), x + t * columns, y + t * rows + i);
}

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

static void levels_block_avx2(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                              size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in_block; i += 16)
            levels_rows_avx2(codes + 4 * i, 4 * in_block, in_block - i < 16 ? in_block - i : 16, levels, columns, block,
                             scales + i * (columns / block), x + t * columns, y + t * rows + i);
}
#pragma clang attribute pop

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

static void levels_block_avx512(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                                size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    if (in_block == 64) {
        size_t t = 0;
        for (; t + 4 <= tokens; t += 4)
            levels_tile_avx512(4, 4, codes, 256, 0xffff, levels, rows, columns, block, scales, x + t * columns, y + t * rows);
        for (; t < tokens; t++)
            levels_tile_avx512(4, 1, codes, 256, 0xffff, levels, rows, columns, block, scales, x + t * columns, y + t * rows);
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

void bp_levels_multiply(bp_isa isa, const uint8_t *codes, const float levels[16], size_t rows, size_t columns,
                        size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    const size_t height = bp_block_rows(1);
    for (size_t r = 0; r < rows; r += height) {
        const size_t in_block = rows - r < height ? rows - r : height;
        DISPATCH(isa, levels_block, codes + columns / 2 * r, in_block, levels, rows, columns, block,
                 scales + r * (columns / block), x, tokens, y + r);
    }
}
