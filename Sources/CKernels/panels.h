// FP32 and FP16 weights in panels: what the builds share.
#ifndef PANELS_H
#define PANELS_H
#include "targets.h"

DECLARE(void, bp_panels_multiply, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
        size_t y_stride);
DECLARE(void, bp_panels_multiply_add, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
        float *y);
// n halves as floats, where no instruction converts them.
void bp_widen_portable(const uint16_t *halves, size_t n, float *out);
// Several tokens times panels of halves.
void bp_half_panels_tiles_avx2(const uint16_t *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                    size_t y_stride);
void bp_half_panels_tiles_neon(const uint16_t *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                    size_t y_stride);
void bp_half_panels_tiles_avx512(const uint16_t *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                      size_t y_stride);
// One token times a panel of halves. `end` is where all panels end, `is_long` whether they leave the caches.
void bp_half_panel_avx2(const uint16_t *panel, size_t columns, const float *x, float *y);
void bp_half_panel_avx512(const uint16_t *panel, const uint16_t *end, int is_long, size_t columns, const float *x, float *y);
#endif
