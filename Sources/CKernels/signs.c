// Binary codes: sign planes times activations by table look-up. The activations are rounded to 14 bits per segment; for
// each 4 columns the 16 signed sums lie in a table, so that 4 weights are one look-up. Sums within a segment are exact
// integers and segments are added in one order, so all builds agree bit for bit.
//
// A word's tables take 256 bytes: for the low nibbles of its 4 bytes the low bytes of 4 x 16 sums, then their high bytes,
// then the same for the high nibbles.
#include <math.h>
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT OFF

enum { TABLE = 256 };

static size_t tables_of(const bp_segment *segments, size_t count) {
    size_t units = 0;
    for (size_t s = 0; s < count; s++) units += segments[s].units;
    return units * TABLE;
}

#include "moments.h"
#include "quantize.h"

static void word_tables_portable(const int16_t *q, uint8_t *table) {
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

// The sums of 16 or fewer rows: `stride` bytes from one word of a row to the next, `tail` bytes a row in the last,
// partial word. Everything that a build of the kernel needs to know about where it is.
typedef struct {
    const uint8_t *signs, *end;
    size_t bits, rows, columns;
    const float *alphas;
    size_t groups;
    const bp_segment *segments;
    // Where a token's scales lie behind its tables.
    size_t count, scales_at;
    int is_long;
} sign_matrix;

INLINE const uint8_t *tail_of(const sign_matrix *m, size_t plane, size_t row, size_t *width) {
    const size_t row_bytes = (m->columns + 7) / 8;
    *width = row_bytes % 4;
    return m->signs + row_bytes / 4 * 4 * m->bits * m->rows + (plane * m->rows + row) * *width;
}

static void rows_portable(const sign_matrix *m, const uint8_t *block, size_t stride, size_t row, size_t lanes,
                          const uint8_t *tables, float *y) {
    const float *scales = (const float *)(tables + m->scales_at);
    const float *alphas = m->alphas + row * m->groups * m->bits;
    const size_t whole = (m->columns + 7) / 8 / 4;
    float sums[8][16] = {{0}}, out[16] = {0};
    for (size_t s = 0; s < m->count; s++) {
        const bp_segment *segment = m->segments + s;
        for (size_t p = 0; p < m->bits; p++) {
            for (size_t lane = 0; lane < lanes; lane++) {
                int32_t sum = 0;
                const uint8_t *table = tables;
                for (size_t w = segment->first_unit; w < segment->first_unit + segment->units; w++, table += TABLE) {
                    uint8_t word[4] = {0};
                    if (w < whole) {
                        memcpy(word, block + (w * m->bits + p) * stride + 4 * lane, 4);
                    } else {
                        size_t width;
                        const uint8_t *tail = tail_of(m, p, row + lane, &width);
                        memcpy(word, tail, width);
                    }
                    for (int j = 0; j < 4; j++) {
                        const int low = 16 * j + (word[j] & 15), high = 128 + 16 * j + (word[j] >> 4);
                        sum += table[low] + 256 * (int8_t)table[low + 64] + table[high] + 256 * (int8_t)table[high + 64];
                    }
                }
                sums[p][lane] += scales[s] * (float)sum;
            }
        }
        tables += TABLE * segment->units;
        if (s + 1 == m->count || segment[1].group != segment->group) {
            for (size_t p = 0; p < m->bits; p++)
                for (size_t lane = 0; lane < 16; lane++) {
                    out[lane] += alphas[(segment->group * m->bits + p) * 16 + lane] * sums[p][lane];
                    sums[p][lane] = 0;
                }
        }
    }
    memcpy(y, out, lanes * sizeof(float));
}

#if defined(__x86_64__)
#include "signs_avx2.h"
#include "signs_avx512.h"
#include "signs_amx.h"
#elif defined(__aarch64__)
#include "signs_neon.h"
#endif

// Where prepared activations of one token go: tables of its own, or its rows of the tiles of a group.
typedef struct {
    uint8_t *at;
    float *scales;
    // Tokens of a group; 0 for tables.
    size_t height;
} place;

static size_t table_stride(const bp_segment *segments, size_t count) {
    return tables_of(segments, count) + (count * sizeof(float) + 63) / 64 * 64;
}

#if defined(__x86_64__)
static int uses_tiles(bp_isa isa, size_t tokens, size_t count) {
    return isa == BP_AMX && tokens >= FEWEST_TILE_TOKENS && count;
}
#endif

size_t bp_sign_tables_size(bp_isa isa, const bp_segment *segments, size_t count, size_t tokens) {
#if defined(__x86_64__)
    if (uses_tiles(isa, tokens, count)) {
        const size_t height = tile_height(tokens);
        return (tokens + height - 1) / height * tile_group_size(segments, count, height);
    }
#endif
    return tokens * table_stride(segments, count);
}

static place place_of(bp_isa isa, const bp_segment *segments, size_t count, size_t t, size_t tokens, uint8_t *tables) {
#if defined(__x86_64__)
    if (uses_tiles(isa, tokens, count)) {
        const size_t height = tile_height(tokens);
        uint8_t *group = tables + t / height * tile_group_size(segments, count, height);
        float *scales = (float *)(group + 128 * height * tile_steps(segments, count));
        return (place){group + 64 * (t % height), scales + t % height, height};
    }
#endif
    uint8_t *table = tables + t * table_stride(segments, count);
    return (place){table, (float *)(table + tables_of(segments, count)), 0};
}

// Writes a segment, whose numbers stand in `q` from first_column % 32 on, and moves `place` behind it.
static void put_segment(bp_isa isa, const bp_segment *segment, float scale, int16_t *q, place *place) {
    // Zeros outside the segment, as far as whole steps of tiles.
    const size_t before = segment->first_column % 32, n = segment->columns, units = (segment->units + 1) / 2 * 2;
    memset(q, 0, before * sizeof *q);
    memset(q + before + n, 0, (32 * units - before - n) * sizeof *q);
    *place->scales = scale;
#if defined(__x86_64__)
    if (place->height) {
        put_in_tiles(q, units / 2, place->height, place->at);
        place->at += 64 * place->height * units;
        place->scales += place->height;
        return;
    }
#endif
    place->scales++;
    for (size_t w = 0; w < segment->units; w++, place->at += TABLE) DISPATCH(isa, word_tables, q + 32 * w, place->at);
}

void bp_sign_tables(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments, size_t count,
                    uint8_t *tables) {
    int16_t q[BP_SEGMENT + 64];
    for (size_t t = 0; t < tokens; t++, x += columns) {
        place place = place_of(isa, segments, count, t, tokens, tables);
        for (size_t s = 0; s < count; s++) {
            const size_t first = segments[s].first_column;
            const float scale = DISPATCH(isa, quantize, x + first, segments[s].columns, 8191, q + first % 32);
            put_segment(isa, segments + s, scale, q, &place);
        }
    }
}

void bp_bitlinear_tables(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments,
                         size_t count, uint8_t *tables) {
    int16_t q[BP_SEGMENT + 64];
    float normal[BP_SEGMENT];
    for (size_t t = 0; t < tokens; t++, x += columns) {
        const moments m = DISPATCH(isa, moments, x, columns);
        place place = place_of(isa, segments, count, t, tokens, tables);
        for (size_t s = 0; s < count; s++) {
            const size_t first = segments[s].first_column, n = segments[s].columns;
            DISPATCH(isa, normal, x + first, n, m, normal);
            DISPATCH(isa, round, normal, n, 128 / (m.largest > 0 ? m.largest : 1), 127, q + first % 32);
            put_segment(isa, segments + s, isfinite(m.factor) && isfinite(m.largest) ? m.largest / 128 : NAN, q, &place);
        }
    }
}

void bp_signs_multiply(bp_isa isa, const uint8_t *signs, size_t bits, size_t rows, size_t columns, const float *alphas,
                       size_t groups, const bp_segment *segments, size_t count, const uint8_t *tables, size_t tokens,
                       float *y) {
    const sign_matrix m = {signs, signs + rows * bits * ((columns + 7) / 8), bits, rows, columns, alphas, groups, segments, count, tables_of(segments, count), rows * bits * ((columns + 7) / 8) >= LONG_STREAM};
    const size_t height = bp_block_rows(bits), size = table_stride(segments, count);
    const size_t row_bytes = (columns + 7) / 8 / 4 * 4 * bits;
#if defined(__x86_64__)
    if (uses_tiles(isa, tokens, count)) return multiply_amx(&m, tables, tokens, y);
#endif
    for (size_t r = 0; r < rows; r += height) {
        const size_t in_block = rows - r < height ? rows - r : height;
        const uint8_t *block = signs + row_bytes * r;
        for (size_t t = 0; t < tokens; t++) {
            const uint8_t *of_token = tables + t * size;
            float *out = y + t * rows + r;
#if defined(__x86_64__)
            if (HAS_AVX512(isa) && in_block == height) {
                if (bits <= 6 && t + 1 < tokens) {
                    pair_of_tokens_avx512(&m, block, r, of_token, size, out);
                    t++;
                    continue;
                }
                block_avx512(&m, block, r, of_token, out);
                continue;
            }
#endif
            for (size_t i = 0; i < in_block; i += 16) {
                const size_t lanes = in_block - i < 16 ? in_block - i : 16;
#if defined(__aarch64__)
                if (isa == BP_NEON) {
                    rows_neon(&m, block + 4 * i, 4 * in_block, r + i, lanes, of_token, out + i);
                    continue;
                }
#endif
                DISPATCH(isa, rows, &m, block + 4 * i, 4 * in_block, r + i, lanes, of_token, out + i);
            }
        }
    }
}
