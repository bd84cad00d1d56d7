// 4-bit codes into a table of 16 levels (NF4), products in FP32. A row's sum runs through the columns of a
// block in order, then is scaled and added: alone or in a batch, a token's result is the same.
#include "levels.h"

void bp_levels_multiply(bp_isa isa, const uint8_t *codes, const float levels[16], size_t rows, size_t columns,
                        size_t block, const float *scales, const float *x, size_t tokens, bp_part part, float *y) {
    const size_t height = bp_block_rows(1);
    for (size_t r = part.first; r < part.end; r += height) {
        const size_t in_block = part.end - r < height ? part.end - r : height;
        if (HAS_NEON(isa)) {
            bp_levels_block_neon(codes + columns / 2 * r, in_block, levels, rows, columns, block,
                                 scales + r * (columns / block), x, tokens, y + r);
            continue;
        }
        DISPATCH(isa, bp_levels_block, codes + columns / 2 * r, in_block, levels, rows, columns, block,
                 scales + r * (columns / block), x, tokens, y + r);
    }
}
