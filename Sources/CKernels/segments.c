// What all products of codes share: segments of columns, numbers in lanes.
#include "ckernels.h"

size_t bp_segments(size_t columns, size_t group, bp_segment *out) {
    size_t count = 0;
    if (!group || group > columns) group = columns;
    for (size_t start = 0, g = 0; start < columns; start += group, g++) {
        const size_t end = start + group < columns ? start + group : columns;
        for (size_t c = start; c < end; count++) {
            // Cuts lie on whole units, so that the next segment needs no unit twice.
            size_t next = (c / 32 * 32) + BP_SEGMENT;
            if (next > end) next = end;
            if (out)
                out[count] = (bp_segment){
                    .first_column = (uint32_t)c,
                    .columns = (uint32_t)(next - c),
                    .first_unit = (uint32_t)(c / 32),
                    .units = (uint32_t)((next + 31) / 32 - c / 32),
                    .group = (uint32_t)g,
                };
            c = next;
        }
    }
    return count;
}

void bp_lanes(const float *from, size_t rows, size_t width, float *out) {
    for (size_t r = 0; r < rows; r += 16)
        for (size_t i = 0; i < width; i++, out += 16)
            for (size_t lane = 0; lane < 16; lane++) out[lane] = r + lane < rows ? from[(r + lane) * width + i] : 0;
}
