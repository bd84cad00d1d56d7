// The vector functions for one instruction set (SUFFIX). Vectors are 16 floats wide in every build, so that sums have one
// order everywhere; builds differ only where a multiply-add is fused.
typedef float JOIN(v16, SUFFIX) __attribute__((vector_size(64), aligned(4)));
typedef int32_t JOIN(i16, SUFFIX) __attribute__((vector_size(64), aligned(4)));
#define v16 JOIN(v16, SUFFIX)
#define i16 JOIN(i16, SUFFIX)
#define SPLAT(s) ((v16){0} + (s))
#define SELECT(mask, a, b) ((v16)(((i16)(a) & (mask)) | ((i16)(b) & ~(mask))))
#define ABS(a) ((v16)((i16)(a) & 0x7fffffff))

// e^x within 1.2e-7 of it, relative. Below -87.3 the result is 0, above 88.7 it stays at e^88.7.
// x = n ln 2 + r, e^r = 1 + r + r^2 P(r) with P a minimax fit on |r| <= ln(2) / 2.
#define EXP(out, in)                                                                       \
    do {                                                                                   \
        const v16 x_ = (in);                                                               \
        const i16 low_ = x_ < -87.3f;                                                      \
        v16 b_ = SELECT(x_ > 88.7f, SPLAT(88.7f), x_);                                     \
        b_ = SELECT(low_, SPLAT(0.0f), b_);                                                \
        const v16 magic_ = b_ * 1.44269504f + 12582912.0f;                                 \
        const i16 n_ = (i16)magic_ - 0x4b400000;                                           \
        const v16 nf_ = magic_ - 12582912.0f;                                              \
        v16 r_ = b_ - nf_ * 0.693359375f;                                                  \
        r_ = r_ + nf_ * 2.12194440e-4f;                                                    \
        v16 p_ = r_ * 1.3941214e-3f + 8.3632351e-3f;                                       \
        p_ = p_ * r_ + 4.1666374e-2f;                                                      \
        p_ = p_ * r_ + 1.6666577e-1f;                                                      \
        p_ = p_ * r_ + 0.5f;                                                               \
        p_ = p_ * (r_ * r_) + r_ + 1.0f;                                                   \
        /* Two steps, so that 2^128 is never needed on the way to e^88.7. */              \
        const i16 half_ = n_ >> 1;                                                         \
        p_ = p_ * (v16)((half_ + 127) << 23) * (v16)((n_ - half_ + 127) << 23);            \
        (out) = (v16)((i16)p_ & ~low_);                                                    \
    } while (0)

