// The vector functions, on vectors of 16 floats in every build, so that sums have one order everywhere;
// builds differ only where a multiply-add is fused.
#ifndef VECTOR_FUNCTIONS_H
#define VECTOR_FUNCTIONS_H
#include <math.h>
#include "lanes.h"
#include "vectors.h"
#pragma STDC FP_CONTRACT ON

INLINE float maximum(const float *x, size_t n) {
    v16 top = SPLAT(x[0]);
    FOR_EACH_READ(x, n, x[0], top = SELECT(v > top, v, top))
    float lanes[16], m;
    *(v16 *)lanes = top;
    m = lanes[0];
    for (int i = 1; i < 16; i++) m = lanes[i] > m ? lanes[i] : m;
    return m;
}

// The first index of the largest number; 0 where x[0] is NaN.
INLINE size_t index_of_largest(const float *x, size_t n) {
    const float m = maximum(x, n);
    size_t start = 0;
    for (; start + 64 <= n; start += 64) {
        i16 any = {0};
        for (size_t j = 0; j < 64; j += 16) any |= *(const v16 *)(x + start + j) == m;
        int found = 0;
        for (int lane = 0; lane < 16; lane++) found |= any[lane];
        if (found) break;
    }
    for (size_t i = start; i < n; i++)
        if (x[i] == m) return i;
    return 0;
}

INLINE void scale(float *x, size_t n, float factor) { FOR_EACH(x, n, 0, v = v * factor) }

INLINE void softmax(float *x, size_t n) {
    const float m = maximum(x, n);
    v16 sum = SPLAT(0.0f);
    FOR_EACH(x, n, -INFINITY, v = v - m; exp_in_place(&v); sum += v)
    scale(x, n, 1.0f / sum_of(&sum));
}

INLINE float log_sum_exp(const float *x, size_t n) {
    const float m = maximum(x, n);
    v16 sum = SPLAT(0.0f);
    FOR_EACH_READ(x, n, -INFINITY, v16 e = v - m; exp_in_place(&e); sum += e)
    return m + logf(sum_of(&sum));
}

INLINE void log_softmax(float *x, size_t n) {
    const float shift = log_sum_exp(x, n);
    FOR_EACH(x, n, 0, v = v - shift)
}

INLINE void exp_all(float *x, size_t n) { FOR_EACH(x, n, 0, exp_in_place(&v)) }

INLINE void relu(float *x, size_t n) { FOR_EACH(x, n, 0, v = SELECT(v > 0.0f, v, SPLAT(0.0f))) }

INLINE void swish(float *x, size_t n) {
    FOR_EACH(x, n, 0, v16 e = -v; exp_in_place(&e); v = v / (e + 1.0f))
}

// 0.5 x (1 + tanh(u)) = x / (1 + e^-2u): no cancellation for negative x.
INLINE void gelu_tanh(float *x, size_t n) {
    FOR_EACH(x, n, 0, v16 u = v * 1.5957691216f + v * v * v * 0.0713548163f; v16 e = -u; exp_in_place(&e); v = v / (e + 1.0f))
}

// tanh: an odd polynomial below 0.6, 1 - 2 / (e^2|x| + 1) above.
INLINE void tanh_all(float *x, size_t n) {
    FOR_EACH(x, n, 0, {
        const v16 a = ABS(v);
        const v16 s = v * v;
        v16 e = a + a;
        exp_in_place(&e);
        const v16 large = 1.0f - 2.0f / (e + 1.0f);
        v16 p = s * -5.6027367e-3f + 2.0539934e-2f;
        p = p * s + -5.3705319e-2f;
        p = p * s + 1.3330932e-1f;
        p = p * s + -3.3333252e-1f;
        p = p * s + 1.0f;
        const i16 sign = (i16)v & (int32_t)0x80000000;
        v = SELECT(a < 0.6f, v * p, (v16)((i16)large | sign));
    })
}

