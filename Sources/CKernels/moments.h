// The normalisation in front of BitLinear. Included where FP_CONTRACT is off.
#ifndef MOMENTS_H
#define MOMENTS_H

// BitNet's normalisation: mean, 1 / standard deviation, and the largest normalised magnitude. Eight lanes, so that all
// builds add in one order.
typedef struct {
    float mean, factor, largest;
} moments;
#define MOMENTS_BODY                                                                          \
    double sums[8] = {0}, squares[8] = {0};                                                   \
    float tops[8] = {0};                                                                      \
    const size_t whole = n / 8 * 8;                                                           \
    for (size_t i = 0; i < whole; i += 8)                                                     \
        for (size_t l = 0; l < 8; l++) sums[l] += x[i + l];                                   \
    for (size_t i = whole; i < n; i++) sums[0] += x[i];                                       \
    const double sum = ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])); \
    const float mean = (float)(sum / (double)n);                                              \
    for (size_t i = 0; i < whole; i += 8)                                                     \
        for (size_t l = 0; l < 8; l++) {                                                      \
            const float d = x[i + l] - mean, a = __builtin_fabsf(d);                          \
            squares[l] += (double)d * d;                                                      \
            tops[l] = a > tops[l] ? a : tops[l];                                              \
        }                                                                                     \
    for (size_t i = whole; i < n; i++) {                                                      \
        const float d = x[i] - mean, a = __builtin_fabsf(d);                                  \
        squares[0] += (double)d * d;                                                          \
        tops[0] = a > tops[0] ? a : tops[0];                                                  \
    }                                                                                         \
    double square = 0;                                                                        \
    float top = 0;                                                                            \
    for (size_t l = 0; l < 8; l++) {                                                          \
        square += squares[l];                                                                 \
        top = tops[l] > top ? tops[l] : top;                                                  \
    }                                                                                         \
    const float factor = (float)(1 / __builtin_sqrt(square / (double)n + 1e-5));              \
    return (moments){mean, factor, top * factor};

#define NORMAL_BODY \
    for (size_t i = 0; i < n; i++) out[i] = (x[i] - m.mean) * m.factor;

static moments moments_portable(const float *x, size_t n) { MOMENTS_BODY }
static void normal_portable(const float *x, size_t n, moments m, float *out) { NORMAL_BODY }

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)
static moments moments_avx2(const float *x, size_t n) { MOMENTS_BODY }
static void normal_avx2(const float *x, size_t n, moments m, float *out) { NORMAL_BODY }
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
static moments moments_avx512(const float *x, size_t n) { MOMENTS_BODY }
static void normal_avx512(const float *x, size_t n, moments m, float *out) { NORMAL_BODY }
#pragma clang attribute pop
#endif
#endif
