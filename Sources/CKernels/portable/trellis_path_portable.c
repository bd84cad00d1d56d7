// The search by vector extensions.
#include "../trellis_survivors.h"
#pragma STDC FP_CONTRACT OFF

// Weight t.
INLINE void step(const int bits, const float *table, const float *targets, const float *factors, size_t t, float *costs,
                 uint8_t *choices) {
    const size_t before = TRELLIS_WINDOWS >> bits, ways = (size_t)1 << bits;
    float least[TRELLIS_WINDOWS / 2];
    choose_survivors(bits, costs, least, choices);
    const float target = targets[t], factor = factors[t];
    for (size_t m = 0; m < before; m++)
        for (size_t b = 0; b < ways; b++) costs[m * ways + b] = least[m];
    for (size_t s = 0; s < TRELLIS_WINDOWS; s += 16) {
        const v16 rest = target - factor * *(const v16 *)(table + s);
        *(v16 *)(costs + s) += rest * rest;
    }
    if (t % TRELLIS_RENORMALIZE == TRELLIS_RENORMALIZE - 1) {
        v16 all = *(const v16 *)costs;
        for (size_t s = 16; s < TRELLIS_WINDOWS; s += 16) {
            const v16 cost = *(const v16 *)(costs + s);
            all = SELECT(cost < all, cost, all);
        }
        float best = all[0];
        for (size_t lane = 1; lane < 16; lane++) best = all[lane] < best ? all[lane] : best;
        for (size_t s = 0; s < TRELLIS_WINDOWS; s += 16) *(v16 *)(costs + s) -= best;
    }
}

INLINE void search(const int first_bits, const int second_bits, const uint8_t *second, const float *table,
                   const float *targets, const float *factors, size_t count, float *costs, uint8_t *choices) {
    for (size_t t = 0; t < count; t++, choices += TRELLIS_WINDOWS >> first_bits) {
        if (first_bits != second_bits && second[t]) step(second_bits, table, targets, factors, t, costs, choices);
        else step(first_bits, table, targets, factors, t, costs, choices);
    }
}

void bp_trellis_search_portable(size_t pair_bits, const uint8_t *second, const float *table, const float *targets,
                                const float *factors, size_t count, float *costs, uint8_t *choices) {
#define SEARCH(first, then) search(first, then, second, table, targets, factors, count, costs, choices)
    FOR_BITS(pair_bits, SEARCH)
}
