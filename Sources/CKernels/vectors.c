// Softmax, LayerNorm, activations and the sums of attention. Polynomials are our own minimax fits (Scripts/fit_functions.py).
#include <math.h>
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT ON

#define SUFFIX portable
#include "vector_body.h"
#undef SUFFIX

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)
#define SUFFIX avx2
#include "vector_body.h"
#undef SUFFIX
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
#define SUFFIX avx512
#include "vector_body.h"
#undef SUFFIX
#pragma clang attribute pop
#endif

void bp_softmax(bp_isa isa, float *x, size_t n) { if (n) DISPATCH(isa, softmax, x, n); }
void bp_log_softmax(bp_isa isa, float *x, size_t n) { if (n) DISPATCH(isa, log_softmax, x, n); }
float bp_log_sum_exp(bp_isa isa, const float *x, size_t n) { return n ? DISPATCH(isa, log_sum_exp, x, n) : -INFINITY; }
void bp_exp(bp_isa isa, float *x, size_t n) { DISPATCH(isa, exp_all, x, n); }
void bp_tanh(bp_isa isa, float *x, size_t n) { DISPATCH(isa, tanh_all, x, n); }
void bp_relu(bp_isa isa, float *x, size_t n) { DISPATCH(isa, relu, x, n); }
void bp_swish(bp_isa isa, float *x, size_t n) { DISPATCH(isa, swish, x, n); }
void bp_gelu_erf(bp_isa isa, float *x, size_t n) { DISPATCH(isa, gelu_erf, x, n); }
void bp_gelu_tanh(bp_isa isa, float *x, size_t n) { DISPATCH(isa, gelu_tanh, x, n); }
void bp_add(bp_isa isa, const float *a, float *x, size_t n) { DISPATCH(isa, add, a, x, n); }

void bp_layer_norm(bp_isa isa, const float *x, size_t n, const float *gain, const float *bias, float epsilon,
                   float *out) {
    if (n) DISPATCH(isa, layer_norm, x, n, gain, bias, epsilon, out);
}

void bp_dot_rows(bp_isa isa, const float *q, const float *rows, size_t stride, size_t count, size_t n, float scale,
                 float *scores) {
    DISPATCH(isa, dot_rows, q, rows, stride, count, n, scale, scores);
}

void bp_dot_chosen_rows(bp_isa isa, const float *q, const float *rows, size_t stride, const int32_t *chosen, size_t count,
                        size_t n, float *scores) {
    DISPATCH(isa, dot_chosen_rows, q, rows, stride, chosen, count, n, scores);
}

void bp_combine_rows(bp_isa isa, const float *weights, const float *rows, size_t stride, size_t count, size_t n,
                     int adds, float *out) {
    DISPATCH(isa, combine_rows, weights, rows, stride, count, n, adds, out);
}

size_t bp_index_of_largest(bp_isa isa, const float *x, size_t n) { return n ? DISPATCH(isa, index_of_largest, x, n) : 0; }

double bp_kl_divergence(bp_isa isa, const float *p, const float *q, size_t n) {
    return n ? DISPATCH(isa, kl_divergence, p, q, n) : 0;
}
