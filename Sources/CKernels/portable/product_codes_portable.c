// Product codes by vector extensions.
#include "../product_codes.h"

void bp_product_codes_portable(const uint8_t *indices, size_t bits, size_t rows, size_t per_row, const float *book,
                               size_t width, const float *x, size_t tokens, bp_part part, float *y) {
    product_codes(indices, bits, rows, per_row, book, width, x, tokens, part, y);
}
