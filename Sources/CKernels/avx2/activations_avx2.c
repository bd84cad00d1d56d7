// AVX2: the functions in plain C, compiled for it.
#include "../activation_functions.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

uint32_t bp_top_avx2(const float *x, size_t n) { return top_of(x, n); }
void bp_round_avx2(const float *x, size_t n, float inverse, int32_t limit, int16_t *q) {
    round_all(x, n, inverse, limit, q);
}
void bp_moments_avx2(const float *x, size_t n, moments *out) { *out = moments_of(x, n); }
void bp_normal_avx2(const float *x, size_t n, moments m, float *out) { normalize(x, n, m, out); }

#pragma clang attribute pop
#endif
