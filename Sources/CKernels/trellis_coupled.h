// The coupled search by vector extensions, for each build to compile.
//
// Weights are taken in blocks. Inside a block every path carries what its errors ask of the block's weights
// alone; what they ask of all behind is added when the block is done, for the paths that are left: going back
// from there they soon are the same few.
#ifndef TRELLIS_COUPLED_H
#define TRELLIS_COUPLED_H
#include <math.h>
#include "trellis_survivors.h"
#pragma STDC FP_CONTRACT OFF

// Weights of a block: one vector.
enum { COUPLED_BLOCK = 16, COUPLED_PATHS = TRELLIS_WINDOWS / 2 };

// Adds what the errors of the block before weight `end` ask of the weights from `end` on, along the paths
// through the windows before `end`. *now: (paths through the windows before the block, stride), then before
// `end`; *next: room. errors: (weights of the block, windows); choices: the rows of weights up to `end`.
INLINE void ask_behind(const int first_bits, const int second_bits, const uint8_t *second, const float *coupling,
                       size_t stride, size_t end, const float (*errors)[TRELLIS_WINDOWS], const uint8_t *choices, float **now,
                       float **next) {
    const size_t most = TRELLIS_WINDOWS >> first_bits, start = end - COUPLED_BLOCK;
    // By weight after `start`: the paths that one through `end` comes from.
    uint8_t paths[COUPLED_BLOCK][COUPLED_PATHS];
    size_t counts[COUPLED_BLOCK];
    for (size_t t = end; t > start; t--) {
        const size_t place = t - start - 1, before = TRELLIS_WINDOWS >> (second[t] ? second_bits : first_bits);
        if (t == end) {
            counts[place] = before;
            for (size_t m = 0; m < before; m++) paths[place][m] = (uint8_t)m;
        }
        if (!place) break;
        const int last_bits = second[t - 1] ? second_bits : first_bits;
        uint8_t seen[COUPLED_PATHS] = {0};
        size_t count = 0;
        for (size_t i = 0; i < counts[place]; i++) {
            const size_t m = paths[place][i], from = (m + choices[t * most + m] * before) >> last_bits;
            paths[place - 1][count] = (uint8_t)from;
            count += !seen[from];
            seen[from] = 1;
        }
        counts[place - 1] = count;
    }
    if (!start) memset(*now, 0, most * stride * sizeof(float));
    for (size_t t = start + 1; t <= end; t++) {
        const size_t place = t - start - 1, before = TRELLIS_WINDOWS >> (second[t] ? second_bits : first_bits);
        const int last_bits = second[t - 1] ? second_bits : first_bits;
        const float *row = coupling + (t - 1) * stride;
        for (size_t i = 0; i < counts[place]; i++) {
            const size_t m = paths[place][i], window = m + choices[t * most + m] * before;
            const float error = errors[place][window], *from = *now + (window >> last_bits) * stride;
            float *to = *next + m * stride;
            for (size_t j = end; j < stride; j += 16)
                *(v16 *)(to + j) = *(const v16 *)(from + j) + error * *(const v16 *)(row + j);
        }
        float *last = *now;
        *now = *next;
        *next = last;
    }
}

// Every number as often as windows follow one.
INLINE void spread(const int bits, const float *from, float *to) {
    const size_t before = TRELLIS_WINDOWS >> bits, ways = (size_t)1 << bits;
    for (size_t m = 0; m < before; m++)
        UNROLL
        for (size_t b = 0; b < ways; b++) to[m * ways + b] = from[m];
}

INLINE void coupled_search(const int first_bits, const int second_bits, const uint8_t *second, const float *table,
                           const float *targets, const float *factors, const float *importance, const float *coupling,
                           size_t stride, size_t count, float *asked, float *costs, uint8_t *choices) {
    const size_t most = TRELLIS_WINDOWS >> first_bits;
    float least[COUPLED_PATHS], errors[COUPLED_BLOCK][TRELLIS_WINDOWS];
    // What the paths' errors ask: of the block's weights, and of those from the block on.
    v16 near[2][COUPLED_PATHS];
    float *now = asked, *next = asked + most * stride;
    for (size_t t = 0; t < count; t++) {
        const int bits = second[t] ? second_bits : first_bits;
        const size_t before = TRELLIS_WINDOWS >> bits, place = t % COUPLED_BLOCK, start = t - place;
        uint8_t *chosen = choices + t * most;
        if (second[t]) choose_survivors(second_bits, costs, least, chosen);
        else choose_survivors(first_bits, costs, least, chosen);
        // What the chosen path before m asks of weight t and those behind it.
        v16 *asks = near[t % 2];
        if (place) {
            const int last_bits = second[t - 1] ? second_bits : first_bits;
            const v16 row = *(const v16 *)(coupling + (t - 1) * stride + start);
            const v16 *from = near[(t - 1) % 2];
            for (size_t m = 0; m < before; m++) {
                const size_t window = m + chosen[m] * before;
                asks[m] = from[window >> last_bits] + errors[place - 1][window] * row;
            }
        } else if (t) {
            ask_behind(first_bits, second_bits, second, coupling, stride, t, errors, choices, &now, &next);
            for (size_t m = 0; m < before; m++) asks[m] = *(const v16 *)(now + m * stride + t);
        } else {
            memset(asks, 0, before * sizeof(v16));
        }
        float wanted[COUPLED_PATHS], rest[TRELLIS_WINDOWS];
        for (size_t m = 0; m < before; m++) wanted[m] = ((const float *)&asks[m])[place];
        if (second[t]) spread(second_bits, wanted, rest), spread(second_bits, least, costs);
        else spread(first_bits, wanted, rest), spread(first_bits, least, costs);
        const float target = targets[t], factor = factors[t], weight = importance[t];
        v16 best = SPLAT(INFINITY);
        for (size_t s = 0; s < TRELLIS_WINDOWS; s += 16) {
            const v16 error = target - factor * *(const v16 *)(table + s), all = error + *(const v16 *)(rest + s);
            const v16 cost = *(const v16 *)(costs + s) + weight * (all * all);
            *(v16 *)(errors[place] + s) = error;
            *(v16 *)(costs + s) = cost;
            best = SELECT(cost < best, cost, best);
        }
        if (t % TRELLIS_RENORMALIZE == TRELLIS_RENORMALIZE - 1) {
            float least_cost = best[0];
            for (size_t lane = 1; lane < 16; lane++) least_cost = best[lane] < least_cost ? best[lane] : least_cost;
            for (size_t s = 0; s < TRELLIS_WINDOWS; s += 16) *(v16 *)(costs + s) -= least_cost;
        }
    }
}

#define COUPLED_SEARCH(first, then)                                                                                 \
    coupled_search(first, then, second, table, targets, factors, importance, coupling, stride, count, asked, costs, choices)
#endif
