// FP16 weights in panels: half the bytes to read, and the sums of FP32. Halves convert exactly, and a row's
// sum runs through the columns in order, so the results are those of the FP32 product on the converted
// weights, bit for bit.
#include <string.h>
#include "panels.h"

void bp_half_panels_pack(const uint16_t *w, size_t rows, size_t columns, uint16_t *panels) {
    for (size_t p = 0; p < rows; p += BP_PANEL)
        for (size_t c = 0; c < columns; c++)
            for (size_t r = p; r < p + BP_PANEL; r++)
                panels[p * columns + c * BP_PANEL + (r - p)] = r < rows ? w[r * columns + c] : 0;
}

void bp_half_panels_multiply(bp_isa isa, const uint16_t *panels, size_t rows, size_t columns, const float *x,
                             size_t tokens, float *y, float *scratch) {
    const uint16_t *end = panels + (rows + BP_PANEL - 1) / BP_PANEL * BP_PANEL * columns;
    const int is_long = (size_t)(end - panels) * sizeof *panels >= LONG_STREAM;
    if (HAS_NEON(isa)) return bp_half_panels_tiles_neon(panels, rows, columns, x, tokens, y);
    if (HAS_AVX2(isa) && tokens > 1) {
        if (HAS_AVX512(isa)) bp_half_panels_tiles_avx512(panels, rows, columns, x, tokens, y);
        else bp_half_panels_tiles_avx2(panels, rows, columns, x, tokens, y);
        return;
    }
    for (size_t r = 0; r < rows; r += BP_PANEL) {
        const uint16_t *panel = panels + r * columns;
        const size_t height = rows - r < BP_PANEL ? rows - r : BP_PANEL;
        if (HAS_AVX2(isa)) {
            float sums[BP_PANEL];
            if (HAS_AVX512(isa)) bp_half_panel_avx512(panel, end, is_long, columns, x, sums);
            else bp_half_panel_avx2(panel, columns, x, sums);
            memcpy(y + r, sums, height * sizeof(float));
            continue;
        }
        bp_widen_portable(panel, BP_PANEL * columns, scratch);
        bp_panels_multiply_into(isa, scratch, height, columns, x, tokens, y + r, rows);
    }
}