// x becomes 1 + erf(x / sqrt 2): an odd polynomial below 1, 1 - e^(a Q(a)) with Q a fit of log(erfc(a)) / a
// above.
INLINE void one_plus_erf(v16 *x) {
    const v16 z = *x * 0.70710678f;
    const v16 a = ABS(z);
    const v16 s = z * z;
    v16 p = s * 7.8538577e-5f + -8.0101925e-4f;
    p = p * s + 5.1883276e-3f;
    p = p * s + -2.6853812e-2f;
    p = p * s + 1.1283585e-1f;
    p = p * s + -3.7612626e-1f;
    p = p * s + 1.1283792f;
    const v16 b = SELECT(a > 4.0f, SPLAT(4.0f), a);
    v16 q = b * -1.2579228e-5f + 3.3634033e-4f;
    q = q * b + -3.6976957e-3f;
    q = q * b + 2.3879343e-2f;
    q = q * b + -1.0637361e-1f;
    q = q * b + -6.3506826e-1f;
    q = q * b + -1.1286690f;
    v16 complement = q * b;
    exp_in_place(&complement);
    // For negative x, 1 + erf(z) is erfc(|z|) itself.
    const v16 tail = SELECT(*x < 0.0f, complement, 2.0f - complement);
    *x = SELECT(a < 1.0f, z * p + 1.0f, tail);
}

INLINE void gelu_erf(float *x, size_t n) {
    FOR_EACH(x, n, 0, {
        v16 factor = v;
        one_plus_erf(&factor);
        v = SELECT(v < -8.0f, SPLAT(0.0f), v * 0.5f * factor);
    })
}

INLINE void add(const float *restrict a, float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] += a[i];
}

INLINE void layer_norm(const float *x, size_t n, const float *gain, const float *bias, float epsilon,
                                     float *out) {
    v16 sum = SPLAT(0.0f);
    FOR_EACH_READ(x, n, 0, sum += v)
    const float mean = sum_of(&sum) / (float)n;
    v16 squares = SPLAT(0.0f);
    FOR_EACH_READ(x, n, mean, v16 d = v - mean; squares += d * d)
    const float factor = 1.0f / sqrtf(sum_of(&squares) / (float)n + epsilon);
    if (gain && bias) {
        for (size_t i = 0; i < n; i++) out[i] = (x[i] - mean) * factor * gain[i] + bias[i];
    } else {
        for (size_t i = 0; i < n; i++) out[i] = (x[i] - mean) * factor * (gain ? gain[i] : 1) + (bias ? bias[i] : 0);
    }
}

INLINE float dot(const float *a, const float *b, size_t n) {
    v16 first = SPLAT(0.0f), second = first;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        first += *(const v16 *)(a + i) * *(const v16 *)(b + i);
        second += *(const v16 *)(a + i + 16) * *(const v16 *)(b + i + 16);
    }
    if (i + 16 <= n) {
        first += *(const v16 *)(a + i) * *(const v16 *)(b + i);
        i += 16;
    }
    float rest = 0;
    for (; i < n; i++) rest += a[i] * b[i];
    first += second;
    return sum_of(&first) + rest;
}

INLINE void dot_rows(const float *q, const float *rows, size_t stride, size_t count, size_t n, float scale,
                                   float *scores) {
    for (size_t j = 0; j < count; j++) scores[j] = scale * dot(q, rows + j * stride, n);
}

// Chosen rows lie anywhere: each is fetched while the two before it are read.
INLINE void dot_chosen_rows(const float *q, const float *rows, size_t stride, const int32_t *chosen,
                                          size_t count, size_t n, float *scores) {
    for (size_t j = 0; j < count; j++) {
        const float *later = rows + (size_t)chosen[j + 2 < count ? j + 2 : j] * stride;
        for (size_t i = 0; i < n; i += 16) __builtin_prefetch(later + i);
        scores[j] = dot(q, rows + (size_t)chosen[j] * stride, n);
    }
}

INLINE void combine_rows(const float *weights, const float *rows, size_t stride, size_t count, size_t n,
                                       int adds, float *out) {
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        v16 sums[4];
        for (int v = 0; v < 4; v++) sums[v] = adds ? *(const v16 *)(out + i + 16 * v) : SPLAT(0.0f);
        for (size_t j = 0; j < count; j++)
#pragma clang loop unroll(full)
            for (int v = 0; v < 4; v++) sums[v] += *(const v16 *)(rows + j * stride + i + 16 * v) * weights[j];
        for (int v = 0; v < 4; v++) *(v16 *)(out + i + 16 * v) = sums[v];
    }
    for (; i + 16 <= n; i += 16) {
        v16 a = adds ? *(const v16 *)(out + i) : SPLAT(0.0f);
        for (size_t j = 0; j < count; j++) a += *(const v16 *)(rows + j * stride + i) * weights[j];
        *(v16 *)(out + i) = a;
    }
    for (; i < n; i++) {
        float a = adds ? out[i] : 0;
        for (size_t j = 0; j < count; j++) a += rows[j * stride + i] * weights[j];
        out[i] = a;
    }
}

