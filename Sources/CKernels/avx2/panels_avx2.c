// AVX2: a tile of 6 tokens by 16 rows has its sums in 12 registers of 8 floats.
#include "../panel_functions.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

void bp_panels_multiply_avx2(const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                             size_t y_stride) {
    panels_multiply(6, 1, 1, 512, panels, rows, columns, x, tokens, y, y_stride);
}

void bp_panels_multiply_add_avx2(const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y) {
    panels_multiply_tiles(0, 6, 1, 512, panels, rows, columns, x, tokens, y, rows, 1);
}

void bp_half_panels_tiles_avx2(const uint16_t *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                    size_t y_stride) {
    panels_multiply_tiles(1, 6, 1, 512, panels, rows, columns, x, tokens, y, y_stride, 0);
}

void bp_half_panel_avx2(const uint16_t *panel, size_t columns, const float *x, float *y) {
    __m256 sums[8];
    for (int v = 0; v < 8; v++) sums[v] = _mm256_setzero_ps();
    for (size_t c = 0; c < columns; c++, panel += BP_PANEL) {
        const __m256 a = _mm256_set1_ps(x[c]);
        __builtin_prefetch(panel + 16 * BP_PANEL);
        __builtin_prefetch(panel + 16 * BP_PANEL + 32);
#pragma clang loop unroll(full)
        for (int v = 0; v < 8; v++)
            sums[v] = _mm256_fmadd_ps(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(panel + 8 * v))), a, sums[v]);
    }
    for (int v = 0; v < 8; v++) _mm256_storeu_ps(y + 8 * v, sums[v]);
}

#pragma clang attribute pop
#endif
