// Panels by vector extensions.
#include "../panel_functions.h"

// Tokens of a tile: the sums of each take 4 registers of 4 floats, and x86-64 has 16 of them, 64-bit ARM 32.
#if defined(__x86_64__)
enum { HEIGHT_OF_TILE = 2 };
#else
enum { HEIGHT_OF_TILE = 6 };
#endif

void bp_panels_multiply_portable(const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                 size_t y_stride) {
    panels_multiply(HEIGHT_OF_TILE, 1, 1, 512, panels, rows, columns, x, tokens, y, y_stride);
}

void bp_panels_multiply_add_portable(const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y) {
    panels_multiply_tiles(0, HEIGHT_OF_TILE, 1, 512, panels, rows, columns, x, tokens, y, rows, 1);
}

void bp_widen_portable(const uint16_t *halves, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t sign = (uint32_t)(halves[i] & 0x8000) << 16, magnitude = halves[i] & 0x7fff;
        // The exponent is moved by a product, which takes subnormal halves along; infinity and NaN keep
        // theirs.
        const uint32_t shifted = magnitude << 13;
        float scaled;
        memcpy(&scaled, &shifted, 4);
        scaled *= 0x1p112f;
        uint32_t bits;
        memcpy(&bits, &scaled, 4);
        bits = (magnitude >= 0x7c00 ? shifted | 0x7f800000 : bits) | sign;
        memcpy(out + i, &bits, 4);
    }
}
