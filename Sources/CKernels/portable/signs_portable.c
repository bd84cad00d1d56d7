// Sign planes by plain C.
#include "../signs.h"
#pragma STDC FP_CONTRACT OFF

void bp_sign_word_tables_portable(const int16_t *q, size_t words, uint8_t *tables) {
    for (size_t w = 0; w < words; w++) word_tables(q + 32 * w, tables + TABLE * w);
}

void bp_sign_rows_portable(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                           const uint8_t *tables, float *y) {
    const float *scales = (const float *)(tables + m->scales_at);
    const float *alphas = m->alphas + row * m->groups * m->bits;
    const size_t whole = (m->columns + 7) / 8 / 4;
    float sums[8][16] = {{0}}, out[16] = {0};
    for (size_t s = 0; s < m->count; s++) {
        const bp_segment *segment = m->segments + s;
        for (size_t p = 0; p < m->bits; p++) {
            for (size_t lane = 0; lane < lanes; lane++) {
                int32_t sum = 0;
                const uint8_t *table = tables;
                for (size_t w = segment->first_unit; w < segment->first_unit + segment->units; w++, table += TABLE) {
                    uint8_t word[4] = {0};
                    if (w < whole) {
                        memcpy(word, block + (w * m->bits + p) * stride + 4 * lane, 4);
                    } else {
                        size_t width;
                        const uint8_t *tail = tail_of(m, p, row + lane, &width);
                        memcpy(word, tail, width);
                    }
                    for (int j = 0; j < 4; j++) {
                        const int low = 16 * j + (word[j] & 15), high = 128 + 16 * j + (word[j] >> 4);
                        sum += table[low] + 256 * (int8_t)table[low + 64] + table[high] + 256 * (int8_t)table[high + 64];
                    }
                }
                sums[p][lane] += scales[s] * (float)sum;
            }
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
