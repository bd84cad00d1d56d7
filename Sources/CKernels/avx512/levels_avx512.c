// AVX-512: 16 rows a vector; two byte shuffles look up a level's two bytes, and VNNI adds products of numbers
// of 16 bits in pairs.
#include "../level_panels.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

typedef struct {
    __m512i low, high;
} level_table_avx512;

INLINE level_table_avx512 table_avx512(const int16_t *levels) {
    const __m256i all = _mm256_loadu_si256((const __m256i *)levels);
    return (level_table_avx512){_mm512_broadcast_i32x4(_mm256_cvtepi16_epi8(all)),
                                _mm512_broadcast_i32x4(_mm256_cvtepi16_epi8(_mm256_srli_epi16(all, 8)))};
}

// The levels of 16 words: in each lane of 4 rows four numbers a row, of columns 0, 2, 4 and 6 for rows 0 and
// 1 and for rows 2 and 3, then of the other columns.
INLINE void levels_of_avx512(__m512i words, level_table_avx512 table, __m512i levels[4]) {
    const __m512i mask = _mm512_set1_epi8(15);
#pragma clang loop unroll(full)
    for (int odd = 0; odd < 2; odd++) {
        const __m512i codes = _mm512_and_si512(odd ? _mm512_srli_epi16(words, 4) : words, mask);
        const __m512i low = _mm512_shuffle_epi8(table.low, codes), high = _mm512_shuffle_epi8(table.high, codes);
        levels[2 * odd] = _mm512_unpacklo_epi8(low, high);
        levels[2 * odd + 1] = _mm512_unpackhi_epi8(low, high);
    }
}

// Goes on with the sums of 16 rows over a word: in each lane of rows 0 and 1 two each, then of rows 2 and 3.
INLINE void add_avx512(const __m512i levels[4], const uint8_t *x, __m512i sums[2]) {
    int64_t even, odd;
    memcpy(&even, x, 8);
    memcpy(&odd, x + 8, 8);
    const __m512i a = _mm512_set1_epi64(even), b = _mm512_set1_epi64(odd);
#pragma clang loop unroll(full)
    for (int i = 0; i < 2; i++)
        sums[i] = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(sums[i], levels[i], a), levels[2 + i], b);
}

// The sums of 16 rows, in order.
INLINE __m512i total_avx512(const __m512i sums[2]) {
    const __m512 a = _mm512_castsi512_ps(sums[0]), b = _mm512_castsi512_ps(sums[1]);
    return _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88)), _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd)));
}

INLINE void decode_avx512(const int16_t *levels, level_words words, uint8_t *panel) {
    const level_table_avx512 table = table_avx512(levels);
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, panel += LEVEL_BYTES)
        for (size_t r = 0; r < words.rows; r += 16) {
            __m512i found[4];
            levels_of_avx512(_mm512_loadu_si512(words.at + 4 * r), table, found);
#pragma clang loop unroll(full)
            for (int i = 0; i < 4; i++) _mm512_store_si512(panel + 16 * r + 64 * i, found[i]);
        }
}

INLINE void tile_avx512(const int TOGETHER, const uint8_t *panel, size_t words, const uint8_t *x, size_t size, int32_t (*sums)[64]) {
    __m512i all[6][2];
#pragma clang loop unroll(full)
    for (int t = 0; t < TOGETHER; t++) all[t][0] = all[t][1] = _mm512_setzero_si512();
    for (size_t w = 0; w < words; w++, panel += LEVEL_BYTES, x += 16) {
        __m512i levels[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) levels[i] = _mm512_load_si512(panel + 64 * i);
#pragma clang loop unroll(full)
        for (int t = 0; t < TOGETHER; t++) add_avx512(levels, x + t * size, all[t]);
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < TOGETHER; t++) _mm512_store_si512(sums[t], total_avx512(all[t]));
}

INLINE void multiply_avx512(const uint8_t *panel, size_t rows, size_t words, const uint8_t *x, size_t size, size_t tokens,
                          int32_t (*sums)[64]) {
    // Tiles of nearly equal height.
    const size_t tiles = (tokens + 5) / 6, height = tokens / tiles, higher = tokens % tiles;
    for (size_t r = 0; r < rows; r += 16)
        for (size_t tile = 0, t = 0; tile < tiles; tile++) {
            const size_t together = height + (tile < higher);
#define CASE(n) \
    case n: tile_avx512(n, panel + 16 * r, words, x + t * size, size, (int32_t (*)[64])(sums[t] + r)); break;
            switch (together) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) }
#undef CASE
            t += together;
        }
}

INLINE void direct_avx512(const int16_t *levels, level_words words, const uint8_t *x, int32_t sums[64]) {
    const level_table_avx512 table = table_avx512(levels);
    for (size_t r = 0; r < words.rows; r += 16) {
        const uint8_t *at = words.at + 4 * r;
        __m512i all[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (size_t w = 0; w < words.count; w++, at += words.stride) {
            fetch_ahead(at, words.end, words.is_long, 3072);
            __m512i found[4];
            levels_of_avx512(_mm512_loadu_si512(at), table, found);
            add_avx512(found, x + 16 * w, all);
        }
        _mm512_store_si512(sums + r, total_avx512(all));
    }
}

DECLARE_LEVELS(avx512) {
    levels_block(decode_avx512, multiply_avx512, direct_avx512, m, segments, count, block, row, in_block, activations, size, tokens, y);
}

#pragma clang attribute pop
#endif