// KL(softmax p || softmax q). With P = softmax p, d = q - p - c for any c, f(d) = e^d - 1 - d: KL = log1p(sum
// P (f + d)) - sum P d, where f needs no cancellation for small d. c is d at the largest p, where most mass
// is.
INLINE double kl_divergence(const float *p, const float *q, size_t n) {
    const float m = maximum(p, n);
    size_t top = 0;
    while (p[top] != m) top++;
    const float c = q[top] - m;
    double mass = 0, first = 0, rest = 0;
    float largest = 0;
    for (size_t start = 0; start < n; start += 1024) {
        const size_t end = n - start < 1024 ? n : start + 1024;
        v16 mass_ = SPLAT(0.0f), first_ = SPLAT(0.0f), rest_ = SPLAT(0.0f), largest_ = SPLAT(0.0f);
        for (size_t i = start; i < end; i += 16) {
            v16 a, b;
            if (end - i >= 16) {
                a = *(const v16 *)(p + i);
                b = *(const v16 *)(q + i);
            } else {
                float edge[16];
                for (size_t j = 0; j < 16; j++) edge[j] = -INFINITY;
                memcpy(edge, p + i, (end - i) * sizeof(float));
                a = *(const v16 *)edge;
                for (size_t j = 0; j < 16; j++) edge[j] = -INFINITY;
                memcpy(edge, q + i, (end - i) * sizeof(float));
                b = *(const v16 *)edge;
            }
            v16 e = a - m;
            exp_in_place(&e);
            const i16 none = e == 0.0f;  // no mass, and perhaps a difference of infinities
            const v16 change = b - a - c;
            const v16 d = SELECT(none, SPLAT(0.0f), change);
            v16 g = d;
            exp_in_place(&g);
            v16 s = d * 1.3888889e-3f + 8.3333333e-3f;
            s = s * d + 4.1666667e-2f;
            s = s * d + 1.6666667e-1f;
            s = (s * d + 0.5f) * (d * d);
            const v16 f = SELECT(ABS(d) < 0.5f, s, g - 1.0f - d);
            mass_ += e;
            first_ += e * d;
            rest_ += e * f;
            largest_ = SELECT(change > largest_, change, largest_);  // false for NaN
        }
        mass += sum_of(&mass_);
        first += sum_of(&first_);
        rest += sum_of(&rest_);
        const float here = maximum((const float *)&largest_, 16);
        largest = here > largest ? here : largest;
    }
    if (largest > 60.0f)  // P e^d may leave FP32: the plain definition, whose cancellation no longer matters
        return (double)log_sum_exp(q, n) - log_sum_exp(p, n) - (first / mass + c);
    const double kl = log1p((rest + first) / mass) - first / mass;
    return kl > 0 ? kl : 0;
}

// Of every two lanes `distance` apart the first becomes their sum, the second their difference.
INLINE void lanes_apart(const int distance, v16 *x) {
    const v16 v = *x;
#define OTHER(i) ((i) ^ distance)
#define SIGN(i) ((i) & distance ? -1.0f : 1.0f)
#define EACH(f) {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)}
    const i16 others = EACH(OTHER);
    const v16 signs = EACH(SIGN);
#undef EACH
#undef SIGN
#undef OTHER
    v16 other;
    for (int i = 0; i < 16; i++) other[i] = v[others[i]];
    *x = other + v * signs;
}

