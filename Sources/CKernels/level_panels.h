// A batch times 4-bit codes, by panels of levels.
#ifndef LEVEL_PANELS_H
#define LEVEL_PANELS_H
#include "decoded_panels.h"
#include "levels.h"

// Decodes `words` words of 8 columns of a block, `stride` bytes from one to the next, to a panel.
typedef void levels_decode(const uint8_t *codes, size_t stride, size_t in_block, const float *levels, size_t words,
                           float *panel);

INLINE void levels_batch(const int HEIGHT, const int VECTORS, levels_decode decode, const uint8_t *codes, size_t in_block,
                         const float *levels, size_t rows, size_t columns, size_t block, const float *scales,
                         const float *x, size_t tokens, float *y) {
    _Alignas(64) float panel[DECODED_COLUMNS * BP_PANEL], sums[DECODED_TOKENS][BP_PANEL], out[DECODED_TOKENS][BP_PANEL];
    const size_t blocks = columns / block, stride = 4 * in_block;
    for (size_t start = 0; start < tokens; start += DECODED_TOKENS, x += DECODED_TOKENS * columns, y += DECODED_TOKENS * rows) {
        const size_t count = tokens - start < DECODED_TOKENS ? tokens - start : DECODED_TOKENS;
        memset(out, 0, count * sizeof *out);
        for (size_t b = 0; b < blocks; b++) {
            for (size_t c = 0; c < block; c += DECODED_COLUMNS) {
                const size_t width = block - c < DECODED_COLUMNS ? block - c : DECODED_COLUMNS, column = b * block + c;
                decode(codes + column / 8 * stride, stride, in_block, levels, width / 8, panel);
                multiply_decoded(HEIGHT, VECTORS, panel, width, in_block, x + column, columns, count, sums, c == 0);
            }
            for (size_t t = 0; t < count; t++)
                for (size_t i = 0; i < in_block; i += 16)
                    *(v16 *)(out[t] + i) += *(const v16 *)(scales + i * blocks + 16 * b) * *(const v16 *)(sums[t] + i);
        }
        for (size_t t = 0; t < count; t++) memcpy(y + t * rows, out[t], in_block * sizeof(float));
    }
}
#endif
