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
                             size_t tokens, bp_part part, float *y, float *scratch) {
    const uint16_t *end = panels + (rows + BP_PANEL - 1) / BP_PANEL * BP_PANEL * columns;
    const int is_long = (size_t)(end - panels) * sizeof *panels >= LONG_STREAM;
    const uint16_t *of_part = panels + part.first * columns;
    const size_t count = part.end - part.first;
    if (HAS_NEON(isa)) return bp_half_panels_tiles_neon(of_part, count, columns, x, tokens, y + part.first, rows);
    if (HAS_AVX2(isa) && tokens > 1) {
        if (HAS_AVX512(isa)) bp_half_panels_tiles_avx512(of_part, count, columns, x, tokens, y + part.first, rows);
        else bp_half_panels_tiles_avx2(of_part, count, columns, x, tokens, y + part.first, rows);
        return;
    }
    for (size_t r = part.first; r < part.end; r += BP_PANEL) {
        const uint16_t *panel = panels + r * columns;
        const size_t height = part.end - r < BP_PANEL ? part.end - r : BP_PANEL;
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
