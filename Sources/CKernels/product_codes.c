// Product codes: a row's subvectors are looked up in a small book that stays in the nearest cache.
#include "product_codes.h"

void bp_product_codes_multiply(bp_isa isa, const uint8_t *indices, size_t bits, size_t rows, size_t per_row,
                               const float *book, size_t width, const float *x, size_t tokens, bp_part part, float *y) {
    if (HAS_AVX2(isa)) bp_product_codes_avx2(indices, bits, rows, per_row, book, width, x, tokens, part, y);
    else bp_product_codes_portable(indices, bits, rows, per_row, book, width, x, tokens, part, y);
}
