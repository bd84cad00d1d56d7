// The search by vector extensions.
#include "../trellis_survivors.h"
#pragma STDC FP_CONTRACT OFF

INLINE void search(const int bits, const float *table, const float *targets, const float *factors, size_t count,
                   float *costs, uint8_t *choices) {
    const size_t before = TRELLIS_WINDOWS >> bits, ways = (size_t)1 << bits;
    for (size_t t = 0; t < count; t++, choices += before) {
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
}

void bp_trellis_search_portable(size_t bits, const float *table, const float *targets, const float *factors, size_t count,
                                float *costs, uint8_t *choices) {
#define SEARCH(constant) search(constant, table, targets, factors, count, costs, choices)
    FOR_BITS(bits, SEARCH)
}
