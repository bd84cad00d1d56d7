// The ways back of the vector functions, and the optimizer's step, on vectors of 16 floats as in
// vector_functions.h.
#ifndef GRADIENT_FUNCTIONS_H
#define GRADIENT_FUNCTIONS_H
#include <math.h>
#include "vector_functions.h"
#pragma STDC FP_CONTRACT ON

INLINE void add_outer(const float *weights, const float *x, size_t count, size_t n, float *rows, size_t stride) {
    for (size_t j = 0; j < count; j++) {
        float *row = rows + j * stride;
        size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            v16 v = *(const v16 *)(row + i);
            v += *(const v16 *)(x + i) * weights[j];
            *(v16 *)(row + i) = v;
        }
        for (; i < n; i++) row[i] += x[i] * weights[j];
    }
}

// Runs `body` on vectors v of x[0..<n] and g of dy[0..<n], and writes g back.
#define FOR_EACH_GRADIENT(x, n, dy, body)                      \
    for (size_t i = 0; i < (n); i += 16) {                     \
        const size_t count = (n) - i < 16 ? (n) - i : 16;      \
        float edge[32] = {0};                                  \
        const float *from = (x) + i;                           \
        float *to = (dy) + i;                                  \
        if (count < 16) {                                      \
            memcpy(edge, from, count * sizeof(float));         \
            memcpy(edge + 16, to, count * sizeof(float));      \
            from = edge;                                       \
            to = edge + 16;                                    \
        }                                                      \
        const v16 v = *(const v16 *)from;                      \
        v16 g = *(const v16 *)to;                              \
        body;                                                  \
        *(v16 *)to = g;                                        \
        if (count < 16) memcpy((dy) + i, edge + 16, count * sizeof(float)); \
    }

// s = 1 / (1 + e^-x): (x s)' = s (1 + x (1 - s)).
INLINE void swish_gradient(const float *x, size_t n, float *dy) {
    FOR_EACH_GRADIENT(x, n, dy, {
        v16 e = -v;
        exp_in_place(&e);
        const v16 s = 1.0f / (e + 1.0f);
        g = g * (s * (v * (1.0f - s) + 1.0f));
    })
}

// x s with s = 1 / (1 + e^-u), u = 2 sqrt(2 / pi) (x + 0.044715 x^3): s + x s (1 - s) u'.
INLINE void gelu_tanh_gradient(const float *x, size_t n, float *dy) {
    FOR_EACH_GRADIENT(x, n, dy, {
        const v16 square = v * v;
        v16 e = v * 1.5957691216f + v * square * 0.0713548163f;
        e = -e;
        exp_in_place(&e);
        const v16 s = 1.0f / (e + 1.0f);
        g = g * (s + v * s * (1.0f - s) * (square * 0.2140644489f + 1.5957691216f));
    })
}

// Phi(x) + x phi(x), Phi and phi being those of the normal distribution.
INLINE void gelu_erf_gradient(const float *x, size_t n, float *dy) {
    FOR_EACH_GRADIENT(x, n, dy, {
        v16 twice = v;
        one_plus_erf(&twice);
        v16 density = v * v * -0.5f;
        exp_in_place(&density);
        g = SELECT(v < -8.0f, SPLAT(0.0f), g * (twice * 0.5f + v * density * 0.3989422804f));
    })
}

INLINE void function_gradient(bp_function function, const float *x, size_t n, float *dy) {
    switch (function) {
    case BP_RELU: FOR_EACH_GRADIENT(x, n, dy, g = SELECT(v > 0.0f, g, SPLAT(0.0f))) break;
    case BP_SWISH: swish_gradient(x, n, dy); break;
    case BP_GELU_ERF: gelu_erf_gradient(x, n, dy); break;
    case BP_GELU_TANH: gelu_tanh_gradient(x, n, dy); break;
    case BP_TANH: FOR_EACH_GRADIENT(x, n, dy, g = g * (1.0f - v * v)) break;
    }
}