INLINE void rotate(const float *signs, size_t block, float *x, size_t n) {
    size_t distance = 1;
    if (block >= 16) {
        for (size_t i = 0; i < n; i += 16) {
            v16 v = *(const v16 *)(x + i) * *(const v16 *)(signs + i);
            lanes_apart(1, &v);
            lanes_apart(2, &v);
            lanes_apart(4, &v);
            lanes_apart(8, &v);
            *(v16 *)(x + i) = v;
        }
        for (distance = 16; distance < block; distance *= 2)
            for (size_t start = 0; start < n; start += 2 * distance)
                for (size_t i = start; i < start + distance; i += 16) {
                    const v16 a = *(const v16 *)(x + i), b = *(const v16 *)(x + i + distance);
                    *(v16 *)(x + i) = a + b;
                    *(v16 *)(x + i + distance) = a - b;
                }
        return;
    }
    for (size_t i = 0; i < n; i++) x[i] *= signs[i];
    for (; distance < block; distance *= 2)
        for (size_t i = 0; i < n; i++)
            if (!(i & distance)) {
                const float a = x[i], b = x[i + distance];
                x[i] = a + b;
                x[i + distance] = a - b;
            }
}

// One pass of loads, with nothing to wait for.
INLINE uint32_t read_all(const uint8_t *memory, size_t bytes) {
    typedef uint32_t line __attribute__((vector_size(64), aligned(4)));
    line sums[4] = {{0}};
    for (size_t i = 0; i < bytes; i += 256)
        for (size_t j = 0; j < 4; j++) {
            fetch_ahead(memory + i + 64 * j, memory + bytes, bytes >= LONG_STREAM, 4096);
            sums[j] ^= *(const line *)(memory + i + 64 * j);
        }
    const line all = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
    uint32_t sum = 0;
    for (int i = 0; i < 16; i++) sum ^= all[i];
    return sum;
}

// The functions of vectors.h for one build, where the compiler is told its instruction set.
#define DEFINE_VECTORS(build)                                                                                \
    void bp_softmax_##build(float *x, size_t n) { softmax(x, n); }                                           \
    void bp_log_softmax_##build(float *x, size_t n) { log_softmax(x, n); }                                   \
    float bp_log_sum_exp_##build(const float *x, size_t n) { return log_sum_exp(x, n); }                     \
    void bp_exp_##build(float *x, size_t n) { exp_all(x, n); }                                               \
    void bp_tanh_##build(float *x, size_t n) { tanh_all(x, n); }                                             \
    void bp_relu_##build(float *x, size_t n) { relu(x, n); }                                                 \
    void bp_swish_##build(float *x, size_t n) { swish(x, n); }                                               \
    void bp_gelu_erf_##build(float *x, size_t n) { gelu_erf(x, n); }                                         \
    void bp_gelu_tanh_##build(float *x, size_t n) { gelu_tanh(x, n); }                                       \
    void bp_add_##build(const float *a, float *x, size_t n) { add(a, x, n); }                                \
    void bp_layer_norm_##build(const float *x, size_t n, const float *gain, const float *bias,               \
                               float epsilon, float *out) {                                                  \
        layer_norm(x, n, gain, bias, epsilon, out);                                                          \
    }                                                                                                        \
    void bp_dot_rows_##build(const float *q, const float *rows, size_t stride, size_t count, size_t n,       \
                             float scale, float *scores) {                                                   \
        dot_rows(q, rows, stride, count, n, scale, scores);                                                  \
    }                                                                                                        \
    void bp_dot_chosen_rows_##build(const float *q, const float *rows, size_t stride,                        \
                                    const int32_t *chosen, size_t count, size_t n, float *scores) {          \
        dot_chosen_rows(q, rows, stride, chosen, count, n, scores);                                          \
    }                                                                                                        \
    void bp_combine_rows_##build(const float *weights, const float *rows, size_t stride, size_t count,       \
                                 size_t n, int adds, float *out) {                                           \
        combine_rows(weights, rows, stride, count, n, adds, out);                                            \
    }                                                                                                        \
    size_t bp_index_of_largest_##build(const float *x, size_t n) { return index_of_largest(x, n); }          \
    double bp_kl_divergence_##build(const float *p, const float *q, size_t n) {                              \
        return kl_divergence(p, q, n);                                                                       \
    }                                                                                                        \
    void bp_rotate_##build(const float *signs, size_t block, float *x, size_t n) { rotate(signs, block, x, n); } \
    uint32_t bp_read_##build(const uint8_t *memory, size_t bytes) { return read_all(memory, bytes); }
#endif
