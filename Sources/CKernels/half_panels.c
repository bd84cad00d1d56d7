// FP16 weights in panels: half the bytes to read, and the sums of FP32. Halves convert exactly, and a row's sum runs through
// the columns in order, so the results are those of the FP32 product on the converted weights, bit for bit.
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT ON

void bp_half_panels_pack(const uint16_t *w, size_t rows, size_t columns, uint16_t *panels) {
    for (size_t p = 0; p < rows; p += BP_PANEL)
        for (size_t c = 0; c < columns; c++)
            for (size_t r = p; r < p + BP_PANEL; r++)
                panels[p * columns + c * BP_PANEL + (r - p)] = r < rows ? w[r * columns + c] : 0;
}

static void widen_portable(const uint16_t *halves, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t sign = (uint32_t)(halves[i] & 0x8000) << 16, magnitude = halves[i] & 0x7fff;
        // The exponent is moved by a product, which takes subnormal halves along; infinity and NaN keep theirs.
        const uint32_t shifted = magnitude << 13;
        float scaled;
        memcpy(&scaled, &shifted, 4);
        scaled *= 0x1p112f;
        uint32_t bits;
        memcpy(&bits, &scaled, 4);
        bits = (magnitude >= 0x7c00 ? shifted | 0x7f800000 : bits) | sign;
        memcpy(out + i, &bits, 4);
    }
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)
static void widen_avx2(const uint16_t *halves, size_t n, float *out) {
    for (size_t i = 0; i < n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(halves + i))));
}

static void vector_panel_avx2(const uint16_t *panel, size_t columns, const float *x, float *y) {
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

#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
static void widen_avx512(const uint16_t *halves, size_t n, float *out) {
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(halves + i))));
}

static void vector_panel_avx512(const uint16_t *panel, const uint16_t *end, int is_long, size_t columns, const float *x,
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

void bp_half_panels_multiply(bp_isa isa, const uint16_t *panels, size_t rows, size_t columns, const float *x,
                             size_t tokens, float *y, float *scratch) {
    const uint16_t *end = panels + (rows + BP_PANEL - 1) / BP_PANEL * BP_PANEL * columns;
    const int is_long = (size_t)(end - panels) * sizeof *panels >= LONG_STREAM;
    for (size_t r = 0; r < rows; r += BP_PANEL) {
        const uint16_t *panel = panels + r * columns;
        const size_t height = rows - r < BP_PANEL ? rows - r : BP_PANEL;
#if defined(__x86_64__)
        if (tokens == 1 && isa != BP_PORTABLE) {
            float sums[BP_PANEL];
            if (HAS_AVX512(isa)) vector_panel_avx512(panel, end, is_long, columns, x, sums);
            else vector_panel_avx2(panel, columns, x, sums);
            memcpy(y + r, sums, height * sizeof(float));
            continue;
        }
#endif
        DISPATCH(isa, widen, panel, BP_PANEL * columns, scratch);
        bp_panels_multiply_into(isa, scratch, height, columns, x, tokens, y + r, rows);
    }
}
