// The step that searches by vector extensions share: the best of the paths that meet.
#ifndef TRELLIS_SURVIVORS_H
#define TRELLIS_SURVIVORS_H
#include "lanes.h"
#include "trellis_path.h"

typedef uint8_t b16 __attribute__((vector_size(16), aligned(1)));

// The least cost of the windows m + b M, M = 256 >> bits, for each m < M, and its b, the first where
// several are least.
INLINE void choose_survivors(const int bits, const float *costs, float *least, uint8_t *choices) {
    const size_t before = TRELLIS_WINDOWS >> bits, ways = (size_t)1 << bits;
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
}
#endif
