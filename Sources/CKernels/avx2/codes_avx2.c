// AVX2: 8 rows a vector. Batches multiply a panel of codes that are decoded once to pairs of 16 bits, and so
// does one token where codes cross bytes; codes of 8, 4 and 2 bits meet few tokens on the way from memory.
#include "../codes.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

// Vectors of a block of rows; units of a panel, which then takes half of the nearest cache; pairs of a unit;
// tokens whose sums are kept at a time, and from how many on a panel is faster where codes need none.
enum { VECTORS = 8, PANEL_UNITS = 4, PAIRS = 16, TOKENS = 16, FEWEST_PANEL_TOKENS = 4 };

// Sums of 16 tokens with a block of rows within a segment.
typedef int32_t block_sums[TOKENS][8 * VECTORS];

// The words of a unit: `stride` bytes from one word of a row to the next. Where rows are fewer than a block's
// or words end early they are copied to `edge`, zeros behind.
typedef struct {
    const uint8_t *at;
    size_t stride;
} unit_words;

INLINE unit_words unit_at(const int BITS, const bp_codes *m, const uint8_t *block, size_t row, size_t in_block,
                          size_t unit, uint32_t (*edge)[8 * VECTORS]) {
    const size_t whole = (m->columns * BITS + 7) / 8 / 4, first = unit * BITS;
    if (in_block == 8 * VECTORS && first + BITS <= whole)
        return (unit_words){block + first * 4 * in_block, 4 * in_block};
    for (size_t w = 0; w < (size_t)BITS; w++)
        for (size_t i = 0; i < in_block; i += 16)
            load_words(m, block + 4 * i, 4 * in_block, row + i, in_block - i < 16 ? in_block - i : 16, first + w, edge[w] + i);
    return (unit_words){(const uint8_t *)edge, sizeof *edge};
}

INLINE __m256i load_avx2(const void *at) { return _mm256_loadu_si256((const __m256i *)at); }

INLINE __m256i four_bytes_avx2(const uint8_t *at) {
    int32_t four;
    memcpy(&four, at, 4);
    return _mm256_set1_epi32(four);
}

// Bytes `first` and `first` + 1 of each word as two numbers of 16 bits.
INLINE __m256i two_bytes_avx2(__m256i words, const int first) {
    const char a = (char)first, b = (char)(first + 1);
    const __m128i two = _mm_setr_epi8(a, -1, b, -1, a + 4, -1, b + 4, -1, a + 8, -1, b + 8, -1, a + 12, -1, b + 12, -1);
    return _mm256_shuffle_epi8(words, _mm256_broadcastsi128_si256(two));
}

// Codes 2 i and 2 i + 1 of a unit.
INLINE __m256i pair_avx2(const int BITS, const __m256i *words, const int i, __m256i flip) {
    if (BITS == 8) return two_bytes_avx2(_mm256_xor_si256(words[i / 2], flip), 2 * (i % 2));
    const __m256i low = _mm256_set1_epi32((1 << BITS) - 1), high = _mm256_set1_epi32(((1 << BITS) - 1) << 16);
    const int at = 2 * i * BITS, w = at / 32, shift = at % 32;
    __m256i d = _mm256_srli_epi32(words[w], shift);
    if (shift + 2 * BITS > 32) d = _mm256_or_si256(d, _mm256_slli_epi32(words[w + 1], 32 - shift));
    return _mm256_or_si256(_mm256_and_si256(d, low), _mm256_and_si256(_mm256_slli_epi32(d, 16 - BITS), high));
}

// A unit of `vectors` x 8 rows as pairs: those of all rows lie side by side.
INLINE void decode_unit_avx2(const int BITS, unit_words unit, size_t vectors, __m256i flip, __m256i (*panel)[VECTORS]) {
    for (size_t v = 0; v < vectors; v++) {
        __m256i words[8];
#pragma clang loop unroll(full)
        for (int w = 0; w < BITS; w++) words[w] = load_avx2(unit.at + w * unit.stride + 32 * v);
#pragma clang loop unroll(full)
        for (int i = 0; i < PAIRS; i++) panel[i][v] = pair_avx2(BITS, words, i, flip);
    }
}

// TOGETHER tokens, whose numbers lie `size` bytes apart, go on with their sums over `pairs` pairs with two
// vectors of rows.
INLINE void tile_avx2(const int TOGETHER, const __m256i (*panel)[VECTORS], size_t pairs, const uint8_t *numbers,
                      size_t size, int32_t (*sums)[8 * VECTORS]) {
    __m256i all[5][2];
#pragma clang loop unroll(full)
    for (int t = 0; t < TOGETHER; t++)
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) all[t][v] = load_avx2(sums[t] + 8 * v);
    for (size_t i = 0; i < pairs; i++, numbers += 4) {
        const __m256i first = panel[i][0], second = panel[i][1];
#pragma clang loop unroll(full)
        for (int t = 0; t < TOGETHER; t++) {
            const __m256i pair = four_bytes_avx2(numbers + t * size);
            all[t][0] = _mm256_add_epi32(all[t][0], _mm256_madd_epi16(first, pair));
            all[t][1] = _mm256_add_epi32(all[t][1], _mm256_madd_epi16(second, pair));
        }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < TOGETHER; t++)
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) _mm256_storeu_si256((__m256i *)(sums[t] + 8 * v), all[t][v]);
}

