// Softmax, LayerNorm, activations and the sums of attention. Polynomials are our own minimax fits
// (Scripts/fit_functions.py).
#include <math.h>
#include "vectors.h"

void bp_softmax(bp_isa isa, float *x, size_t n) { if (n) DISPATCH(isa, bp_softmax, x, n); }
void bp_log_softmax(bp_isa isa, float *x, size_t n) { if (n) DISPATCH(isa, bp_log_softmax, x, n); }
float bp_log_sum_exp(bp_isa isa, const float *x, size_t n) { return n ? DISPATCH(isa, bp_log_sum_exp, x, n) : -INFINITY; }
void bp_exp(bp_isa isa, float *x, size_t n) { DISPATCH(isa, bp_exp, x, n); }
void bp_tanh(bp_isa isa, float *x, size_t n) { DISPATCH(isa, bp_tanh, x, n); }
void bp_relu(bp_isa isa, float *x, size_t n) { DISPATCH(isa, bp_relu, x, n); }
void bp_swish(bp_isa isa, float *x, size_t n) { DISPATCH(isa, bp_swish, x, n); }
void bp_gelu_erf(bp_isa isa, float *x, size_t n) { DISPATCH(isa, bp_gelu_erf, x, n); }
void bp_gelu_tanh(bp_isa isa, float *x, size_t n) { DISPATCH(isa, bp_gelu_tanh, x, n); }
void bp_add(bp_isa isa, const float *a, float *x, size_t n) { DISPATCH(isa, bp_add, a, x, n); }

void bp_rotate(bp_isa isa, const float *signs, size_t block, float *x, size_t n) {
    DISPATCH(isa, bp_rotate, signs, block, x, n);
}

void bp_layer_norm(bp_isa isa, const float *x, size_t n, const float *gain, const float *bias, float epsilon,
                   float *out) {
    if (n) DISPATCH(isa, bp_layer_norm, x, n, gain, bias, epsilon, out);
}

void bp_dot_rows(bp_isa isa, const float *q, const float *rows, size_t stride, size_t count, size_t n, float scale,
                 float *scores) {
    DISPATCH(isa, bp_dot_rows, q, rows, stride, count, n, scale, scores);
}

void bp_dot_chosen_rows(bp_isa isa, const float *q, const float *rows, size_t stride, const int32_t *chosen, size_t count,
                        size_t n, float *scores) {
    DISPATCH(isa, bp_dot_chosen_rows, q, rows, stride, chosen, count, n, scores);
}

void bp_combine_rows(bp_isa isa, const float *weights, const float *rows, size_t stride, size_t count, size_t n,
                     int adds, float *out) {
    DISPATCH(isa, bp_combine_rows, weights, rows, stride, count, n, adds, out);
}

void bp_add_outer(bp_isa isa, const float *weights, const float *x, size_t count, size_t n, float *rows, size_t stride) {
    DISPATCH(isa, bp_add_outer, weights, x, count, n, rows, stride);
}

void bp_function_gradient(bp_isa isa, bp_function function, const float *x, size_t n, float *dy) {
    DISPATCH(isa, bp_function_gradient, function, x, n, dy);
}

void bp_norm_gradient(bp_isa isa, int centred, const float *x, size_t n, const float *gain, float epsilon, float *dy,
                      float *d_gain, float *d_bias) {
    if (n) DISPATCH(isa, bp_norm_gradient, centred, x, n, gain, epsilon, dy, d_gain, d_bias);
}

void bp_subtract_scaled(bp_isa isa, const float *a, float factor, float *x, size_t n) {
    DISPATCH(isa, bp_subtract_scaled, a, factor, x, n);
}

void bp_adam_step(bp_isa isa, const bp_adam *step, const float *gradient, size_t n, float *w, float *m, float *v) {
    DISPATCH(isa, bp_adam_step, step, gradient, n, w, m, v);
}

size_t bp_index_of_largest(bp_isa isa, const float *x, size_t n) { return n ? DISPATCH(isa, bp_index_of_largest, x, n) : 0; }

double bp_kl_divergence(bp_isa isa, const float *p, const float *q, size_t n) {
    return n ? DISPATCH(isa, bp_kl_divergence, p, q, n) : 0;
}

uint32_t bp_read(bp_isa isa, const uint8_t *memory, size_t bytes) { return DISPATCH(isa, bp_read, memory, bytes); }
