// AVX-512: tokens side by side are a register.
#include "../product_codes.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

void bp_product_codes_avx512(const bp_product_codes *m, const float *x, size_t tokens, bp_part part, float *scratch, float *y) {
    product_codes(m, x, tokens, part, scratch, y);
}

#pragma clang attribute pop
#endif
