// AVX-512: 16 rows a vector, one byte permute over all four tables of 16 a nibble.
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

static void word_tables_avx512(const int16_t *q, uint8_t *table) {
    const __m512i v = _mm512_loadu_si512(q);
    nibble_tables_avx512(v, 0, table);
    nibble_tables_avx512(v, 4, table + 128);
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

// Adds the sums that 16 words choose.
INLINE void look_up_avx512(pair_avx512 *sum, __m512i v, const tables_avx512 *t) {
    const __m512i nibble = _mm512_set1_epi8(15), which = _mm512_set1_epi32(0x30201000), ones = _mm512_set1_epi8(1);
    // (v & 15) | which, in one instruction.
    const __m512i n0 = _mm512_ternarylogic_epi32(v, nibble, which, 0xea);
    const __m512i n1 = _mm512_ternarylogic_epi32(_mm512_srli_epi16(v, 4), nibble, which, 0xea);
    sum->low = _mm512_dpbusd_epi32(sum->low, _mm512_permutexvar_epi8(n0, t->table[0]), ones);
    sum->high = _mm512_dpbusd_epi32(sum->high, ones, _mm512_permutexvar_epi8(n0, t->table[1]));
    sum->low = _mm512_dpbusd_epi32(sum->low, _mm512_permutexvar_epi8(n1, t->table[2]), ones);
    sum->high = _mm512_dpbusd_epi32(sum->high, ones, _mm512_permutexvar_epi8(n1, t->table[3]));
}

// The last, partial word of up to 16 rows.
INLINE __m512i load_tail_avx512(const sign_matrix *m, size_t plane, size_t row, size_t lanes) {
    uint8_t words[64] = {0};
    size_t width;
    const uint8_t *tail = tail_of(m, plane, row, &width);
    for (size_t lane = 0; lane < lanes; lane++) memcpy(words + 4 * lane, tail + lane * width, width);
    return _mm512_loadu_si512(words);
}

// VECTORS x 16 rows of a block whose words lie `stride` bytes apart, `last` masking the last vector's rows.
INLINE void rows_of_avx512(const int VECTORS, const int BITS, const sign_matrix *m, const uint8_t *block,
                           const size_t stride, size_t row, const __mmask16 last, const uint8_t *tables, float *y) {
    const float *scales = (const float *)(tables + m->scales_at);
    const float *alphas = m->alphas + row * m->groups * BITS;
    const size_t whole = (m->columns + 7) / 8 / 4;
    __m512 out[4], sums[8];
#pragma clang loop unroll(full)
    for (int v = 0; v < VECTORS; v++) out[v] = _mm512_setzero_ps();
#pragma clang loop unroll(full)
    for (int i = 0; i < VECTORS * BITS; i++) sums[i] = _mm512_setzero_ps();
    for (size_t s = 0; s < m->count; s++) {
        const bp_segment *segment = m->segments + s;
        const size_t end = segment->first_unit + segment->units, stop = end < whole ? end : whole;
        pair_avx512 pairs[8];
#pragma clang loop unroll(full)
        for (int i = 0; i < VECTORS * BITS; i++) pairs[i].low = pairs[i].high = _mm512_setzero_si512();
        const uint8_t *at = block + segment->first_unit * BITS * stride;
        for (size_t w = segment->first_unit; w < stop; w++, tables += TABLE) {
            const tables_avx512 t = load_tables_avx512(tables);
#pragma clang loop unroll(full)
            for (int p = 0; p < BITS; p++, at += stride) {
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++) {
                    const __mmask16 mask = v == VECTORS - 1 ? last : 0xffff;
                    __builtin_prefetch(at + 64 * v + 2048);
                    look_up_avx512(&pairs[p * VECTORS + v], _mm512_maskz_loadu_epi32(mask, at + 64 * v), &t);
                }
            }
        }
        if (end > whole) {
            const tables_avx512 t = load_tables_avx512(tables);
            tables += TABLE;
#pragma clang loop unroll(full)
            for (int p = 0; p < BITS; p++)
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++) {
                    const size_t lanes = v == VECTORS - 1 ? (size_t)__builtin_popcount(last) : 16;
                    look_up_avx512(&pairs[p * VECTORS + v], load_tail_avx512(m, p, row + 16 * v, lanes), &t);
                }
        }
        const __m512 scale = _mm512_set1_ps(scales[s]);
#pragma clang loop unroll(full)
        for (int i = 0; i < VECTORS * BITS; i++) {
            const __m512i sum = _mm512_add_epi32(pairs[i].low, _mm512_slli_epi32(pairs[i].high, 8));
            const __m512 scaled = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(sum));
            sums[i] = _mm512_add_ps(sums[i], scaled);
        }
        if (s + 1 == m->count || segment[1].group != segment->group) {
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++)
#pragma clang loop unroll(full)
                for (int p = 0; p < BITS; p++) {
                    const float *alpha = alphas + 16 * (v * m->groups * BITS + segment->group * BITS + p);
                    const __m512 term = _mm512_mul_ps(_mm512_loadu_ps(alpha), sums[p * VECTORS + v]);
                    out[v] = _mm512_add_ps(out[v], term);
                    sums[p * VECTORS + v] = _mm512_setzero_ps();
                }
        }
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < VECTORS; v++) _mm512_mask_storeu_ps(y + 16 * v, v == VECTORS - 1 ? last : 0xffff, out[v]);
}

// A whole block: bp_block_rows(bits) rows.
static void block_avx512(const sign_matrix *m, const uint8_t *block, size_t row, const uint8_t *tables, float *y) {
    switch (m->bits) {
    case 1: rows_of_avx512(4, 1, m, block, 256, row, 0xffff, tables, y); break;
    case 2: rows_of_avx512(4, 2, m, block, 256, row, 0xffff, tables, y); break;
    case 3: rows_of_avx512(2, 3, m, block, 128, row, 0xffff, tables, y); break;
    case 4: rows_of_avx512(2, 4, m, block, 128, row, 0xffff, tables, y); break;
    case 5: rows_of_avx512(1, 5, m, block, 64, row, 0xffff, tables, y); break;
    case 6: rows_of_avx512(1, 6, m, block, 64, row, 0xffff, tables, y); break;
    case 7: rows_of_avx512(1, 7, m, block, 64, row, 0xffff, tables, y); break;
    default: rows_of_avx512(1, 8, m, block, 64, row, 0xffff, tables, y); break;
    }
}

static void rows_avx512(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                        const uint8_t *tables, float *y) {
    const __mmask16 last = (__mmask16)((1u << lanes) - 1);
    switch (m->bits) {
    case 1: rows_of_avx512(1, 1, m, block, stride, row, last, tables, y); break;
    case 2: rows_of_avx512(1, 2, m, block, stride, row, last, tables, y); break;
    case 3: rows_of_avx512(1, 3, m, block, stride, row, last, tables, y); break;
    case 4: rows_of_avx512(1, 4, m, block, stride, row, last, tables, y); break;
    case 5: rows_of_avx512(1, 5, m, block, stride, row, last, tables, y); break;
    case 6: rows_of_avx512(1, 6, m, block, stride, row, last, tables, y); break;
    case 7: rows_of_avx512(1, 7, m, block, stride, row, last, tables, y); break;
    default: rows_of_avx512(1, 8, m, block, stride, row, last, tables, y); break;
    }
}
#pragma clang attribute pop
