// The coupled search by AVX-512.
#include "../trellis_coupled.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

void bp_trellis_coupled_search_avx512(size_t pair_bits, const uint8_t *second, const float *table,
                                      const float *targets, const float *factors, const float *importance,
                                      const float *coupling, size_t stride, size_t count, float *asked,
                                      float *costs, uint8_t *choices) {
    FOR_BITS(pair_bits, COUPLED_SEARCH)
}

#pragma clang attribute pop
#endif