// With xh = (x - mean) r, r = 1 / sqrt(variance + epsilon), u = gain dy: dx = r (u - mean(u) - xh mean(u
// xh)). Without centring mean(x) and mean(u) are left out.
INLINE void norm_gradient(int centred, const float *x, size_t n, const float *gain, float epsilon, float *dy,
                          float *d_gain, float *d_bias) {
    float mean = 0;
    if (centred) {
        v16 sum = SPLAT(0.0f);
        FOR_EACH_READ(x, n, 0, sum += v)
        mean = sum_of(&sum) / (float)n;
    }
    v16 squares = SPLAT(0.0f);
    FOR_EACH_READ(x, n, mean, v16 d = v - mean; squares += d * d)
    const float r = 1.0f / sqrtf(sum_of(&squares) / (float)n + epsilon);
    v16 sum_u = SPLAT(0.0f), sum_ux = sum_u;
    float rest_u = 0, rest_ux = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const v16 xh = (*(const v16 *)(x + i) - mean) * r, g = *(const v16 *)(dy + i), u = g * *(const v16 *)(gain + i);
        *(v16 *)(d_gain + i) += g * xh;
        if (d_bias) *(v16 *)(d_bias + i) += g;
        sum_u += u;
        sum_ux += u * xh;
    }
    for (; i < n; i++) {
        const float xh = (x[i] - mean) * r, u = dy[i] * gain[i];
        d_gain[i] += dy[i] * xh;
        if (d_bias) d_bias[i] += dy[i];
        rest_u += u;
        rest_ux += u * xh;
    }
    const float mean_u = centred ? (sum_of(&sum_u) + rest_u) / (float)n : 0, mean_ux = (sum_of(&sum_ux) + rest_ux) / (float)n;
    for (i = 0; i < n; i++) dy[i] = r * (dy[i] * gain[i] - mean_u - (x[i] - mean) * r * mean_ux);
}

INLINE void subtract_scaled(const float *a, float factor, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = factor * (x[i] - a[i]);
}

INLINE void adam_step(const bp_adam *step, const float *restrict gradient, size_t n, float *restrict w, float *restrict m,
                      float *restrict v) {
    const bp_adam s = *step;
    for (size_t i = 0; i < n; i++) {
        const float g = s.factor * gradient[i];
        m[i] = s.b1 * m[i] + (1 - s.b1) * g;
        v[i] = s.b2 * v[i] + (1 - s.b2) * g * g;
        w[i] -= s.rate * (m[i] / s.c1 / (sqrtf(v[i] / s.c2) + s.epsilon) + s.decay * w[i]);
    }
}

// The functions above for one build.
#define DEFINE_GRADIENTS(build)                                                                                  \
    void bp_add_outer_##build(const float *weights, const float *x, size_t count, size_t n, float *rows,         \
                              size_t stride) {                                                                   \
        add_outer(weights, x, count, n, rows, stride);                                                           \
    }                                                                                                            \
    void bp_function_gradient_##build(bp_function function, const float *x, size_t n, float *dy) {               \
        function_gradient(function, x, n, dy);                                                                   \
    }                                                                                                            \
    void bp_norm_gradient_##build(int centred, const float *x, size_t n, const float *gain, float epsilon,       \
                                  float *dy, float *d_gain, float *d_bias) {                                     \
        norm_gradient(centred, x, n, gain, epsilon, dy, d_gain, d_bias);                                         \
    }                                                                                                            \
    void bp_subtract_scaled_##build(const float *a, float factor, float *x, size_t n) {                          \
        subtract_scaled(a, factor, x, n);                                                                        \
    }                                                                                                            \
    void bp_adam_step_##build(const bp_adam *step, const float *gradient, size_t n, float *w, float *m,          \
                              float *v) {                                                                        \
        adam_step(step, gradient, n, w, m, v);                                                                   \
    }
#endif
