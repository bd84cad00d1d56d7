// AVX2: 8 rows a vector. A byte shuffle knows one table of 16, so each of a word's 4 bytes is looked up on its own, the
// other three masked off.
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

static void word_tables_avx2(const int16_t *q, uint8_t *table) { word_tables_portable(q, table); }

// Low or high bytes of the sums that the nibbles in `n` (one a byte) choose, byte by byte.
INLINE __m256i look_up_avx2(const uint8_t *table, __m256i n, const __m256i *others) {
    __m256i found = _mm256_setzero_si256();
    for (int j = 0; j < 4; j++) {
        const __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + 16 * j)));
        found = _mm256_or_si256(found, _mm256_shuffle_epi8(t, _mm256_or_si256(n, others[j])));
    }
    return found;
}

static void rows_avx2(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                      const uint8_t *tables, float *y) {
    const float *scales = (const float *)(tables + tables_of(m->segments, m->count));
    const float *alphas = m->alphas + row * m->groups * m->bits;
    const size_t whole = (m->columns + 7) / 8 / 4;
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi8(1), wide_ones = _mm256_set1_epi16(1);
    __m256i others[4];
    for (int j = 0; j < 4; j++) others[j] = _mm256_set1_epi32((int)(0x80808080u & ~(0x80u << (8 * j))));
    const __m256i lane_index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256 sums[8][2], out[2];
    for (int p = 0; p < 8; p++) sums[p][0] = sums[p][1] = _mm256_setzero_ps();
    out[0] = out[1] = _mm256_setzero_ps();
    for (size_t s = 0; s < m->count; s++) {
        const bp_segment *segment = m->segments + s;
        for (size_t p = 0; p < m->bits; p++)
            for (int half = 0; half < 2; half++) {
                const int here = (int)lanes - 8 * half;
                if (here <= 0) continue;
                const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(here), lane_index);
                __m256i low = _mm256_setzero_si256(), high = low;
                const uint8_t *table = tables;
                for (size_t w = segment->first_unit; w < segment->first_unit + segment->units; w++, table += TABLE) {
                    __m256i v;
                    if (w < whole) {
                        const uint8_t *at = block + (w * m->bits + p) * stride + 32 * half;
                        v = here >= 8 ? _mm256_loadu_si256((const __m256i *)at) : _mm256_maskload_epi32((const int *)at, mask);
                    } else {
                        uint8_t edge[32] = {0};
                        for (int lane = 0; lane < (here < 8 ? here : 8); lane++) {
                            size_t width;
                            const uint8_t *tail = tail_of(m, p, row + 8 * half + lane, &width);
                            memcpy(edge + 4 * lane, tail, width);
                        }
                        v = _mm256_loadu_si256((const __m256i *)edge);
                    }
                    const __m256i n0 = _mm256_and_si256(v, nibble);
                    const __m256i n1 = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
                    const __m256i l = _mm256_add_epi16(_mm256_maddubs_epi16(look_up_avx2(table, n0, others), ones),
                                                       _mm256_maddubs_epi16(look_up_avx2(table + 128, n1, others), ones));
                    const __m256i h = _mm256_add_epi16(_mm256_maddubs_epi16(ones, look_up_avx2(table + 64, n0, others)),
                                                       _mm256_maddubs_epi16(ones, look_up_avx2(table + 192, n1, others)));
                    low = _mm256_add_epi32(low, _mm256_madd_epi16(l, wide_ones));
                    high = _mm256_add_epi32(high, _mm256_madd_epi16(h, wide_ones));
                }
                const __m256 sum = _mm256_cvtepi32_ps(_mm256_add_epi32(low, _mm256_slli_epi32(high, 8)));
                const __m256 scaled = _mm256_mul_ps(_mm256_set1_ps(scales[s]), sum);
                sums[p][half] = _mm256_add_ps(sums[p][half], scaled);
            }
        tables += TABLE * segment->units;
        if (s + 1 == m->count || segment[1].group != segment->group)
            for (size_t p = 0; p < m->bits; p++)
                for (int half = 0; half < 2; half++) {
                    const float *alpha = alphas + (segment->group * m->bits + p) * 16 + 8 * half;
                    const __m256 term = _mm256_mul_ps(_mm256_loadu_ps(alpha), sums[p][half]);
                    out[half] = _mm256_add_ps(out[half], term);
                    sums[p][half] = _mm256_setzero_ps();
                }
    }
    float all[16];
    _mm256_storeu_ps(all, out[0]);
    _mm256_storeu_ps(all + 8, out[1]);
    memcpy(y, all, lanes * sizeof(float));
}
#pragma clang attribute pop
