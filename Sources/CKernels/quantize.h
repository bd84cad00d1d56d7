// Rounding activations to integers, the same in every build. Included where FP_CONTRACT is off.
#ifndef QUANTIZE_H
#define QUANTIZE_H

// The bits of the largest magnitude, which order as the magnitudes do; NaN is above infinity.
#define TOP_BODY                     \
    uint32_t top = 0;                \
    for (size_t i = 0; i < n; i++) { \
        uint32_t bits;               \
        memcpy(&bits, x + i, 4);     \
        bits &= 0x7fffffff;          \
        top = bits > top ? bits : top; \
    }                                \
    return top;

// q = x * inverse, rounded to nearest even: adding 1.5 * 2^23 does that in every build.
#define ROUND_BODY                                              \
    for (size_t i = 0; i < n; i++) {                            \
        const float shifted = x[i] * inverse + 12582912.0f;     \
        int32_t bits;                                           \
        memcpy(&bits, &shifted, 4);                             \
        bits -= 0x4b400000;                                     \
        bits = bits > limit ? limit : bits;                     \
        q[i] = (int16_t)(bits < -limit ? -limit : bits);        \
    }

static uint32_t top_portable(const float *x, size_t n) { TOP_BODY }
static void round_portable(const float *x, size_t n, float inverse, int32_t limit, int16_t *q) { ROUND_BODY }

// q * (the result) = x with |q| <= limit. A number that is not finite makes the result NaN, and so every output.
#define QUANTIZE_BODY(top_of, round)                                    \
    const uint32_t top = top_of(x, n);                                  \
    float largest;                                                      \
    memcpy(&largest, &top, 4);                                          \
    if (top >= 0x7f800000 || largest < 1e-30f) {                        \
        memset(q, 0, n * sizeof *q);                                    \
        return top >= 0x7f800000 ? __builtin_nanf("") : 0;              \
    }                                                                   \
    round(x, n, (float)limit / largest, limit, q);                      \
    return largest / (float)limit;

static inline float quantize_portable(const float *x, size_t n, int32_t limit, int16_t *q) {
    QUANTIZE_BODY(top_portable, round_portable)
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)
static uint32_t top_avx2(const float *x, size_t n) { TOP_BODY }
static void round_avx2(const float *x, size_t n, float inverse, int32_t limit, int16_t *q) { ROUND_BODY }
static inline float quantize_avx2(const float *x, size_t n, int32_t limit, int16_t *q) {
    QUANTIZE_BODY(top_avx2, round_avx2)
}
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
static uint32_t top_avx512(const float *x, size_t n) { TOP_BODY }
static void round_avx512(const float *x, size_t n, float inverse, int32_t limit, int16_t *q) {
    const __m512i top = _mm512_set1_epi32(limit), bottom = _mm512_set1_epi32(-limit);
    const __m512 factor = _mm512_set1_ps(inverse);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xffff);
        const __m512i v = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), factor));
        const __m512i within = _mm512_max_epi32(_mm512_min_epi32(v, top), bottom);
        _mm256_mask_storeu_epi16(q + i, mask, _mm512_cvtepi32_epi16(within));
    }
}
static inline float quantize_avx512(const float *x, size_t n, int32_t limit, int16_t *q) {
    QUANTIZE_BODY(top_avx512, round_avx512)
}
#pragma clang attribute pop
#endif

#endif
