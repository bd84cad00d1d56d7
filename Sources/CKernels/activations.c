// Rounding activations to integers.
#include "activations.h"
#include <string.h>

float bp_quantize(bp_isa isa, const float *x, size_t n, int32_t limit, int16_t *q) {
    return bp_quantize_within(isa, x, n, DISPATCH(isa, bp_top, x, n), limit, q);
}

float bp_quantize_within(bp_isa isa, const float *x, size_t n, uint32_t top, int32_t limit, int16_t *q) {
    float largest;
    memcpy(&largest, &top, 4);
    if (top >= 0x7f800000 || largest < 1e-30f) {
        memset(q, 0, n * sizeof *q);
        return top >= 0x7f800000 ? __builtin_nanf("") : 0;
    }
    DISPATCH(isa, bp_round, x, n, (float)limit / largest, limit, q);
    return largest / (float)limit;
}
