// AVX2: a subvector of 8 numbers is a register.
#include "../product_codes.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

void bp_product_codes_avx2(const uint8_t *indices, size_t bits, size_t rows, size_t per_row, const float *book,
                           size_t width, const float *x, size_t tokens, bp_part part, float *y) {
    product_codes(indices, bits, rows, per_row, book, width, x, tokens, part, y);
}

#pragma clang attribute pop
#endif
