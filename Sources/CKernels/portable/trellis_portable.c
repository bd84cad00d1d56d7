// Trellis codes by plain C.
#include "../trellis.h"

INLINE void decode(const int PAIR, const int phase, const bp_trellis *m, const trellis_group *group, size_t first,
                   size_t width, void *panel) {
    uint8_t edge[MOST_LINES * 64], levels[256];
    for (int window = 0; window < 256; window++) levels[window] = m->high[window >> 4] + m->low[window & 15];
    for (size_t c = 0; c < width; c += 64) {
        const trellis_block block = block_at(PAIR, 64, group, m->columns, first + c, edge);
        for (int r = 0; r < GROUP; r++) {
            const int end = END(PAIR, phase, r) - 8, line = (end - 1) / 8, shift = 8 * (line + 1) - end;
            const uint8_t *last = block.at + line * block.stride, *before = line ? last - block.stride : block.before;
            int16_t *weights = (int16_t *)panel + r * RUN + c;
            uint8_t windows[64];
            for (int i = 0; i < 64; i++) windows[i] = (uint8_t)(before[i] << (8 - shift) | last[i] >> shift);
            // Even columns of each 32, then odd ones, as activations lie.
            for (int half = 0; half < 64; half += 32)
                for (int i = 0; i < 16; i++) {
                    weights[half + i] = levels[windows[half + 2 * i]];
                    weights[half + 16 + i] = levels[windows[half + 2 * i + 1]];
                }
        }
    }
}

INLINE void sums_of(const bp_trellis *m, const void *panel, const uint8_t *x, size_t width, int32_t sums[GROUP]) {
    (void)m;
    for (int r = 0; r < GROUP; r++) {
        const int16_t *w = (const int16_t *)panel + r * RUN, *numbers = (const int16_t *)x;
        sums[r] = 0;
        for (size_t c = 0; c < width; c++) sums[r] += w[c] * numbers[c];
    }
}

void bp_trellis_batch_portable(const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y) {
#define BATCH_OF(pair) trellis_batch(pair, m, prepared, tokens, part, y, 2, decode, sums_of)
    FOR_PAIR_BITS(m->pair_bits, BATCH_OF)
}
