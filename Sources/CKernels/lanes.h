// Vectors of 16 floats, which a compiler cuts into those of an instruction set, and what the vector functions
// are made of: loops over numbers, the exponential, sums. Vectors go from function to function by address, as
// a build without registers of their width asks.
#ifndef LANES_H
#define LANES_H
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT ON

typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef int32_t i16 __attribute__((vector_size(64), aligned(4)));

#define SPLAT(s) ((v16){0} + (s))
#define SELECT(mask, a, b) ((v16)(((i16)(a) & (mask)) | ((i16)(b) & ~(mask))))
#define ABS(a) ((v16)((i16)(a) & 0x7fffffff))

// e^x within 1.2e-7 of it, relative. Below -87.3 the result is 0, above 88.7 it stays at e^88.7.
// x = n ln 2 + r, e^r = 1 + r + r^2 P(r) with P a minimax fit on |r| <= ln(2) / 2.
INLINE void exp_in_place(v16 *x) {
    const i16 low = *x < -87.3f;
    v16 b = SELECT(*x > 88.7f, SPLAT(88.7f), *x);
    b = SELECT(low, SPLAT(0.0f), b);
    const v16 magic = b * 1.44269504f + 12582912.0f;
    const i16 n = (i16)magic - 0x4b400000;
    const v16 nf = magic - 12582912.0f;
    v16 r = b - nf * 0.693359375f;
    r = r + nf * 2.12194440e-4f;
    v16 p = r * 1.3941214e-3f + 8.3632351e-3f;
    p = p * r + 4.1666374e-2f;
    p = p * r + 1.6666577e-1f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    // Two steps, so that 2^128 is never needed on the way to e^88.7.
    const i16 half = n >> 1;
    p = p * (v16)((half + 127) << 23) * (v16)((n - half + 127) << 23);
    *x = (v16)((i16)p & ~low);
}

// Halves are added to halves: lanes 8 apart, then 4, 2 and 1.
INLINE float sum_of(const v16 *all) {
    const v16 v = *all;
    v16 s = v + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    s += __builtin_shufflevector(s, s, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    s += __builtin_shufflevector(s, s, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return s[0] + s[1];
}

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
#endif
