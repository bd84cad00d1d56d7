// The coupled search by vector extensions, for each build to compile.
#ifndef TRELLIS_COUPLED_H
#define TRELLIS_COUPLED_H
#include <math.h>
#include "trellis_survivors.h"
#pragma STDC FP_CONTRACT OFF

INLINE void coupled_search(const int first_bits, const int second_bits, const uint8_t *second, const float *table,
                           const float *targets, const float *factors, const float *importance, const float *coupling,
                           size_t stride, size_t count, float *asked, float *costs, uint8_t *choices) {
    const size_t most = TRELLIS_WINDOWS >> first_bits;
    float least[TRELLIS_WINDOWS / 2], errors[TRELLIS_WINDOWS];
    float *now = asked, *next = asked + most * stride;
    for (size_t t = 0; t < count; t++, choices += most) {
        const int bits = second[t] ? second_bits : first_bits;
        const int last_bits = t && second[t - 1] ? second_bits : first_bits;
        const size_t before = TRELLIS_WINDOWS >> bits;
        if (second[t]) choose_survivors(second_bits, costs, least, choices);
        else choose_survivors(first_bits, costs, least, choices);
        // What the chosen path before m asks of weight t and those behind it.
        for (size_t m = 0; m < before; m++) {
            float *to = next + m * stride;
            if (!t) {
                for (size_t j = 0; j < stride; j += 16) *(v16 *)(to + j) = (v16){0};
                continue;
            }
            const size_t window = m + choices[m] * before;
            const float error = errors[window], *from = now + (window >> last_bits) * stride;
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

#define COUPLED_SEARCH(first, then)                                                                                 \
    coupled_search(first, then, second, table, targets, factors, importance, coupling, stride, count, asked, costs, choices)
#endif
