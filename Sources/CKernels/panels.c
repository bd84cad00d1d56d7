// FP32 products on weights packed once. No BLAS calls, no threads, no scratch memory.
#include <string.h>
#include "panels.h"

size_t bp_panels_count(size_t rows, size_t columns) { return (rows + BP_PANEL - 1) / BP_PANEL * BP_PANEL * columns; }

void bp_panels_pack(const float *w, size_t rows, size_t columns, float *panels) {
    for (size_t p = 0; p < rows; p += BP_PANEL) {
        float *panel = panels + p * columns;
        const size_t height = rows - p < BP_PANEL ? rows - p : BP_PANEL;
        // Eight columns at a time: one cache line of every row, eight lines of the panel.
        for (size_t c0 = 0; c0 < columns; c0 += 8) {
            const size_t end = c0 + 8 < columns ? c0 + 8 : columns;
            for (size_t r = 0; r < height; r++)
                for (size_t c = c0; c < end; c++) panel[c * BP_PANEL + r] = w[(p + r) * columns + c];
            for (size_t c = c0; c < end; c++)
                for (size_t r = height; r < BP_PANEL; r++) panel[c * BP_PANEL + r] = 0;
        }
    }
}

void bp_panels_pack_transposed(const float *w, size_t rows, size_t columns, float *panels) {
    for (size_t p = 0; p < columns; p += BP_PANEL) {
        float *panel = panels + p * rows;
        const size_t width = columns - p < BP_PANEL ? columns - p : BP_PANEL;
        for (size_t r = 0; r < rows; r++) {
            memcpy(panel + r * BP_PANEL, w + r * columns + p, width * sizeof(float));
            for (size_t c = width; c < BP_PANEL; c++) panel[r * BP_PANEL + c] = 0;
        }
    }
}

void bp_panels_copy_row(const float *panels, size_t columns, size_t row, float *out) {
    const float *from = panels + row / BP_PANEL * BP_PANEL * columns + row % BP_PANEL;
    for (size_t c = 0; c < columns; c++) out[c] = from[c * BP_PANEL];
}

void bp_panels_multiply_into(bp_isa isa, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
                             float *y, size_t y_stride) {
    if (rows && tokens) DISPATCH(isa, bp_panels_multiply, panels, rows, columns, x, tokens, y, y_stride);
}

void bp_panels_multiply(bp_isa isa, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
                        float *y) {
    bp_panels_multiply_into(isa, panels, rows, columns, x, tokens, y, rows);
}

void bp_panels_multiply_add(bp_isa isa, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
                            float *y) {
    if (rows && tokens) DISPATCH(isa, bp_panels_multiply_add, panels, rows, columns, x, tokens, y);
}

void bp_transpose(const float *w, size_t rows, size_t columns, float *out) {
    // Blocks of a cache line either way.
    for (size_t r0 = 0; r0 < rows; r0 += 16)
        for (size_t c0 = 0; c0 < columns; c0 += 16) {
            const size_t r1 = r0 + 16 < rows ? r0 + 16 : rows, c1 = c0 + 16 < columns ? c0 + 16 : columns;
            for (size_t r = r0; r < r1; r++)
                for (size_t c = c0; c < c1; c++) out[c * rows + r] = w[r * columns + c];
        }
}
