// Product codes: the book stays in the nearest cache.
#include "product_codes.h"

size_t bp_product_codes_scratch(const bp_product_codes *m, bp_part part) {
    return SIDE_BY_SIDE * (m->per_row * m->block + SUBVECTORS_AT_A_TIME * CODEWORDS + part.end - part.first);
}

void bp_product_codes_multiply(bp_isa isa, const bp_product_codes *m, const float *x, size_t tokens, bp_part part,
                               float *scratch, float *y) {
    DISPATCH(isa, bp_product_codes, m, x, tokens, part, scratch, y);
}
