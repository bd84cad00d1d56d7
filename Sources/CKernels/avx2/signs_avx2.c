// AVX2: a byte shuffle looks up in one table of 16 a lane, the same byte of 32 strings at a time.
#include "../sign_sums.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

// In either lane the 8 columns of one byte become the tables of its low nibbles (`first` 0) or of its high
// ones (`first` 4).
INLINE void nibble_tables_avx2(__m256i q, const int first, uint8_t *table) {
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi16(63);
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
    const __m256i low = _mm256_packus_epi16(_mm256_and_si256(entries, half), _mm256_and_si256(above, half));
    const __m256i high = _mm256_packus_epi16(_mm256_srli_epi16(entries, 6), _mm256_srli_epi16(above, 6));
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

// Sums of 16 bits of 32 strings, of low halves and of high ones: all bytes as numbers of 16 bits, modulo
// 2^16, and the odd ones alone.
typedef struct {
    __m256i low, low_odd, high, high_odd;
} sums_avx2;

INLINE void clear_avx2(sums_avx2 *sums) {
    sums->low = sums->low_odd = sums->high = sums->high_odd = _mm256_setzero_si256();
}

// Nibble `n` of 32 strings' two bytes: the low ones of the first byte, its high ones, those of the second.
INLINE __m256i nibble_avx2(const int IS_SPLIT, const uint8_t *at, const int n) {
    const __m256i *vectors = (const __m256i *)at, low = _mm256_set1_epi8(15);
    if (IS_SPLIT) return _mm256_load_si256(vectors + n);
    const __m256i bytes = _mm256_loadu_si256(vectors + n / 2);
    return _mm256_and_si256(n % 2 ? _mm256_srli_epi16(bytes, 4) : bytes, low);
}

// Adds what two bytes of CHUNKS x 32 strings choose.
INLINE void look_up_avx2(const int CHUNKS, const int IS_SPLIT, sums_avx2 sums[2], const uint8_t *at[2], const uint8_t *table) {
    __m256i low[2], high[2];
#pragma clang loop unroll(full)
    for (int n = 0; n < 4; n++) {
        const __m128i *entries = (const __m128i *)(table + 16 * (n / 2) + 64 * (n % 2));
        const __m256i lows = _mm256_broadcastsi128_si256(_mm_load_si128(entries));
        const __m256i highs = _mm256_broadcastsi128_si256(_mm_load_si128(entries + 2));
#pragma clang loop unroll(full)
        for (int c = 0; c < CHUNKS; c++) {
            const __m256i nibbles = nibble_avx2(IS_SPLIT, at[c], n);
            const __m256i l = _mm256_shuffle_epi8(lows, nibbles), h = _mm256_shuffle_epi8(highs, nibbles);
            low[c] = n ? _mm256_add_epi8(low[c], l) : l;
            high[c] = n ? _mm256_add_epi8(high[c], h) : h;
        }
        // In this order everything stays in registers, here and below.
        if (CHUNKS == 2) __asm__("" : "+x"(low[0]), "+x"(low[1]), "+x"(high[0]), "+x"(high[1]));
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < CHUNKS; c++) {
        sums[c].low = _mm256_add_epi16(sums[c].low, low[c]);
        sums[c].low_odd = _mm256_add_epi16(sums[c].low_odd, _mm256_srli_epi16(low[c], 8));
        sums[c].high = _mm256_add_epi16(sums[c].high, high[c]);
        sums[c].high_odd = _mm256_add_epi16(sums[c].high_odd, _mm256_srli_epi16(high[c], 8));
        __asm__("" : "+x"(sums[c].low), "+x"(sums[c].low_odd), "+x"(sums[c].high), "+x"(sums[c].high_odd));
    }
}

// out += scale * (2 sums - magnitude) for the 32 strings.
INLINE void add_sums_avx2(const sums_avx2 *sums, float scale, int32_t magnitude, float *out) {
    const __m256i weights = _mm256_set1_epi32(2 | 128 << 16), less = _mm256_set1_epi32(magnitude);
    const __m256 factor = _mm256_set1_ps(scale);
    const __m256i low = _mm256_sub_epi16(sums->low, _mm256_slli_epi16(sums->low_odd, 8));
    const __m256i high = _mm256_sub_epi16(sums->high, _mm256_slli_epi16(sums->high_odd, 8));
#define TOTALS(unpack, low, high) _mm256_madd_epi16(unpack(low, high), weights)
    const __m256i even0 = TOTALS(_mm256_unpacklo_epi16, low, high), even1 = TOTALS(_mm256_unpackhi_epi16, low, high);
    const __m256i odd0 = TOTALS(_mm256_unpacklo_epi16, sums->low_odd, sums->high_odd);
    const __m256i odd1 = TOTALS(_mm256_unpackhi_epi16, sums->low_odd, sums->high_odd);
#undef TOTALS
    const __m256i a = _mm256_unpacklo_epi32(even0, odd0), b = _mm256_unpackhi_epi32(even0, odd0);
    const __m256i c = _mm256_unpacklo_epi32(even1, odd1), d = _mm256_unpackhi_epi32(even1, odd1);
    const __m256i rows[4] = {_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(c, d, 0x20),
                             _mm256_permute2x128_si256(a, b, 0x31), _mm256_permute2x128_si256(c, d, 0x31)};
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m256 scaled = _mm256_mul_ps(factor, _mm256_cvtepi32_ps(_mm256_sub_epi32(rows[i], less)));
        _mm256_storeu_ps(out + 8 * i, _mm256_add_ps(_mm256_loadu_ps(out + 8 * i), scaled));
    }
}

INLINE void split_avx2(const sign_matrix *m, sign_words words, uint8_t *nibbles) {
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, nibbles += WORD_NIBBLES) {
        fetch_ahead(words.at, m->end, m->is_long, 2048);
        fetch_ahead(words.at + 64, m->end, m->is_long, 2048);
#pragma clang loop unroll(full)
        for (int n = 0; n < 8; n++)
            _mm256_store_si256((__m256i *)nibbles + n, nibble_avx2(0, words.at + 64 * (n / 4), n % 4));
    }
}

INLINE void add_chunks_avx2(const int CHUNKS, const int IS_SPLIT, const sign_matrix *m, sign_words words, const uint8_t *second,
                            size_t s, const uint8_t *tables, const uint8_t *prepared, float *out) {
    sums_avx2 sums[2];
#pragma clang loop unroll(full)
    for (int c = 0; c < CHUNKS; c++) clear_avx2(&sums[c]);
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, second += words.stride, tables += TABLE) {
        const size_t size = (IS_SPLIT ? WORD_NIBBLES : 4 * STRINGS) / 2;
#pragma clang loop unroll(full)
        for (size_t half = 0; half < 2; half++) {
            const uint8_t *at[2] = {words.at + half * size, second + half * size};
#pragma clang loop unroll(full)
            for (int c = 0; !IS_SPLIT && c < CHUNKS; c++) fetch_ahead(at[c], m->end, m->is_long, 2048);
            look_up_avx2(CHUNKS, IS_SPLIT, sums, at, tables + TABLE / 2 * half);
        }
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < CHUNKS; c++)
        add_sums_avx2(&sums[c], sign_scale(m, prepared, s), sign_magnitude(m, prepared, s), out + STRINGS * c);
}

void bp_sign_block_avx2(const sign_matrix *m, const uint8_t *block, size_t row, size_t in_block, const uint8_t *tables,
                        size_t size, size_t tokens, float *y) {
    sign_block(split_avx2, add_chunks_avx2, m, block, row, in_block, tables, size, tokens, y);
}

#pragma clang attribute pop
#endif
