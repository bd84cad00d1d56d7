// 4-bit codes into a table of 16 levels (NF4) times activations of 13 to 16 bits. Levels are integers of 12
// bits, and sums within a segment are exact; segments are added in one order: all builds agree bit for bit.
#include "activations.h"
#include "levels.h"

void bp_level_activations(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments,
                          size_t count, uint8_t *out) {
    const size_t size = bp_code_activations_size(segments, count), scales_at = units_of(segments, count) * UNIT;
    int16_t q[BP_SEGMENT];
    for (size_t t = 0; t < tokens; t++, x += columns, out += size) {
        float *scales = (float *)(out + scales_at);
        int16_t *numbers = (int16_t *)out;
        for (size_t s = 0; s < count; s++) {
            const size_t n = segments[s].columns;
            // So many bits that a row's sum fits 32.
            const int32_t most = INT32_MAX / (BP_LARGEST_LEVEL * (int32_t)n), limit = most < 32639 ? most : 32639;
            scales[s] = bp_quantize(isa, x + segments[s].first_column, n, limit, q) / BP_LARGEST_LEVEL;
            for (size_t c = 0; c < n; c += 8)
                for (size_t i = 0; i < 8; i++) *numbers++ = q[c + 2 * (i % 4) + i / 4];
        }
    }
}

void bp_levels_multiply(bp_isa isa, const bp_levels *m, const bp_segment *segments, size_t count,
                        const uint8_t *activations, size_t tokens, bp_part part, float *y) {
    const size_t height = bp_block_rows(1), size = bp_code_activations_size(segments, count);
    for (size_t r = part.first; r < part.end; r += height) {
        const size_t in_block = part.end - r < height ? part.end - r : height;
        const uint8_t *block = m->codes + m->columns / 2 * r;
        if (HAS_NEON(isa)) bp_levels_block_neon(m, segments, count, block, r, in_block, activations, size, tokens, y + r);
        else DISPATCH(isa, bp_levels_block, m, segments, count, block, r, in_block, activations, size, tokens, y + r);
    }
}
