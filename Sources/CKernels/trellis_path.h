// The search for the best path of a trellis code: what the builds share.
#ifndef TRELLIS_PATH_H
#define TRELLIS_PATH_H
#include <string.h>
#include "targets.h"

// Costs are what paths have beyond the best one: it is taken off every so many weights, so that a row of
// large weights leaves no rounding behind for the small ones after it.
enum { TRELLIS_WINDOWS = 256, TRELLIS_RENORMALIZE = 8 };

// The bits of the first or the second weight of a pair that has PAIR bits, and the most windows before one.
#define BITS_OF(PAIR, second) (((PAIR) + (second)) / 2)
#define BEFORE(PAIR) (TRELLIS_WINDOWS >> (PAIR) / 2)

// Takes `count` weights into account, second[t] being 1 where weight t is the second of a pair. costs[s]: of
// the best path whose last window is s, before and behind them. Window s follows one of the 2^bits windows m
// + b M, M = 256 >> bits, m = s >> bits; choices[t][m] is the b that weight t's paths through m take, the
// first where several are best: rows of BEFORE numbers. Nothing is fused and every build adds alike, so all
// give the same bits.
DECLARE(void, bp_trellis_search, size_t pair_bits, const uint8_t *second, const float *table, const float *targets,
        const float *factors, size_t count, float *costs, uint8_t *choices);

// As bp_trellis_search, with the cost of weight t being `importance[t] (e_t + sum_{i<t} coupling[i][t]
// e_i)^2`, e_i the path's own errors, targets less values. Rows of coupling are `stride` numbers, a multiple
// of 16, zeros behind the last. `asked`: room for 2 * 128 * stride numbers.
//
// What the errors of a path ask of the weights to come depends on all of it, so every path that is still in
// the run carries it: those through the same m share it, the last error left out.
DECLARE(void, bp_trellis_coupled_search, size_t pair_bits, const uint8_t *second, const float *table, const float *targets,
        const float *factors, const float *importance, const float *coupling, size_t stride, size_t count, float *asked,
        float *costs, uint8_t *choices);

// The bits of first and of second weights as constants, so that loops over the 2^bits ways to a window unroll
// and stay in registers.
#define UNROLL _Pragma("clang loop unroll(full)")
#define FOR_BITS(pair, call)   \
    switch (pair) {            \
    case 2: call(1, 1); break; \
    case 3: call(1, 2); break; \
    case 4: call(2, 2); break; \
    case 5: call(2, 3); break; \
    case 6: call(3, 3); break; \
    case 7: call(3, 4); break; \
    default: call(4, 4);       \
    }
#endif
