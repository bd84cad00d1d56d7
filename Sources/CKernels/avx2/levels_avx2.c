// AVX2: 8 rows a vector; two byte shuffles look up a level's two bytes.
#include "../level_panels.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

typedef struct {
    __m256i low, high;
} level_table_avx2;

INLINE level_table_avx2 table_avx2(const int16_t *levels) {
    const __m256i byte = _mm256_set1_epi16(255), all = _mm256_loadu_si256((const __m256i *)levels);
    const __m256i bytes = _mm256_packus_epi16(_mm256_and_si256(all, byte), _mm256_srli_epi16(all, 8));
    // Of either half of the levels the low bytes, then the high ones.
    const __m256i sorted = _mm256_permute4x64_epi64(bytes, 0xd8);
    return (level_table_avx2){_mm256_permute2x128_si256(sorted, sorted, 0x00), _mm256_permute2x128_si256(sorted, sorted, 0x11)};
}

// The levels of 8 words: of each row four numbers, of columns 0, 2, 4 and 6 for rows 0, 1, 4, 5 and for rows
// 2, 3, 6, 7, then of the other columns.
INLINE void levels_of_avx2(__m256i words, level_table_avx2 table, __m256i levels[4]) {
    const __m256i mask = _mm256_set1_epi8(15);
#pragma clang loop unroll(full)
    for (int odd = 0; odd < 2; odd++) {
        const __m256i codes = _mm256_and_si256(odd ? _mm256_srli_epi16(words, 4) : words, mask);
        const __m256i low = _mm256_shuffle_epi8(table.low, codes), high = _mm256_shuffle_epi8(table.high, codes);
        levels[2 * odd] = _mm256_unpacklo_epi8(low, high);
        levels[2 * odd + 1] = _mm256_unpackhi_epi8(low, high);
    }
}

// Goes on with the sums of 8 rows over a word: of rows 0, 1, 4, 5 two each, then of the others.
INLINE void add_avx2(const __m256i levels[4], const uint8_t *x, __m256i sums[2]) {
    int64_t even, odd;
    memcpy(&even, x, 8);
    memcpy(&odd, x + 8, 8);
    const __m256i a = _mm256_set1_epi64x(even), b = _mm256_set1_epi64x(odd);
#pragma clang loop unroll(full)
    for (int i = 0; i < 2; i++) {
        sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(levels[i], a));
        sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(levels[2 + i], b));
    }
}

// The sums of 8 rows, in order.
INLINE __m256i total_avx2(const __m256i sums[2]) {
    const __m256 a = _mm256_castsi256_ps(sums[0]), b = _mm256_castsi256_ps(sums[1]);
    return _mm256_add_epi32(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)));
}

INLINE void decode_avx2(const int16_t *levels, level_words words, uint8_t *panel) {
    const level_table_avx2 table = table_avx2(levels);
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, panel += LEVEL_BYTES)
        for (size_t r = 0; r < words.rows; r += 8) {
            __m256i found[4];
            levels_of_avx2(_mm256_loadu_si256((const __m256i *)(words.at + 4 * r)), table, found);
#pragma clang loop unroll(full)
            for (int i = 0; i < 4; i++) _mm256_store_si256((__m256i *)(panel + 16 * r + 32 * i), found[i]);
        }
}

INLINE void tile_avx2(const int TOGETHER, const uint8_t *panel, size_t words, const uint8_t *x, size_t size, int32_t (*sums)[64]) {
    __m256i all[5][2];
#pragma clang loop unroll(full)
    for (int t = 0; t < TOGETHER; t++) all[t][0] = all[t][1] = _mm256_setzero_si256();
    for (size_t w = 0; w < words; w++, panel += LEVEL_BYTES, x += 16) {
        __m256i levels[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) levels[i] = _mm256_load_si256((const __m256i *)panel + i);
#pragma clang loop unroll(full)
        for (int t = 0; t < TOGETHER; t++) add_avx2(levels, x + t * size, all[t]);
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < TOGETHER; t++) _mm256_store_si256((__m256i *)(sums[t]), total_avx2(all[t]));
}

INLINE void multiply_avx2(const uint8_t *panel, size_t rows, size_t words, const uint8_t *x, size_t size, size_t tokens,
                          int32_t (*sums)[64]) {
    // Tiles of nearly equal height.
    const size_t tiles = (tokens + 4) / 5, height = tokens / tiles, higher = tokens % tiles;
    for (size_t r = 0; r < rows; r += 8)
        for (size_t tile = 0, t = 0; tile < tiles; tile++) {
            const size_t together = height + (tile < higher);
#define CASE(n) \
    case n: tile_avx2(n, panel + 16 * r, words, x + t * size, size, (int32_t (*)[64])(sums[t] + r)); break;
            switch (together) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) }
#undef CASE
            t += together;
        }
}

INLINE void direct_avx2(const int16_t *levels, level_words words, const uint8_t *x, int32_t sums[64]) {
    const level_table_avx2 table = table_avx2(levels);
    for (size_t r = 0; r < words.rows; r += 16) {
        const uint8_t *at = words.at + 4 * r;
        __m256i all[2][2];
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) all[v][0] = all[v][1] = _mm256_setzero_si256();
        for (size_t w = 0; w < words.count; w++, at += words.stride) {
            fetch_ahead(at, words.end, words.is_long, 3072);
#pragma clang loop unroll(full)
            for (int v = 0; v < 2; v++) {
                __m256i found[4];
                levels_of_avx2(_mm256_loadu_si256((const __m256i *)at + v), table, found);
                add_avx2(found, x + 16 * w, all[v]);
            }
        }
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) _mm256_store_si256((__m256i *)(sums + r) + v, total_avx2(all[v]));
    }
}

DECLARE_LEVELS(avx2) {
    levels_block(decode_avx2, multiply_avx2, direct_avx2, m, segments, count, block, row, in_block, activations, size, tokens, y);
}

#pragma clang attribute pop
#endif
