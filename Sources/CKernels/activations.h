// Activations on their way to integers: the same rounding in every build.
#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H
#include "targets.h"

// BitNet's normalisation: mean, 1 / standard deviation, and the largest normalised magnitude.
typedef struct {
    float mean, factor, largest;
} moments;

// The bits of the largest magnitude, which order as the magnitudes do; NaN is above infinity.
DECLARE(uint32_t, bp_top, const float *x, size_t n);
// q = x * inverse, rounded to nearest even, at most `limit` either way.
DECLARE(void, bp_round, const float *x, size_t n, float inverse, int32_t limit, int16_t *q);
DECLARE(void, bp_moments, const float *x, size_t n, moments *out);
// out = (x - mean) / standard deviation.
DECLARE(void, bp_normal, const float *x, size_t n, moments m, float *out);

// q * (the result) = x with |q| <= limit. A number that is not finite makes the result NaN, and so every
// output.
float bp_quantize(bp_isa isa, const float *x, size_t n, int32_t limit, int16_t *q);
// The same where the bits of the largest magnitude, of these numbers and perhaps others, are known.
float bp_quantize_within(bp_isa isa, const float *x, size_t n, uint32_t top, int32_t limit, int16_t *q);
#endif
