// NEON: 16 rows at a time, one byte of each by a load that takes words apart, one table of 16 a look-up.
#include "../signs.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__aarch64__)
#include <arm_neon.h>

void bp_sign_rows_neon(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                       const uint8_t *tables, float *y) {
    const float *scales = (const float *)(tables + m->scales_at);
    const float *alphas = m->alphas + row * m->groups * m->bits;
    const size_t whole = (m->columns + 7) / 8 / 4;
    const uint8x16_t nibble = vdupq_n_u8(15);
    float sums[8][16] = {{0}}, out[16] = {0};
    for (size_t s = 0; s < m->count; s++) {
        const bp_segment *segment = m->segments + s;
        for (size_t p = 0; p < m->bits; p++) {
            // At most 10 words of 8 entries fit in 16 bits.
            uint16x8_t low[2] = {vdupq_n_u16(0), vdupq_n_u16(0)};
            int16x8_t high[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
            const uint8_t *table = tables;
            for (size_t w = segment->first_unit; w < segment->first_unit + segment->units; w++, table += TABLE) {
                const uint8_t *at = block + (w * m->bits + p) * stride;
                uint8_t edge[64];
                if (w >= whole || lanes < 16) {
                    if (w < whole) {
                        memset(edge, 0, sizeof edge);
                        memcpy(edge, at, 4 * lanes);
                    } else {
                        load_tails(m, p, row, lanes, edge);
                    }
                    at = edge;
                }
                const uint8x16x4_t bytes = vld4q_u8(at);
                for (int j = 0; j < 4; j++) {
                    const uint8x16_t n[2] = {vandq_u8(bytes.val[j], nibble), vshrq_n_u8(bytes.val[j], 4)};
                    for (int half = 0; half < 2; half++) {
                        const uint8_t *entries = table + 128 * half + 16 * j;
                        const uint8x16_t l = vqtbl1q_u8(vld1q_u8(entries), n[half]);
                        const int8x16_t h = vreinterpretq_s8_u8(vqtbl1q_u8(vld1q_u8(entries + 64), n[half]));
                        low[0] = vaddw_u8(low[0], vget_low_u8(l));
                        low[1] = vaddw_u8(low[1], vget_high_u8(l));
                        high[0] = vaddw_s8(high[0], vget_low_s8(h));
                        high[1] = vaddw_s8(high[1], vget_high_s8(h));
                    }
                }
            }
            uint16_t lows[16];
            int16_t highs[16];
            for (int half = 0; half < 2; half++) {
                vst1q_u16(lows + 8 * half, low[half]);
                vst1q_s16(highs + 8 * half, high[half]);
            }
            for (size_t lane = 0; lane < 16; lane++)
                sums[p][lane] += scales[s] * (float)((int32_t)lows[lane] + 256 * (int32_t)highs[lane]);
        }
        tables += TABLE * segment->units;
        if (s + 1 == m->count || segment[1].group != segment->group) {
            for (size_t p = 0; p < m->bits; p++)
                for (size_t lane = 0; lane < 16; lane++) {
                    out[lane] += alphas[(segment->group * m->bits + p) * 16 + lane] * sums[p][lane];
                    sums[p][lane] = 0;
                }
        }
    }
    memcpy(y, out, lanes * sizeof(float));
}
#endif
