// Codes that FP32 weights are looked up for: some columns of a block of rows are decoded to a panel, and all
// tokens meet it. A sum runs through the columns in order, whatever the number of tokens.
#ifndef DECODED_PANELS_H
#define DECODED_PANELS_H
#include "panel_functions.h"

// Columns of a panel, which then takes half of the nearest cache; tokens whose sums are kept at a time.
enum { DECODED_COLUMNS = 64, DECODED_TOKENS = 32 };

// The sums of all tokens, whose activations lie `x_stride` numbers apart, with `width` columns of a panel:
// new ones (`first`), or those that are there go on. In tiles of at most HEIGHT tokens by 16 VECTORS rows.
INLINE void multiply_decoded(const int HEIGHT, const int VECTORS, const float *panel, size_t width, size_t in_block,
                             const float *x, size_t x_stride, size_t tokens, float (*sums)[BP_PANEL], int first) {
    const size_t most = (size_t)HEIGHT, tiles = (tokens + most - 1) / most, height = tokens / tiles, higher = tokens % tiles;
    for (size_t index = 0, t = 0; index < tiles; index++) {
        const size_t count = height + (index < higher);
        for (size_t s = 0; s < in_block; s += 16 * (size_t)VECTORS) {
            const float *from = x + t * x_stride;
            float *to = sums[t] + s;
#define CASE(n) \
    case n: \
        if (n <= HEIGHT) \
            tile(0, n, VECTORS, panel + s, width, from, x_stride, to, BP_PANEL, BP_PANEL, first, (const char *)panel, 0); \
        break;
            switch (count) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) }
#undef CASE
        }
        t += count;
    }
}
#endif
