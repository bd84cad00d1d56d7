// NEON: the code in plain C is enough for FP32; FP16 is converted on the way to the registers.
#include "../panel_functions.h"

#if defined(__aarch64__)
void bp_half_panels_tiles_neon(const uint16_t *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                    size_t y_stride) {
    panels_multiply_tiles(1, 6, 1, 512, panels, rows, columns, x, tokens, y, y_stride, 0);
}
#endif
