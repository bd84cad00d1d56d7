// AVX-512: a tile of 6 tokens by 64 rows has its sums in 24 registers of 16 floats; one token meets 4 panels
// at once.
#include "../panel_functions.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

void bp_panels_multiply_avx512(const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                               size_t y_stride) {
    panels_multiply(6, 4, 4, 512, panels, rows, columns, x, tokens, y, y_stride);
}

void bp_panels_multiply_add_avx512(const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y) {
    panels_multiply_tiles(0, 6, 4, 512, panels, rows, columns, x, tokens, y, rows, 1);
}

void bp_half_panels_tiles_avx512(const uint16_t *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                      size_t y_stride) {
    panels_multiply_tiles(1, 6, 4, 512, panels, rows, columns, x, tokens, y, y_stride, 0);
}

void bp_half_panel_avx512(const uint16_t *panel, const uint16_t *end, int is_long, size_t columns, const float *x,
                          float *y) {
    __m512 sums[4];
    for (int v = 0; v < 4; v++) sums[v] = _mm512_setzero_ps();
    for (size_t c = 0; c < columns; c++, panel += BP_PANEL) {
        const __m512 a = _mm512_set1_ps(x[c]);
        for (size_t line = 0; line < BP_PANEL; line += 32)
            fetch_ahead((const uint8_t *)(panel + line), (const uint8_t *)end, is_long, 64 * BP_PANEL);
#pragma clang loop unroll(full)
        for (int v = 0; v < 4; v++)
            sums[v] = _mm512_fmadd_ps(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(panel + 16 * v))), a, sums[v]);
    }
    for (int v = 0; v < 4; v++) _mm512_storeu_ps(y + 16 * v, sums[v]);
}

#pragma clang attribute pop
#endif
