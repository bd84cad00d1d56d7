// AVX2: 16 rows at a time. A byte shuffle looks up in one table of 16 a lane, so the words are turned first:
// one lane then holds the same byte of 16 rows.
#include "../signs.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

void bp_sign_word_tables_avx2(const int16_t *q, size_t words, uint8_t *tables) {
    for (size_t w = 0; w < words; w++) word_tables(q + 32 * w, tables + TABLE * w);
}


// Sums of 16 bits: low bytes and high bytes of table entries, of rows 0-3 and 8-11 ([0]) and 4-7 and 12-15
// ([1]); the two lanes hold different bytes of the words and are added at the end.
typedef struct {
    __m256i low[2], high[2];
} sums_avx2;

// Adds the entries that one byte of 16 rows chooses, in either lane.
INLINE void look_up_avx2(sums_avx2 *sums, __m256i bytes, const uint8_t *table) {
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi8(1);
    const __m256i n0 = _mm256_and_si256(bytes, nibble);
    const __m256i n1 = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble);
#define ENTRIES(at, n) _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(table + (at))), n)
    const __m256i l0 = ENTRIES(0, n0), h0 = ENTRIES(64, n0), l1 = ENTRIES(128, n1), h1 = ENTRIES(192, n1);
#undef ENTRIES
    const __m256i low0 = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(l0, l1), ones);
    const __m256i low1 = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(l0, l1), ones);
    const __m256i high0 = _mm256_maddubs_epi16(ones, _mm256_unpacklo_epi8(h0, h1));
    const __m256i high1 = _mm256_maddubs_epi16(ones, _mm256_unpackhi_epi8(h0, h1));
    sums->low[0] = _mm256_add_epi16(sums->low[0], low0);
    sums->low[1] = _mm256_add_epi16(sums->low[1], low1);
    sums->high[0] = _mm256_add_epi16(sums->high[0], high0);
    sums->high[1] = _mm256_add_epi16(sums->high[1], high1);
}

// The 8 sums of 32 bits: at most 10 words of 8 entries below 256 fit in 16 bits until here.
INLINE __m256i total_avx2(__m256i low, __m256i high) {
    const __m128i l = _mm_add_epi16(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    const __m128i h = _mm_add_epi16(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    return _mm256_add_epi32(_mm256_cvtepi16_epi32(l), _mm256_slli_epi32(_mm256_cvtepi16_epi32(h), 8));
}

void bp_sign_rows_avx2(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                       const uint8_t *tables, float *y) {
    const float *scales = (const float *)(tables + m->scales_at);
    const float *alphas = m->alphas + row * m->groups * m->bits;
    const size_t whole = (m->columns + 7) / 8 / 4;
    // Bytes 0, 1, 2, 3 of the four words of a lane.
    const __m256i turn = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m256 sums[8][2], out[2];
    for (int p = 0; p < 8; p++) sums[p][0] = sums[p][1] = _mm256_setzero_ps();
    out[0] = out[1] = _mm256_setzero_ps();
    for (size_t s = 0; s < m->count; s++) {
        const bp_segment *segment = m->segments + s;
        for (size_t p = 0; p < m->bits; p++) {
            const __m256i zero = _mm256_setzero_si256();
            sums_avx2 entries = {{zero, zero}, {zero, zero}};
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
                const __m256i a = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)at), turn);
                const __m256i b = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(at + 32)), turn);
                // Lanes: byte 0 and byte 1 of rows 0-3, 8-11, 4-7, 12-15; then bytes 2 and 3.
                const __m256i bytes01 = _mm256_permute4x64_epi64(_mm256_unpacklo_epi32(a, b), 0xd8);
                const __m256i bytes23 = _mm256_permute4x64_epi64(_mm256_unpackhi_epi32(a, b), 0xd8);
                look_up_avx2(&entries, bytes01, table);
                look_up_avx2(&entries, bytes23, table + 32);
            }
            const __m256i t0 = total_avx2(entries.low[0], entries.high[0]);
            const __m256i t1 = total_avx2(entries.low[1], entries.high[1]);
            const __m256i total[2] = {_mm256_permute2x128_si256(t0, t1, 0x20), _mm256_permute2x128_si256(t0, t1, 0x31)};
            for (int half = 0; half < 2; half++) {
                const __m256 scaled = _mm256_mul_ps(_mm256_set1_ps(scales[s]), _mm256_cvtepi32_ps(total[half]));
                sums[p][half] = _mm256_add_ps(sums[p][half], scaled);
            }
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
#endif
