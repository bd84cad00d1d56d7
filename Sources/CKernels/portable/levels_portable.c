// Levels by vector extensions.
#include "../levels.h"
#pragma STDC FP_CONTRACT ON

static void levels_rows_portable(const uint8_t *block_at, size_t stride, size_t lanes, const float *levels, size_t columns,
                                 size_t block, const float *scales, const float *x, float *y) {
    float out[16] = {0};
    for (size_t b = 0; b < columns / block; b++) {
        float sums[16] = {0};
        for (size_t w = b * block / 8; w < (b + 1) * block / 8; w++) {
            uint32_t words[16];
            load_lanes(words, block_at + w * stride, lanes);
            for (size_t i = 0; i < 8; i++)
                for (size_t lane = 0; lane < 16; lane++) sums[lane] += levels[words[lane] >> (4 * i) & 15] * x[8 * w + i];
        }
        for (size_t lane = 0; lane < 16; lane++) out[lane] += scales[16 * b + lane] * sums[lane];
    }
    memcpy(y, out, lanes * sizeof(float));
}

void bp_levels_block_portable(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                              size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in_block; i += 16)
            levels_rows_portable(codes + 4 * i, 4 * in_block, in_block - i < 16 ? in_block - i : 16, levels, columns, block,
                                 scales + i * (columns / block), x + t * columns, y + t * rows + i);
}