// Goes on with the sums of all tokens over the pairs of a panel.
INLINE void multiply_panel_avx2(const __m256i (*panel)[VECTORS], size_t pairs, size_t vectors, const uint8_t *numbers,
                                size_t size, size_t tokens, block_sums sums) {
    // Tiles of nearly equal height.
    const size_t tiles = (tokens + 4) / 5, height = tokens / tiles, higher = tokens % tiles;
    for (size_t v = 0; v < vectors; v += 2)
        for (size_t tile = 0, t = 0; tile < tiles; tile++) {
            const size_t count = height + (tile < higher);
            const __m256i (*of_rows)[VECTORS] = (const __m256i (*)[VECTORS])(panel[0] + v);
            int32_t (*to)[8 * VECTORS] = (int32_t (*)[8 * VECTORS])(sums[t] + 8 * v);
#define CASE(n) \
    case n: tile_avx2(n, of_rows, pairs, numbers + t * size, size, to); break;
            switch (count) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) }
#undef CASE
            t += count;
        }
}

// A token times a unit of 8-bit codes.
INLINE void bytes_avx2(unit_words unit, size_t vectors, __m256i flip, const uint8_t *numbers, __m256i sums[VECTORS]) {
#pragma clang loop unroll(full)
    for (int w = 0; w < 8; w++, numbers += 8) {
        const __m256i first = four_bytes_avx2(numbers), second = four_bytes_avx2(numbers + 4);
        for (size_t v = 0; v < vectors; v++) {
            const __m256i words = _mm256_xor_si256(load_avx2(unit.at + w * unit.stride + 32 * v), flip);
            sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(two_bytes_avx2(words, 0), first));
            sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(two_bytes_avx2(words, 2), second));
        }
    }
}

// A token times a unit of codes of 4 or 2 bits. Field i of all bytes of a word meets four bytes of the
// activations, which take the place of columns i, i + F, i + 2 F and i + 3 F of F fields a byte; 8 products
// of at most 2 x 15 x 128 fit in 16 bits.
INLINE void fields_avx2(const int BITS, unit_words unit, size_t vectors, const uint8_t *numbers, __m256i sums[VECTORS]) {
    const int FIELDS = 8 / BITS;
    const __m256i first = load_avx2(numbers), second = load_avx2(numbers + 32), byte = _mm256_set1_epi16(255);
    const __m256i order = _mm256_broadcastsi128_si256(
        BITS == 4 ? _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15)
                  : _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m256i half = _mm256_set1_epi16(128);
#define BYTES(a, b) _mm256_shuffle_epi8(_mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8), order)
#define LOW(q) _mm256_sub_epi16(_mm256_and_si256(_mm256_add_epi16(q, half), byte), half)
#define HIGH(q) _mm256_srai_epi16(_mm256_add_epi16(q, half), 8)
    uint8_t low[32], high[32];
    _mm256_storeu_si256((__m256i *)low, BYTES(LOW(first), LOW(second)));
    _mm256_storeu_si256((__m256i *)high, BYTES(HIGH(first), HIGH(second)));
#undef BYTES
#undef LOW
#undef HIGH
    const __m256i mask = _mm256_set1_epi8((1 << BITS) - 1), ones = _mm256_set1_epi16(1), higher = _mm256_set1_epi16(256);
    for (size_t v = 0; v < vectors; v++) {
        __m256i lows = _mm256_setzero_si256(), highs = lows;
#pragma clang loop unroll(full)
        for (int w = 0; w < BITS; w++) {
            const __m256i words = load_avx2(unit.at + w * unit.stride + 32 * v);
#pragma clang loop unroll(full)
            for (int i = 0; i < FIELDS; i++) {
                const __m256i codes = _mm256_and_si256(_mm256_srli_epi16(words, BITS * i), mask);
                const int at = 4 * (FIELDS * w + i);
                lows = _mm256_add_epi16(lows, _mm256_maddubs_epi16(codes, four_bytes_avx2(low + at)));
                highs = _mm256_add_epi16(highs, _mm256_maddubs_epi16(codes, four_bytes_avx2(high + at)));
            }
        }
        const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(lows, ones), _mm256_madd_epi16(highs, higher));
        sums[v] = _mm256_add_epi32(sums[v], sum);
    }
}

