// Levels by plain C.
#include "../levels.h"

DECLARE_LEVELS(portable) {
    const size_t scales_at = units_of(segments, count) * UNIT;
    for (size_t t = 0; t < tokens; t++, activations += size, y += m->rows)
        for (size_t r = 0; r < in_block; r++) {
            const float *scales = m->scales + (row + r) / 16 * 16 * m->groups + (row + r) % 16;
            const int16_t *numbers = (const int16_t *)activations;
            float out = 0;
            for (size_t s = 0; s < count; s++) {
                int32_t sum = 0;
                for (size_t w = 4 * segments[s].first_unit; w < 4 * (segments[s].first_unit + segments[s].units); w++, numbers += 8)
                    for (size_t i = 0; i < 8; i++) {
                        // Bytes hold columns 0 and 1, 2 and 3, and so on.
                        const uint8_t byte = block[4 * (w * in_block + r) + i % 4];
                        sum += m->levels[i < 4 ? byte & 15 : byte >> 4] * numbers[i];
                    }
                out += scales[16 * segments[s].group] * (((const float *)(activations + scales_at))[s] * (float)sum);
            }
            y[r] = out;
        }
}
