// AVX2: a byte shuffle looks up in one table of 16 a lane, so the words of 32 strings (rows of a plane,
// planes one after the other) are turned first: a vector then holds the same byte of all of them.
#include "../sign_sums.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

// In either lane the 8 columns of one byte become the tables of its low nibbles (`first` 0) or of its high
// ones (`first` 4).
INLINE void nibble_tables_avx2(__m256i q, const int first, uint8_t *table) {
    const __m256i zero = _mm256_setzero_si256(), byte = _mm256_set1_epi16(255);
    // Entry n has column i where bit i of n is set and q is positive, or neither.
    __m256i entries = zero, last = zero;
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const int at = 2 * (first + i), period = 1 << i;
        const __m256i v = _mm256_shuffle_epi8(q, _mm256_set1_epi16((short)(at | (at + 1) << 8)));
        entries = _mm256_sub_epi16(entries, _mm256_min_epi16(v, zero));
        if (i == 3) {
            last = v;
        } else {
            int16_t set[16];
            for (int n = 0; n < 16; n++) set[n] = n & period ? -1 : 0;
            entries = _mm256_add_epi16(entries, _mm256_and_si256(v, _mm256_loadu_si256((const __m256i *)set)));
        }
    }
    // Entries 0 to 7 are there, 8 to 15 are those with column 3.
    const __m256i above = _mm256_add_epi16(entries, last);
    const __m256i low = _mm256_packus_epi16(_mm256_and_si256(entries, byte), _mm256_and_si256(above, byte));
    const __m256i high = _mm256_packus_epi16(_mm256_srli_epi16(entries, 8), _mm256_srli_epi16(above, 8));
    _mm256_storeu_si256((__m256i *)table, low);
    _mm256_storeu_si256((__m256i *)(table + 32), high);
}

void bp_sign_word_tables_avx2(const int16_t *q, size_t words, uint8_t *tables) {
    for (size_t w = 0; w < words; w++, q += 32, tables += TABLE)
        for (int pair = 0; pair < 2; pair++) {
            const __m256i columns = _mm256_loadu_si256((const __m256i *)(q + 16 * pair));
            nibble_tables_avx2(columns, 0, tables + 128 * pair);
            nibble_tables_avx2(columns, 4, tables + 128 * pair + 64);
        }
}

// Sums of 16 bits of 32 strings: of low bytes and of high ones, which stay below 128, all bytes as numbers of
// 16 bits, modulo 2^16, and the odd ones alone.
typedef struct {
    __m256i low, low_odd, high, high_odd;
} sums_avx2;

INLINE void clear_avx2(sums_avx2 *sums) {
    sums->low = sums->low_odd = sums->high = sums->high_odd = _mm256_setzero_si256();
}

// Adds what the nibbles of byte `j` of 32 strings choose.
INLINE void look_up_avx2(sums_avx2 *sums, __m256i n0, __m256i n1, const int j, const uint8_t *table) {
    const uint8_t *at = table + 128 * (j / 2) + 16 * (j % 2);
#define TABLE_AT(offset) _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(at + (offset))))
    const __m256i l0 = _mm256_shuffle_epi8(TABLE_AT(0), n0), l1 = _mm256_shuffle_epi8(TABLE_AT(64), n1);
    const __m256i h0 = _mm256_shuffle_epi8(TABLE_AT(32), n0), h1 = _mm256_shuffle_epi8(TABLE_AT(96), n1);
#undef TABLE_AT
    const __m256i h = _mm256_add_epi8(h0, h1);
    sums->low = _mm256_add_epi16(sums->low, l0);
    sums->low_odd = _mm256_add_epi16(sums->low_odd, _mm256_srli_epi16(l0, 8));
    sums->low = _mm256_add_epi16(sums->low, l1);
    sums->low_odd = _mm256_add_epi16(sums->low_odd, _mm256_srli_epi16(l1, 8));
    sums->high = _mm256_add_epi16(sums->high, h);
    sums->high_odd = _mm256_add_epi16(sums->high_odd, _mm256_srli_epi16(h, 8));
    // Sums stay in registers, where a compiler that orders additions anew would spill them.
    __asm__("" : "+x"(sums->low), "+x"(sums->low_odd), "+x"(sums->high), "+x"(sums->high_odd));
}

