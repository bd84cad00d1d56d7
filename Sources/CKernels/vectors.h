// The vector functions of each build, as ckernels.h describes them; n is at least 1 where a result needs a
// number.
#ifndef VECTORS_H
#define VECTORS_H
#include "targets.h"

DECLARE(void, bp_softmax, float *x, size_t n);
DECLARE(void, bp_log_softmax, float *x, size_t n);
DECLARE(float, bp_log_sum_exp, const float *x, size_t n);
DECLARE(void, bp_exp, float *x, size_t n);
DECLARE(void, bp_tanh, float *x, size_t n);
DECLARE(void, bp_relu, float *x, size_t n);
DECLARE(void, bp_swish, float *x, size_t n);
DECLARE(void, bp_gelu_erf, float *x, size_t n);
DECLARE(void, bp_gelu_tanh, float *x, size_t n);
DECLARE(void, bp_add, const float *a, float *x, size_t n);
DECLARE(void, bp_layer_norm, const float *x, size_t n, const float *gain, const float *bias, float epsilon,
        float *out);
DECLARE(void, bp_dot_rows, const float *q, const float *rows, size_t stride, size_t count, size_t n, float scale,
        float *scores);
DECLARE(void, bp_dot_chosen_rows, const float *q, const float *rows, size_t stride, const int32_t *chosen,
        size_t count, size_t n, float *scores);
DECLARE(void, bp_combine_rows, const float *weights, const float *rows, size_t stride, size_t count, size_t n,
        int adds, float *out);
DECLARE(void, bp_add_outer, const float *weights, const float *x, size_t count, size_t n, float *rows, size_t stride);
DECLARE(void, bp_function_gradient, bp_function function, const float *x, size_t n, float *dy);
DECLARE(void, bp_norm_gradient, int centred, const float *x, size_t n, const float *gain, float epsilon, float *dy,
        float *d_gain, float *d_bias);
DECLARE(void, bp_subtract_scaled, const float *a, float factor, float *x, size_t n);
DECLARE(void, bp_adam_step, const bp_adam *step, const float *gradient, size_t n, float *w, float *m, float *v);
DECLARE(size_t, bp_index_of_largest, const float *x, size_t n);
DECLARE(double, bp_kl_divergence, const float *p, const float *q, size_t n);
DECLARE(void, bp_rotate, const float *signs, size_t block, float *x, size_t n);
DECLARE(uint32_t, bp_read, const uint8_t *memory, size_t bytes);
#endif
