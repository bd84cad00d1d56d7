// Integer codes by plain C.
#include "../codes.h"
#pragma STDC FP_CONTRACT OFF

void bp_code_rows_portable(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block,
                           size_t stride, size_t row, size_t lanes, const uint8_t *activations, float *y) {
    const float *act_scales = (const float *)(activations + units_of(segments, count) * UNIT);
    const int32_t *act_sums = (const int32_t *)(act_scales + count);
    const float *scales = m->scales + row * m->groups, *offsets = m->offsets ? m->offsets + row * m->groups : 0;
    const uint32_t mask = (1u << m->bits) - 1, flip = m->is_signed ? 128 : 0;
    const int32_t middle = 1 << (m->bits - 1);
    float out[16] = {0};
    for (size_t s = 0; s < count; s++) {
        int32_t sums[16] = {0};
        for (size_t u = 0; u < segments[s].units; u++, activations += UNIT) {
            int16_t q[32];
            memcpy(q, activations, UNIT);
            uint32_t words[9][16];
            for (size_t w = 0; w <= m->bits; w++)
                load_words(m, block, stride, row, lanes, (segments[s].first_unit + u) * m->bits + w, words[w]);
            for (size_t i = 0; i < 32; i++) {
                const size_t at = i * m->bits, w = at / 32, shift = at % 32;
                for (size_t lane = 0; lane < 16; lane++) {
                    const uint64_t pair = words[w][lane] | (uint64_t)words[w + 1][lane] << 32;
                    sums[lane] += (int32_t)(((uint32_t)(pair >> shift) & mask) ^ flip) * q[i];
                }
            }
        }
        for (size_t lane = 0; lane < 16; lane++) {
            const float sum = act_scales[s] * (float)(sums[lane] - middle * act_sums[s]);
            out[lane] += scales[16 * segments[s].group + lane] * sum;
            if (offsets) out[lane] += offsets[16 * segments[s].group + lane] * (act_scales[s] * (float)act_sums[s]);
        }
    }
    memcpy(y, out, lanes * sizeof(float));
}