// The four bytes of 32 words, of rows 0-3, 8-11, 16-19, 24-27 in the low lane and of the others in the high
// one.
INLINE void turn_avx2(const uint8_t *at, __m256i bytes[4]) {
    const __m256i turn = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m256i v[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) v[i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(at + 32 * i)), turn);
    const __m256i a = _mm256_unpacklo_epi32(v[0], v[1]), b = _mm256_unpacklo_epi32(v[2], v[3]);
    const __m256i c = _mm256_unpackhi_epi32(v[0], v[1]), d = _mm256_unpackhi_epi32(v[2], v[3]);
    bytes[0] = _mm256_unpacklo_epi64(a, b);
    bytes[1] = _mm256_unpackhi_epi64(a, b);
    bytes[2] = _mm256_unpacklo_epi64(c, d);
    bytes[3] = _mm256_unpackhi_epi64(c, d);
}

INLINE __m256i low_nibbles_avx2(__m256i bytes) { return _mm256_and_si256(bytes, _mm256_set1_epi8(15)); }
INLINE __m256i high_nibbles_avx2(__m256i bytes) { return low_nibbles_avx2(_mm256_srli_epi16(bytes, 4)); }

// out += scale * (2 sums - magnitude) for the 32 strings.
INLINE void add_sums_avx2(const sums_avx2 *sums, float scale, int32_t magnitude, float *out) {
    const __m256i weights = _mm256_set1_epi32(2 | 512 << 16), less = _mm256_set1_epi32(magnitude);
    const __m256 factor = _mm256_set1_ps(scale);
    const __m256i low = _mm256_sub_epi16(sums->low, _mm256_slli_epi16(sums->low_odd, 8));
    const __m256i high = _mm256_sub_epi16(sums->high, _mm256_slli_epi16(sums->high_odd, 8));
#define TOTALS(unpack, low, high) _mm256_madd_epi16(unpack(low, high), weights)
    const __m256i even0 = TOTALS(_mm256_unpacklo_epi16, low, high), even1 = TOTALS(_mm256_unpackhi_epi16, low, high);
    const __m256i odd0 = TOTALS(_mm256_unpacklo_epi16, sums->low_odd, sums->high_odd);
    const __m256i odd1 = TOTALS(_mm256_unpackhi_epi16, sums->low_odd, sums->high_odd);
#undef TOTALS
    const __m256i rows[4] = {_mm256_unpacklo_epi32(even0, odd0), _mm256_unpackhi_epi32(even0, odd0),
                             _mm256_unpacklo_epi32(even1, odd1), _mm256_unpackhi_epi32(even1, odd1)};
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m256 scaled = _mm256_mul_ps(factor, _mm256_cvtepi32_ps(_mm256_sub_epi32(rows[i], less)));
        _mm256_storeu_ps(out + 8 * i, _mm256_add_ps(_mm256_loadu_ps(out + 8 * i), scaled));
    }
}

INLINE void nibbles_avx2(const sign_matrix *m, sign_words words, uint8_t *nibbles) {
    __m256i *to = (__m256i *)nibbles;
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, to += 8) {
        __m256i bytes[4];
        fetch_ahead(words.at, m->end, m->is_long, 2048);
        fetch_ahead(words.at + 64, m->end, m->is_long, 2048);
        turn_avx2(words.at, bytes);
#pragma clang loop unroll(full)
        for (int j = 0; j < 4; j++) {
            to[2 * j] = low_nibbles_avx2(bytes[j]);
            to[2 * j + 1] = high_nibbles_avx2(bytes[j]);
        }
    }
}

INLINE void add_chunks_avx2(const int CHUNKS, const sign_matrix *m, const uint8_t (*nibbles)[WORD_NIBBLES * SEGMENT_WORDS],
                            size_t words, size_t s, const uint8_t *tables, const uint8_t *prepared, float *out) {
    sums_avx2 sums[2];
#pragma clang loop unroll(full)
    for (int c = 0; c < CHUNKS; c++) clear_avx2(&sums[c]);
    for (size_t w = 0; w < words; w++, tables += TABLE)
#pragma clang loop unroll(full)
        for (int j = 0; j < 4; j++)
#pragma clang loop unroll(full)
            for (int c = 0; c < CHUNKS; c++) {
                const __m256i *at = (const __m256i *)nibbles[c] + 8 * w + 2 * j;
                look_up_avx2(&sums[c], at[0], at[1], j, tables);
            }
#pragma clang loop unroll(full)
    for (int c = 0; c < CHUNKS; c++)
        add_sums_avx2(&sums[c], sign_scale(m, prepared, s), sign_magnitude(m, prepared, s), out + STRINGS * c);
}

void bp_sign_block_avx2(const sign_matrix *m, const uint8_t *block, size_t row, size_t in_block, const uint8_t *tables,
                        size_t size, size_t tokens, float *y) {
    sign_block(nibbles_avx2, add_chunks_avx2, m, block, row, in_block, tables, size, tokens, y);
}

#pragma clang attribute pop
#endif
