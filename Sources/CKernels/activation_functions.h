// The functions of activations.h in plain C: what a compiler makes of them for each instruction set. Nothing
// is fused, so that all builds give the same bits.
#ifndef ACTIVATION_FUNCTIONS_H
#define ACTIVATION_FUNCTIONS_H
#include <string.h>
#include "activations.h"

INLINE uint32_t top_of(const float *x, size_t n) {
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffff;
        top = bits > top ? bits : top;
    }
    return top;
}

// Adding 1.5 * 2^23 rounds to nearest even in every build.
INLINE void round_all(const float *x, size_t n, float inverse, int32_t limit, int16_t *q) {
#pragma STDC FP_CONTRACT OFF
    for (size_t i = 0; i < n; i++) {
        const float shifted = x[i] * inverse + 12582912.0f;
        int32_t bits;
        memcpy(&bits, &shifted, 4);
        bits -= 0x4b400000;
        bits = bits > limit ? limit : bits;
        q[i] = (int16_t)(bits < -limit ? -limit : bits);
    }
}

// Eight lanes, so that all builds add in one order.
INLINE moments moments_of(const float *x, size_t n) {
#pragma STDC FP_CONTRACT OFF
    double sums[8] = {0}, squares[8] = {0};
    float tops[8] = {0};
    const size_t whole = n / 8 * 8;
    for (size_t i = 0; i < whole; i += 8)
        for (size_t l = 0; l < 8; l++) sums[l] += x[i + l];
    for (size_t i = whole; i < n; i++) sums[0] += x[i];
    const double sum = ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    const float mean = (float)(sum / (double)n);
    for (size_t i = 0; i < whole; i += 8)
        for (size_t l = 0; l < 8; l++) {
            const float d = x[i + l] - mean, a = __builtin_fabsf(d);
            squares[l] += (double)d * d;
            tops[l] = a > tops[l] ? a : tops[l];
        }
    for (size_t i = whole; i < n; i++) {
        const float d = x[i] - mean, a = __builtin_fabsf(d);
        squares[0] += (double)d * d;
        tops[0] = a > tops[0] ? a : tops[0];
    }
    double square = 0;
    float top = 0;
    for (size_t l = 0; l < 8; l++) {
        square += squares[l];
        top = tops[l] > top ? tops[l] : top;
    }
    const float factor = (float)(1 / __builtin_sqrt(square / (double)n + 1e-5));
    return (moments){mean, factor, top * factor};
}

INLINE void normalize(const float *x, size_t n, moments m, float *out) {
#pragma STDC FP_CONTRACT OFF
    for (size_t i = 0; i < n; i++) out[i] = (x[i] - m.mean) * m.factor;
}
#endif
