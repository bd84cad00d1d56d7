// Signs times signs by plain C.
#include "../xnor.h"

void bp_sign_bits_of_portable(const float *x, size_t columns, uint32_t *bits) { sign_bits(x, columns, bits); }

void bp_xnor_rows_portable(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                           size_t lanes, const uint32_t *bits, uint32_t *counts) {
    count_differences(block, stride, tails, width, words, lanes, bits, counts);
}
