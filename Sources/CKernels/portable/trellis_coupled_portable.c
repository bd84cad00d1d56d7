// The coupled search by vector extensions.
#include "../trellis_coupled.h"

void bp_trellis_coupled_search_portable(size_t pair_bits, const uint8_t *second, const float *table,
                                        const float *targets, const float *factors, const float *importance,
                                        const float *coupling, size_t stride, size_t count, float *asked,
                                        float *costs, uint8_t *choices) {
    FOR_BITS(pair_bits, COUPLED_SEARCH)
}
