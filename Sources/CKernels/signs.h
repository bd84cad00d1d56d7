// Sign planes: what the builds share. Tables are described in signs.c.
#ifndef SIGNS_H
#define SIGNS_H
#include <string.h>
#include "targets.h"

enum { TABLE = 256 };

// The largest sum of the magnitudes of 4 rounded activations, before each is rounded: with that it is at most
// 4095, two halves of 6 bits (sign_sums.h).
enum { LARGEST_SUM = 4093 };

INLINE size_t tables_of(const bp_segment *segments, size_t count) {
    size_t units = 0;
    for (size_t s = 0; s < count; s++) units += segments[s].units;
    return units * TABLE;
}

// The tables of one word.
INLINE void word_tables(const int16_t *q, uint8_t *table) {
    for (int nibble = 0; nibble < 2; nibble++, table += 128)
        for (int j = 0; j < 4; j++) {
            const int16_t *v = q + 8 * j + 4 * nibble;
            for (int n = 0; n < 16; n++) {
                const int sum = (n & 1 ? v[0] : -v[0]) + (n & 2 ? v[1] : -v[1]) + (n & 4 ? v[2] : -v[2])
                    + (n & 8 ? v[3] : -v[3]);
                table[16 * j + n] = (uint8_t)sum;
                table[64 + 16 * j + n] = (uint8_t)((unsigned)sum >> 8);
            }
        }
}

// What a build needs to know of the matrix that it multiplies.
typedef struct {
    const uint8_t *signs, *end;
    size_t bits, rows, columns;
    // What is asked for.
    bp_part part;
    const float *alphas;
    size_t groups;
    const bp_segment *segments;
    // Where a token's scales lie behind its tables.
    size_t count, scales_at;
    int is_long;
} sign_matrix;

// The bytes of a row in the last, partial word; `width` becomes their number.
INLINE const uint8_t *tail_of(const sign_matrix *m, size_t plane, size_t row, size_t *width) {
    const size_t row_bytes = (m->columns + 7) / 8;
    *width = row_bytes % 4;
    return m->signs + row_bytes / 4 * 4 * m->bits * m->rows + (plane * m->rows + row) * *width;
}

// The last, partial words of up to 16 rows, zeros beyond.
INLINE void load_tails(const sign_matrix *m, size_t plane, size_t row, size_t lanes, uint8_t words[64]) {
    size_t width;
    const uint8_t *tail = tail_of(m, plane, row, &width);
    memset(words, 0, 64);
    for (size_t lane = 0; lane < lanes; lane++) memcpy(words + 4 * lane, tail + lane * width, width);
}

// The tables of `words` words of 32 columns each.
DECLARE(void, bp_sign_word_tables, const int16_t *q, size_t words, uint8_t *tables);
void bp_sign_word_tables_neon(const int16_t *q, size_t words, uint8_t *tables);
// The sums of up to 16 rows from `row` on times one token: `stride` bytes from one word of a row to the next.
void bp_sign_rows_portable(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                           const uint8_t *tables, float *y);
void bp_sign_rows_avx512(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                         const uint8_t *tables, float *y);
// A block of rows, whose signs are turned (sign_sums.h), times all tokens, whose tables lie `size` bytes
// apart.
void bp_sign_block_avx2(const sign_matrix *m, const uint8_t *block, size_t row, size_t in_block, const uint8_t *tables,
                        size_t size, size_t tokens, float *y);
void bp_sign_block_neon(const sign_matrix *m, const uint8_t *block, size_t row, size_t in_block, const uint8_t *tables,
                        size_t size, size_t tokens, float *y);
// A whole block, bp_block_rows(bits) rows, times one token or times two, whose tables lie `size` bytes apart.
void bp_sign_block_avx512(const sign_matrix *m, const uint8_t *block, size_t row, const uint8_t *tables, float *y);
void bp_sign_pair_of_tokens_avx512(const sign_matrix *m, const uint8_t *block, size_t row, const uint8_t *tables,
                                   size_t size, float *y);
#endif
