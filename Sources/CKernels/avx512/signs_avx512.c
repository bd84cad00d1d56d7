// AVX-512: 16 rows a vector, one byte permute over all four tables of 16 a nibble.
#include "../signs.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

// Each 128-bit lane holds the 8 columns of one byte of the word, and becomes that byte's tables.
INLINE void nibble_tables_avx512(__m512i q, const int first, uint8_t *table) {
    __m512i v[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const int at = 2 * (first + i);
        v[i] = _mm512_shuffle_epi8(q, _mm512_set1_epi16((short)(at | (at + 1) << 8)));
    }
    const __m512i zero = _mm512_setzero_si512(), byte = _mm512_set1_epi16(255);
    // Entry n has column i with the sign of bit i; entries 0 to 7 here, 8 to 15 with column 3 turned.
    const __m512i a = _mm512_mask_sub_epi16(v[0], 0x55555555, zero, v[0]);
    const __m512i b = _mm512_mask_sub_epi16(v[1], 0x33333333, zero, v[1]);
    const __m512i c = _mm512_mask_sub_epi16(v[2], 0x0f0f0f0f, zero, v[2]);
    const __m512i three = _mm512_add_epi16(_mm512_add_epi16(a, b), c);
    const __m512i below = _mm512_sub_epi16(three, v[3]), above = _mm512_add_epi16(three, v[3]);
    _mm512_storeu_si512(table, _mm512_packus_epi16(_mm512_and_si512(below, byte), _mm512_and_si512(above, byte)));
    _mm512_storeu_si512(table + 64, _mm512_packus_epi16(_mm512_srli_epi16(below, 8), _mm512_srli_epi16(above, 8)));
}

void bp_sign_word_tables_avx512(const int16_t *q, size_t words, uint8_t *tables) {
    for (size_t w = 0; w < words; w++, q += 32, tables += TABLE) {
        const __m512i v = _mm512_loadu_si512(q);
        nibble_tables_avx512(v, 0, tables);
        nibble_tables_avx512(v, 4, tables + 128);
    }
}

typedef struct {
    __m512i low, high;
} pair_avx512;

typedef struct {
    __m512i table[4];
} tables_avx512;

INLINE tables_avx512 load_tables_avx512(const uint8_t *table) {
    return (tables_avx512){{_mm512_load_si512(table), _mm512_load_si512(table + 64), _mm512_load_si512(table + 128),
                            _mm512_load_si512(table + 192)}};
}

// Where 16 words look: (nibble | which of the four tables), for the low and the high nibbles.
typedef struct {
    __m512i low, high;
} places_avx512;

INLINE places_avx512 places_of_avx512(__m512i v) {
    const __m512i nibble = _mm512_set1_epi8(15), which = _mm512_set1_epi32(0x30201000);
    // (v & 15) | which, in one instruction.
    return (places_avx512){_mm512_ternarylogic_epi32(v, nibble, which, 0xea),
                           _mm512_ternarylogic_epi32(_mm512_srli_epi16(v, 4), nibble, which, 0xea)};
}

// Adds the sums that 16 words choose.
INLINE void look_up_avx512(pair_avx512 *sum, places_avx512 at, const tables_avx512 *t) {
    const __m512i ones = _mm512_set1_epi8(1);
    sum->low = _mm512_dpbusd_epi32(sum->low, _mm512_permutexvar_epi8(at.low, t->table[0]), ones);
    sum->high = _mm512_dpbusd_epi32(sum->high, ones, _mm512_permutexvar_epi8(at.low, t->table[1]));
    sum->low = _mm512_dpbusd_epi32(sum->low, _mm512_permutexvar_epi8(at.high, t->table[2]), ones);
    sum->high = _mm512_dpbusd_epi32(sum->high, ones, _mm512_permutexvar_epi8(at.high, t->table[3]));
}

INLINE __m512i load_tail_avx512(const sign_matrix *m, size_t plane, size_t row, size_t lanes) {
    uint8_t words[64];
    load_tails(m, plane, row, lanes, words);
    return _mm512_loadu_si512(words);
}

#define UNROLL _Pragma("clang loop unroll(full)")

