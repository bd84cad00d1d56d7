// AVX-512: rounding to nearest even is an instruction.
#include "../activation_functions.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

uint32_t bp_top_avx512(const float *x, size_t n) { return top_of(x, n); }
void bp_moments_avx512(const float *x, size_t n, moments *out) { *out = moments_of(x, n); }
void bp_normal_avx512(const float *x, size_t n, moments m, float *out) { normalize(x, n, m, out); }

void bp_round_avx512(const float *x, size_t n, float inverse, int32_t limit, int16_t *q) {
    const __m512i top = _mm512_set1_epi32(limit), bottom = _mm512_set1_epi32(-limit);
    const __m512 factor = _mm512_set1_ps(inverse);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xffff);
        const __m512i v = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), factor));
        const __m512i within = _mm512_max_epi32(_mm512_min_epi32(v, top), bottom);
        _mm256_mask_storeu_epi16(q + i, mask, _mm512_cvtepi32_epi16(within));
    }
}

#pragma clang attribute pop
#endif
