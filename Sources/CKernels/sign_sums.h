// Products of sign planes by byte shuffles, which AVX2 and NEON share: where strings of signs lie, and what a
// table of theirs holds.
//
// A string is a plane of a row. The words of all strings of a block, plane after plane, lie side by side, and
// all look in the same tables: one product serves any number of planes. The words of every 32 strings are
// turned when a matrix is opened: then the same byte of all of them lies side by side, as a shuffle with one
// table needs it.
//
// The entry of a nibble is the sum of the magnitudes of those of its 4 columns whose activation has the sign
// that the bit says: from 0 to 4095, 12 bits, in two halves of 6, four of which can be added as bytes.
// The signed sum is twice the sum of entries less the sum of all magnitudes.
#ifndef SIGN_SUMS_H
#define SIGN_SUMS_H
#include "signs.h"
#pragma STDC FP_CONTRACT OFF

// Strings that are added together; most of a block, and some that are read behind them; words of a segment,
// which may begin and end inside one; tokens whose sums are kept at a time.
enum { STRINGS = 32, MOST_STRINGS = 128 + 16, SEGMENT_WORDS = BP_SEGMENT / 32 + 1, SIGN_TOKENS = 16 };

INLINE float sign_scale(const sign_matrix *m, const uint8_t *prepared, size_t s) {
    return ((const float *)(prepared + m->scales_at))[s];
}

INLINE int32_t sign_magnitude(const sign_matrix *m, const uint8_t *prepared, size_t s) {
    return ((const int32_t *)(prepared + m->scales_at))[m->count + s];
}

// The words of a segment of STRINGS strings, turned, `stride` bytes from one to the next.
typedef struct {
    const uint8_t *at;
    size_t count, stride;
} sign_words;

// Turns the words of STRINGS strings: their first bytes, string after string, then their second ones.
INLINE void turn(const uint8_t *words, uint8_t *turned) {
    for (size_t j = 0; j < 4; j++)
        for (size_t i = 0; i < STRINGS; i++) turned[STRINGS * j + i] = words[4 * i + j];
}

// Of the strings from `first` on. Where there are fewer, or words end early, they are turned in `edge`, zeros
// behind.
INLINE sign_words words_at(const sign_matrix *m, const uint8_t *block, size_t row, size_t in_block, size_t first,
                           size_t s, uint8_t *edge) {
    const size_t strings = in_block * m->bits, whole = (m->columns + 7) / 8 / 4, start = m->segments[s].first_unit;
    const size_t count = m->segments[s].units, left = strings - first < STRINGS ? strings - first : STRINGS;
    if (left == STRINGS && start + count <= whole)
        return (sign_words){block + 4 * (start * strings + first), count, 4 * strings};
    for (size_t w = 0; w < count; w++) {
        const uint8_t *from = block + 4 * ((start + w) * strings + first);
        uint8_t *to = edge + 4 * STRINGS * w, words[4 * STRINGS] = {0};
        if (start + w < whole && left == STRINGS) {
            memcpy(to, from, 4 * STRINGS);
            continue;
        }
        if (start + w < whole) memcpy(words, from, 4 * left);
        for (size_t i = 0; start + w >= whole && i < left; i++) {
            size_t width;
            const uint8_t *tail = tail_of(m, (first + i) / in_block, row + (first + i) % in_block, &width);
            memcpy(words + 4 * i, tail, width);
        }
        turn(words, to);
    }
    return (sign_words){edge, count, 4 * STRINGS};
}

// Splits the bytes of words into nibbles, one a byte: for each word WORD_NIBBLES of them.
enum { WORD_NIBBLES = 8 * STRINGS };
typedef void sign_split(const sign_matrix *m, sign_words words, uint8_t *nibbles);

// Goes on with one token's sums of CHUNKS x STRINGS strings by a segment: its words, which may be split into
// nibbles, and those of the second chunk, as far apart; where there is none, the first's again.
typedef void sign_add(const int CHUNKS, const int IS_SPLIT, const sign_matrix *m, sign_words words, const uint8_t *second,
                      size_t s, const uint8_t *tables, const uint8_t *prepared, float *out);

// The rows of a block times at most SIGN_TOKENS tokens.
INLINE void sign_block_tokens(sign_split split, sign_add add, const sign_matrix *m, const uint8_t *block, size_t row,
                              size_t in_block, const uint8_t *prepared, size_t size, size_t tokens, float *y) {
    float sums[SIGN_TOKENS][MOST_STRINGS], out[SIGN_TOKENS][64];
    const size_t strings = in_block * m->bits, padded = (strings + STRINGS - 1) / STRINGS * STRINGS;
    for (size_t t = 0; t < tokens; t++) memset(out[t], 0, sizeof out[t]);
    const uint8_t *tables = prepared;
    for (size_t s = 0; s < m->count; tables += TABLE * m->segments[s++].units) {
        const int begins_group = !s || m->segments[s - 1].group != m->segments[s].group;
        for (size_t t = 0; begins_group && t < tokens; t++) memset(sums[t], 0, padded * sizeof(float));
        for (size_t first = 0; first < strings; first += 2 * STRINGS) {
            _Alignas(32) uint8_t nibbles[2][WORD_NIBBLES * SEGMENT_WORDS], edges[2][4 * STRINGS * SEGMENT_WORDS];
            const size_t left = strings - first, chunks = left > STRINGS ? 2 : 1;
            sign_words words[2];
            for (size_t c = 0; c < chunks; c++) words[c] = words_at(m, block, row, in_block, first + STRINGS * c, s, edges[c]);
            if (tokens == 1 && (chunks == 1 || words[0].stride == words[1].stride)) {
                if (chunks == 2) add(2, 0, m, words[0], words[1].at, s, tables, prepared, sums[0] + first);
                else add(1, 0, m, words[0], words[0].at, s, tables, prepared, sums[0] + first);
                continue;
            }
            for (size_t c = 0; c < chunks; c++) split(m, words[c], nibbles[c]);
            const sign_words parts = {nibbles[0], words[0].count, WORD_NIBBLES};
            for (size_t t = 0; t < tokens; t++) {
                const uint8_t *of_token = prepared + t * size, *look_in = tables + t * size;
                if (chunks == 2) add(2, 1, m, parts, nibbles[1], s, look_in, of_token, sums[t] + first);
                else add(1, 1, m, parts, parts.at, s, look_in, of_token, sums[t] + first);
            }
        }
        if (s + 1 < m->count && m->segments[s + 1].group == m->segments[s].group) continue;
        for (size_t t = 0; t < tokens; t++)
            for (size_t i = 0; i < in_block; i += 16)
                for (size_t p = 0; p < m->bits; p++) {
                    const float *alpha = m->alphas + (row + i) * m->groups * m->bits + (m->segments[s].group * m->bits + p) * 16;
                    const float *sum = sums[t] + p * in_block + i;
                    for (size_t lane = 0; lane < 16; lane++) out[t][i + lane] += alpha[lane] * sum[lane];
                }
    }
    for (size_t t = 0; t < tokens; t++) memcpy(y + t * m->rows, out[t], in_block * sizeof(float));
}

// The rows of a block times all tokens.
INLINE void sign_block(sign_split split, sign_add add, const sign_matrix *m, const uint8_t *block, size_t row,
                       size_t in_block, const uint8_t *tables, size_t size, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t += SIGN_TOKENS) {
        const size_t together = tokens - t < SIGN_TOKENS ? tokens - t : SIGN_TOKENS;
        sign_block_tokens(split, add, m, block, row, in_block, tables + t * size, size, together, y + t * m->rows);
    }
}
#endif