// VECTORS x 16 rows of a block whose words lie `stride` bytes apart, `last` masking the last vector's rows,
// times TOKENS tokens whose tables lie `size` bytes apart.
INLINE void rows_of_avx512(const int VECTORS, const int BITS, const int TOKENS, const int LONG, const sign_matrix *m,
                           const uint8_t *block, const size_t stride, size_t row, const __mmask16 last,
                           const uint8_t *tables, size_t size, float *y) {
    const float *alphas = m->alphas + row * m->groups * BITS;
    const size_t whole = (m->columns + 7) / 8 / 4;
    const uint8_t *table = tables;
    __m512 out[2][4], sums[2][8];
    UNROLL for (int t = 0; t < TOKENS; t++) {
        UNROLL for (int v = 0; v < VECTORS; v++) out[t][v] = _mm512_setzero_ps();
        UNROLL for (int i = 0; i < VECTORS * BITS; i++) sums[t][i] = _mm512_setzero_ps();
    }
    for (size_t s = 0; s < m->count; s++) {
        const bp_segment *segment = m->segments + s;
        const size_t end = segment->first_unit + segment->units, stop = end < whole ? end : whole;
        pair_avx512 pairs[2][8];
        UNROLL for (int t = 0; t < TOKENS; t++)
            UNROLL for (int i = 0; i < VECTORS * BITS; i++) pairs[t][i].low = pairs[t][i].high = _mm512_setzero_si512();
        const uint8_t *at = block + segment->first_unit * BITS * stride;
        for (size_t w = segment->first_unit; w < stop; w++, table += TABLE) {
            tables_avx512 found[2];
            UNROLL for (int t = 0; t < TOKENS; t++) found[t] = load_tables_avx512(table + t * size);
            UNROLL for (int p = 0; p < BITS; p++, at += stride) {
                UNROLL for (int v = 0; v < VECTORS; v++) {
                    const __mmask16 mask = v == VECTORS - 1 ? last : 0xffff;
                    if (TOKENS == 1) fetch_ahead(at + 64 * v, m->end, LONG, 2048);
                    const places_avx512 places = places_of_avx512(_mm512_maskz_loadu_epi32(mask, at + 64 * v));
                    UNROLL for (int t = 0; t < TOKENS; t++) look_up_avx512(&pairs[t][p * VECTORS + v], places, &found[t]);
                }
            }
        }
        if (end > whole) {
            tables_avx512 found[2];
            UNROLL for (int t = 0; t < TOKENS; t++) found[t] = load_tables_avx512(table + t * size);
            table += TABLE;
            UNROLL for (int p = 0; p < BITS; p++)
                UNROLL for (int v = 0; v < VECTORS; v++) {
                    const size_t lanes = v == VECTORS - 1 ? (size_t)__builtin_popcount(last) : 16;
                    const places_avx512 places = places_of_avx512(load_tail_avx512(m, p, row + 16 * v, lanes));
                    UNROLL for (int t = 0; t < TOKENS; t++) look_up_avx512(&pairs[t][p * VECTORS + v], places, &found[t]);
                }
        }
        UNROLL for (int t = 0; t < TOKENS; t++) {
            const float *scales = (const float *)(tables + t * size + m->scales_at);
            const __m512 scale = _mm512_set1_ps(scales[s]);
            UNROLL for (int i = 0; i < VECTORS * BITS; i++) {
                const __m512i sum = _mm512_add_epi32(pairs[t][i].low, _mm512_slli_epi32(pairs[t][i].high, 8));
                const __m512 scaled = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(sum));
                sums[t][i] = _mm512_add_ps(sums[t][i], scaled);
            }
        }
        if (s + 1 == m->count || segment[1].group != segment->group) {
            UNROLL for (int v = 0; v < VECTORS; v++)
                UNROLL for (int p = 0; p < BITS; p++) {
                    const float *alpha = alphas + 16 * (v * m->groups * BITS + segment->group * BITS + p);
                    UNROLL for (int t = 0; t < TOKENS; t++) {
                        const __m512 term = _mm512_mul_ps(_mm512_loadu_ps(alpha), sums[t][p * VECTORS + v]);
                        out[t][v] = _mm512_add_ps(out[t][v], term);
                        sums[t][p * VECTORS + v] = _mm512_setzero_ps();
                    }
                }
        }
    }
    UNROLL for (int t = 0; t < TOKENS; t++)
        UNROLL for (int v = 0; v < VECTORS; v++)
            _mm512_mask_storeu_ps(y + t * m->rows + 16 * v, v == VECTORS - 1 ? last : 0xffff, out[t][v]);
}

// A whole block, bp_block_rows(bits) rows, times one token: one stream of signs.
INLINE void block_of_avx512(const int LONG, const sign_matrix *m, const uint8_t *block, size_t row, const uint8_t *tables, float *y) {
#define CASE(bits, vectors) \
    case bits: rows_of_avx512(vectors, bits, 1, LONG, m, block, 64 * vectors, row, 0xffff, tables, 0, y); break;
    switch (m->bits) { CASE(1, 4) CASE(2, 4) CASE(3, 2) CASE(4, 2) CASE(5, 1) CASE(6, 1) CASE(7, 1) CASE(8, 1) }
#undef CASE
}

void bp_sign_block_avx512(const sign_matrix *m, const uint8_t *block, size_t row, const uint8_t *tables, float *y) {
    if (m->is_long) block_of_avx512(1, m, block, row, tables, y);
    else block_of_avx512(0, m, block, row, tables, y);
}

// A whole block times two tokens, which look in the same places: as many rows at a time as registers hold
// sums for.
void bp_sign_pair_of_tokens_avx512(const sign_matrix *m, const uint8_t *block, size_t row, const uint8_t *tables,
                                   size_t size, float *y) {
#define CASE(bits, vectors, together)                                                                          \
    case bits:                                                                                                 \
        for (size_t v = 0; v < vectors; v += together)                                                         \
            rows_of_avx512(together, bits, 2, 0, m, block + 64 * v, 64 * vectors, row + 16 * v, 0xffff, tables, size, \
                           y + 16 * v);                                                                        \
        break;
    switch (m->bits) { CASE(1, 4, 4) CASE(2, 4, 2) CASE(3, 2, 1) CASE(4, 2, 1) CASE(5, 1, 1) CASE(6, 1, 1) }
#undef CASE
}

void bp_sign_rows_avx512(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                         const uint8_t *tables, float *y) {
    const __mmask16 last = (__mmask16)((1u << lanes) - 1);
#define CASE(bits) \
    case bits: rows_of_avx512(1, bits, 1, 0, m, block, stride, row, last, tables, 0, y); break;
    switch (m->bits) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) }
#undef CASE
}

#pragma clang attribute pop
#endif
