// Product codes by vector extensions.
#include "../product_codes.h"

void bp_product_codes_portable(const bp_product_codes *m, const float *x, size_t tokens, bp_part part, float *scratch, float *y) {
    product_codes(m, x, tokens, part, scratch, y);
}