// Goes on with the results of one token's rows by a segment, whose sums are there.
INLINE void finish_avx2(const bp_codes *m, const bp_segment *segment, size_t row, size_t vectors, float act_scale,
                        int32_t act_sum, const int32_t *sums, float *out) {
    const __m256i middle = _mm256_set1_epi32((1 << (m->bits - 1)) * act_sum);
    const __m256 scale = _mm256_set1_ps(act_scale), all = _mm256_set1_ps(act_scale * (float)act_sum);
    for (size_t v = 0; v < vectors; v++, sums += 8, out += 8) {
        const size_t lanes_at = (row + v / 2 * 16) * m->groups + 16 * segment->group + v % 2 * 8;
        const __m256 sum = _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_sub_epi32(load_avx2(sums), middle)));
        __m256 y = _mm256_add_ps(_mm256_loadu_ps(out), _mm256_mul_ps(_mm256_loadu_ps(m->scales + lanes_at), sum));
        if (m->offsets) y = _mm256_add_ps(y, _mm256_mul_ps(_mm256_loadu_ps(m->offsets + lanes_at), all));
        _mm256_storeu_ps(out, y);
    }
}

// A block of rows times at most TOKENS tokens.
INLINE void block_of_avx2(const int BITS, const bp_codes *m, const bp_segment *segments, size_t count,
                          const uint8_t *block, size_t row, size_t in_block, const uint8_t *activations, size_t size,
                          size_t tokens, float *y) {
    const size_t scales_at = units_of(segments, count) * UNIT, vectors = (in_block + 7) / 8;
    const __m256i flip = _mm256_set1_epi8((char)(m->is_signed ? 128 : 0));
    const size_t code_bytes = m->rows * ((m->columns * BITS + 7) / 8);
    const int is_direct = tokens < FEWEST_PANEL_TOKENS && (BITS == 8 || BITS == 4 || BITS == 2);
    float out[TOKENS][8 * VECTORS];
    memset(out, 0, tokens * sizeof *out);
    const uint8_t *numbers = activations;
    for (size_t s = 0; s < count; s++) {
        _Alignas(32) block_sums sums;
        memset(sums, 0, tokens * sizeof *sums);
        for (size_t u = 0; u < segments[s].units;) {
            uint32_t edge[8][8 * VECTORS];
            __m256i panel[PANEL_UNITS * PAIRS][VECTORS];
            if (is_direct) {
                const unit_words unit = unit_at(BITS, m, block, row, in_block, segments[s].first_unit + u++, edge);
                // What is read as fast as memory gives it.
                for (size_t line = 0; BITS == 8 && line < 256 * (size_t)BITS; line += 64)
                    fetch_ahead(unit.at + line, m->codes + code_bytes, code_bytes >= LONG_STREAM, 3072);
                for (size_t t = 0; t < tokens; t++) {
                    if (BITS == 8) bytes_avx2(unit, vectors, flip, numbers + t * size, (__m256i *)sums[t]);
                    else fields_avx2(BITS, unit, vectors, numbers + t * size, (__m256i *)sums[t]);
                }
                numbers += UNIT;
                continue;
            }
            const size_t left = segments[s].units - u, units = left < PANEL_UNITS ? left : PANEL_UNITS;
            for (size_t i = 0; i < units; i++) {
                const unit_words unit = unit_at(BITS, m, block, row, in_block, segments[s].first_unit + u + i, edge);
                // The processor fetches for the rest, but not for strides of words that are met this fast.
                for (size_t line = 0; tokens == 1 && line < 256 * (size_t)BITS; line += 64)
                    fetch_ahead(unit.at + line, m->codes + code_bytes, code_bytes >= LONG_STREAM, 3072);
                decode_unit_avx2(BITS, unit, vectors, flip, panel + PAIRS * i);
            }
            multiply_panel_avx2((const __m256i (*)[VECTORS])panel, PAIRS * units, vectors, numbers, size, tokens, sums);
            numbers += UNIT * units;
            u += units;
        }
        for (size_t t = 0; t < tokens; t++) {
            const float *scales = (const float *)(activations + t * size + scales_at);
            finish_avx2(m, segments + s, row, vectors, scales[s], ((const int32_t *)(scales + count))[s], sums[t], out[t]);
        }
    }
    for (size_t t = 0; t < tokens; t++) memcpy(y + t * m->rows, out[t], in_block * sizeof(float));
}

void bp_code_block_avx2(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                        size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t += TOKENS, activations += TOKENS * size, y += TOKENS * m->rows) {
        const size_t together = tokens - t < TOKENS ? tokens - t : TOKENS;
#define CASE(n) \
    case n: block_of_avx2(n, m, segments, count, block, row, in_block, activations, size, together, y); break;
        switch (m->bits) { CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) }
#undef CASE
    }
}

#pragma clang attribute pop
#endif
