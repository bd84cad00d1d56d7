// The coupled search by vector extensions, for each build to compile.
#ifndef TRELLIS_COUPLED_H
#define TRELLIS_COUPLED_H
#include <math.h>
#include "lanes.h"
#include "trellis_path.h"
#pragma STDC FP_CONTRACT OFF

typedef uint8_t b16 __attribute__((vector_size(16), aligned(1)));

INLINE void coupled_search(const int bits, const float *table, const float *targets, const float *factors,
                           const float *importance, const float *coupling, size_t stride, size_t count, float *asked,
                           float *costs, uint8_t *choices) {
    const size_t before = TRELLIS_WINDOWS >> bits, ways = (size_t)1 << bits;
    float least[TRELLIS_WINDOWS / 2], errors[TRELLIS_WINDOWS];
    float *now = asked, *next = asked + before * stride;
    for (size_t t = 0; t < count; t++, choices += before) {
        for (size_t m = 0; m < before; m += 16) {
            v16 cost[16];
            i16 way[16];
            UNROLL
            for (size_t b = 0; b < ways; b++) cost[b] = *(const v16 *)(costs + b * before + m);
            UNROLL
            for (int bit = 0; bit < bits; bit++)
                UNROLL
                for (size_t p = 0; p < ways >> (bit + 1); p++) {
                    const i16 right = cost[2 * p + 1] < cost[2 * p];
                    const i16 lower = bit ? (way[2 * p + 1] & right) | (way[2 * p] & ~right) : right & 0;
                    way[p] = lower | (right & (1 << bit));
                    cost[p] = SELECT(right, cost[2 * p + 1], cost[2 * p]);
                }
            *(v16 *)(least + m) = cost[0];
            *(b16 *)(choices + m) = __builtin_convertvector(way[0], b16);
        }
        // What the chosen path before m asks of weight t and those behind it.
        for (size_t m = 0; m < before; m++) {
            float *to = next + m * stride;
            if (!t) {
                for (size_t j = 0; j < stride; j += 16) *(v16 *)(to + j) = (v16){0};
                continue;
            }
            const size_t window = m + choices[m] * before;
            const float error = errors[window], *from = now + (window >> bits) * stride;
            const float *row = coupling + (t - 1) * stride;
            for (size_t j = t & ~(size_t)15; j < stride; j += 16)
                *(v16 *)(to + j) = *(const v16 *)(from + j) + error * *(const v16 *)(row + j);
        }
        float *last = now;
        now = next;
        next = last;
        const float target = targets[t], factor = factors[t], weight = importance[t];
        float best = INFINITY;
        for (size_t s = 0; s < TRELLIS_WINDOWS; s++) {
            const size_t m = s >> bits;
            errors[s] = target - factor * table[s];
            const float rest = errors[s] + now[m * stride + t];
            costs[s] = least[m] + weight * (rest * rest);
            best = costs[s] < best ? costs[s] : best;
        }
        if (t % TRELLIS_RENORMALIZE == TRELLIS_RENORMALIZE - 1)
            for (size_t s = 0; s < TRELLIS_WINDOWS; s++) costs[s] -= best;
    }
}

#define COUPLED_SEARCH(constant)                                                                                  \
    coupled_search(constant, table, targets, factors, importance, coupling, stride, count, asked, costs, choices)
#endif