// Halves are added to halves: lanes 8 apart, then 4, 2 and 1.
INLINE float JOIN(sum16, SUFFIX)(v16 v) {
    v16 s = v + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    s += __builtin_shufflevector(s, s, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    s += __builtin_shufflevector(s, s, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return s[0] + s[1];
}
#define SUM(v) JOIN(sum16, SUFFIX)(v)

// Runs `body` on vectors v of x[0..<n], and writes them back; the last one is padded with `fill`.
#define FOR_EACH(x, n, fill, body)                                  \
    for (size_t i = 0; i < (n); i += 16) {                          \
        if ((n) - i >= 16) {                                        \
            v16 v = *(const v16 *)((x) + i);                        \
            body;                                                   \
            *(v16 *)((x) + i) = v;                                  \
        } else {                                                    \
            float edge[16];                                         \
            for (size_t j = 0; j < 16; j++) edge[j] = (fill);       \
            memcpy(edge, (x) + i, ((n) - i) * sizeof(float));       \
            v16 v = *(const v16 *)edge;                             \
            body;                                                   \
            *(v16 *)edge = v;                                       \
            memcpy((x) + i, edge, ((n) - i) * sizeof(float));       \
        }                                                           \
    }

// As above without writing back.
#define FOR_EACH_READ(x, n, fill, body)                             \
    for (size_t i = 0; i < (n); i += 16) {                          \
        v16 v;                                                      \
        if ((n) - i >= 16) {                                        \
            v = *(const v16 *)((x) + i);                            \
        } else {                                                    \
            float edge[16];                                         \
            for (size_t j = 0; j < 16; j++) edge[j] = (fill);       \
            memcpy(edge, (x) + i, ((n) - i) * sizeof(float));       \
            v = *(const v16 *)edge;                                 \
        }                                                           \
        body;                                                       \
    }

static float JOIN(maximum, SUFFIX)(const float *x, size_t n) {
    v16 top = SPLAT(x[0]);
    FOR_EACH_READ(x, n, x[0], top = SELECT(v > top, v, top))
    float lanes[16], m;
    *(v16 *)lanes = top;
    m = lanes[0];
    for (int i = 1; i < 16; i++) m = lanes[i] > m ? lanes[i] : m;
    return m;
}

// The first index of the largest number; 0 where x[0] is NaN.
static size_t JOIN(index_of_largest, SUFFIX)(const float *x, size_t n) {
    const float m = JOIN(maximum, SUFFIX)(x, n);
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

static void JOIN(scale, SUFFIX)(float *x, size_t n, float factor) { FOR_EACH(x, n, 0, v = v * factor) }

static void JOIN(softmax, SUFFIX)(float *x, size_t n) {
    const float m = JOIN(maximum, SUFFIX)(x, n);
    v16 sum = SPLAT(0.0f);
    FOR_EACH(x, n, -INFINITY, EXP(v, v - m); sum += v)
    JOIN(scale, SUFFIX)(x, n, 1.0f / SUM(sum));
}

static float JOIN(log_sum_exp, SUFFIX)(const float *x, size_t n) {
    const float m = JOIN(maximum, SUFFIX)(x, n);
    v16 sum = SPLAT(0.0f);
    FOR_EACH_READ(x, n, -INFINITY, v16 e; EXP(e, v - m); sum += e)
    return m + logf(SUM(sum));
}

static void JOIN(log_softmax, SUFFIX)(float *x, size_t n) {
    const float shift = JOIN(log_sum_exp, SUFFIX)(x, n);
    FOR_EACH(x, n, 0, v = v - shift)
}

static void JOIN(exp_all, SUFFIX)(float *x, size_t n) { FOR_EACH(x, n, 0, EXP(v, v)) }

static void JOIN(relu, SUFFIX)(float *x, size_t n) { FOR_EACH(x, n, 0, v = SELECT(v > 0.0f, v, SPLAT(0.0f))) }

static void JOIN(swish, SUFFIX)(float *x, size_t n) {
    FOR_EACH(x, n, 0, v16 e; EXP(e, -v); v = v / (e + 1.0f))
}

// 0.5 x (1 + tanh(u)) = x / (1 + e^-2u): no cancellation for negative x.
static void JOIN(gelu_tanh, SUFFIX)(float *x, size_t n) {
    FOR_EACH(x, n, 0, v16 u = v * 1.5957691216f + v * v * v * 0.0713548163f; v16 e; EXP(e, -u); v = v / (e + 1.0f))
}

// tanh: an odd polynomial below 0.6, 1 - 2 / (e^2|x| + 1) above.
static void JOIN(tanh_all, SUFFIX)(float *x, size_t n) {
    FOR_EACH(x, n, 0, {
        const v16 a = ABS(v);
        const v16 s = v * v;
        v16 e;
        EXP(e, a + a);
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

// erf: an odd polynomial below 1, 1 - e^(a Q(a)) with Q a fit of log(erfc(a)) / a above.
static void JOIN(gelu_erf, SUFFIX)(float *x, size_t n) {
    FOR_EACH(x, n, 0, {
        const v16 z = v * 0.70710678f;
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
        v16 complement;
        EXP(complement, q * b);
        // For negative x, 1 + erf(z) is erfc(|z|) itself.
        const v16 tail = SELECT(v < 0.0f, complement, 2.0f - complement);
        const v16 factor = SELECT(a < 1.0f, z * p + 1.0f, tail);
        v = SELECT(v < -8.0f, SPLAT(0.0f), v * 0.5f * factor);
    })
}

static void JOIN(add, SUFFIX)(const float *restrict a, float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] += a[i];
}

static void JOIN(layer_norm, SUFFIX)(const float *x, size_t n, const float *gain, const float *bias, float epsilon,
                                     float *out) {
    v16 sum = SPLAT(0.0f);
    FOR_EACH_READ(x, n, 0, sum += v)
    const float mean = SUM(sum) / (float)n;
    v16 squares = SPLAT(0.0f);
    FOR_EACH_READ(x, n, mean, v16 d = v - mean; squares += d * d)
    const float factor = 1.0f / sqrtf(SUM(squares) / (float)n + epsilon);
    if (gain && bias) {
        for (size_t i = 0; i < n; i++) out[i] = (x[i] - mean) * factor * gain[i] + bias[i];
    } else {
        for (size_t i = 0; i < n; i++) out[i] = (x[i] - mean) * factor * (gain ? gain[i] : 1) + (bias ? bias[i] : 0);
    }
}

INLINE float JOIN(dot, SUFFIX)(const float *a, const float *b, size_t n) {
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
    return SUM(first + second) + rest;
}

static void JOIN(dot_rows, SUFFIX)(const float *q, const float *rows, size_t stride, size_t count, size_t n, float scale,
                                   float *scores) {
    for (size_t j = 0; j < count; j++) scores[j] = scale * JOIN(dot, SUFFIX)(q, rows + j * stride, n);
}

// Chosen rows lie anywhere: each is fetched while the two before it are read.
static void JOIN(dot_chosen_rows, SUFFIX)(const float *q, const float *rows, size_t stride, const int32_t *chosen,
                                          size_t count, size_t n, float *scores) {
    for (size_t j = 0; j < count; j++) {
        const float *later = rows + (size_t)chosen[j + 2 < count ? j + 2 : j] * stride;
        for (size_t i = 0; i < n; i += 16) __builtin_prefetch(later + i);
        scores[j] = JOIN(dot, SUFFIX)(q, rows + (size_t)chosen[j] * stride, n);
    }
}

static void JOIN(combine_rows, SUFFIX)(const float *weights, const float *rows, size_t stride, size_t count, size_t n,
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

// KL(softmax p || softmax q). With P = softmax p, d = q - p - c for any c, f(d) = e^d - 1 - d:
// KL = log1p(sum P (f + d)) - sum P d, where f needs no cancellation for small d. c is d at the largest p, where most mass is.
static double JOIN(kl_divergence, SUFFIX)(const float *p, const float *q, size_t n) {
    const float m = JOIN(maximum, SUFFIX)(p, n);
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
            v16 e, g;
            EXP(e, a - m);
            const i16 none = e == 0.0f;  // no mass, and perhaps a difference of infinities
            const v16 change = b - a - c;
            const v16 d = SELECT(none, SPLAT(0.0f), change);
            EXP(g, d);
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
        mass += SUM(mass_);
        first += SUM(first_);
        rest += SUM(rest_);
        const float here = JOIN(maximum, SUFFIX)((const float *)&largest_, 16);
        largest = here > largest ? here : largest;
    }
    if (largest > 60.0f)  // P e^d may leave FP32: the plain definition, whose cancellation no longer matters
        return (double)JOIN(log_sum_exp, SUFFIX)(q, n) - JOIN(log_sum_exp, SUFFIX)(p, n) - (first / mass + c);
    const double kl = log1p((rest + first) / mass) - first / mass;
    return kl > 0 ? kl : 0;
}

#undef v16
#undef i16
#undef SPLAT
#undef SELECT
#undef ABS
#undef EXP
#undef SUM
#undef FOR_EACH
#undef FOR_EACH_READ
