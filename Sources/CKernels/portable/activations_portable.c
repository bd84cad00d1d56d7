// Rounding activations by plain C.
#include "../activation_functions.h"

uint32_t bp_top_portable(const float *x, size_t n) { return top_of(x, n); }
void bp_round_portable(const float *x, size_t n, float inverse, int32_t limit, int16_t *q) {
    round_all(x, n, inverse, limit, q);
}
void bp_moments_portable(const float *x, size_t n, moments *out) { *out = moments_of(x, n); }
void bp_normal_portable(const float *x, size_t n, moments m, float *out) { normalize(x, n, m, out); }
