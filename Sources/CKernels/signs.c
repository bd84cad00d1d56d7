// Binary codes: sign planes times activations by table look-up. The activations are rounded per segment, so
// that the magnitudes of 4 add up to 12 bits at most; for each 4 columns the 16 signed sums lie in a table,
// so that 4 weights are one look-up. Sums within a segment are exact integers and segments are added in one
// order, so all builds agree bit for bit.
//
// A word's tables take 256 bytes: for the low nibbles of its 4 bytes the low bytes of 4 x 16 sums, then their
// high bytes, then the same for the high nibbles.
#include <math.h>
#include "activations.h"
#include "lanes.h"
#include "sign_sums.h"
#include "sign_tiles.h"
#pragma STDC FP_CONTRACT OFF

// Whether products take tiles rather than tables.
#define USES_TILES(isa, tokens, count) (HAS_AMX(isa) && (tokens) >= FEWEST_TILE_TOKENS && (count))

// Whether tables hold sums of magnitudes (sign_sums.h).
#define USES_MAGNITUDES(isa) (HAS_NEON(isa) || (HAS_AVX2(isa) && !HAS_AVX512(isa)))

// Where prepared activations of one token go: tables of its own, or its rows of the tiles of a group.
typedef struct {
    uint8_t *at;
    float *scales;
    // Where the sum of a segment's magnitudes goes; null for tiles.
    int32_t *magnitude;
    // Tokens of a group; 0 for tables.
    size_t height;
} place;

int bp_signs_are_turned(bp_isa isa) { return USES_MAGNITUDES(isa); }

void bp_signs_turn(const uint8_t *signs, size_t bits, size_t rows, size_t columns, uint8_t *turned) {
    const size_t whole = (columns + 7) / 8 / 4, height = bp_block_rows(bits);
    memcpy(turned, signs, rows * bits * ((columns + 7) / 8));
    for (size_t r = 0; r < rows; r += height) {
        const size_t strings = bits * (rows - r < height ? rows - r : height), block = 4 * whole * bits * r;
        for (size_t w = 0; w < whole; w++)
            for (size_t first = 0; first + STRINGS <= strings; first += STRINGS) {
                const size_t at = block + 4 * (w * strings + first);
                turn(signs + at, turned + at);
            }
    }
}

static size_t table_stride(const bp_segment *segments, size_t count) {
    return tables_of(segments, count) + (8 * count + 63) / 64 * 64;
}

size_t bp_sign_tables_size(bp_isa isa, const bp_segment *segments, size_t count, size_t tokens) {
    if (USES_TILES(isa, tokens, count)) {
        const size_t height = tile_height(tokens);
        return (tokens + height - 1) / height * tile_group_size(segments, count, height);
    }
    return tokens * table_stride(segments, count);
}

static place place_of(bp_isa isa, const bp_segment *segments, size_t count, size_t t, size_t tokens, uint8_t *tables) {
    if (USES_TILES(isa, tokens, count)) {
        const size_t height = tile_height(tokens);
        uint8_t *group = tables + t / height * tile_group_size(segments, count, height);
        float *scales = (float *)(group + 128 * height * tile_steps(segments, count));
        return (place){group + 64 * (t % height), scales + t % height, 0, height};
    }
    uint8_t *table = tables + t * table_stride(segments, count);
    float *scales = (float *)(table + tables_of(segments, count));
    return (place){table, scales, (int32_t *)(scales + count), 0};
}

// Writes a segment, whose numbers stand in `q` from first_column % 32 on, and moves `place` behind it.
static void put_segment(bp_isa isa, const bp_segment *segment, float scale, int16_t *q, place *place) {
    // Zeros outside the segment, as far as whole steps of tiles.
    const size_t before = segment->first_column % 32, n = segment->columns, units = (segment->units + 1) / 2 * 2;
    memset(q, 0, before * sizeof *q);
    memset(q + before + n, 0, (32 * units - before - n) * sizeof *q);
    *place->scales = scale;
    if (HAS_AMX(isa) && place->height) {
        bp_sign_put_in_tiles_amx(q, units / 2, place->height, place->at);
        place->at += 64 * place->height * units;
        place->scales += place->height;
        return;
    }
    place->scales++;
    if (USES_MAGNITUDES(isa)) {
        int32_t magnitude = 0;
        for (size_t i = before; i < before + n; i++) magnitude += q[i] < 0 ? -q[i] : q[i];
        *place->magnitude++ = magnitude;
    }
    if (HAS_NEON(isa)) bp_sign_word_tables_neon(q, segment->units, place->at);
    else DISPATCH(isa, bp_sign_word_tables, q, segment->units, place->at);
    place->at += TABLE * segment->units;
}

// Sums of neighbours, of 32 numbers.
INLINE void sums_of_two(const v16 *a, const v16 *b, v16 *sums) {
    *sums = __builtin_shufflevector(*a, *b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
        + __builtin_shufflevector(*a, *b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

// The bits of the largest sum of the magnitudes of 4 columns that share a nibble; `before` columns of the
// first one are not there.
static uint32_t top_of_sums(const float *x, size_t n, size_t before) {
    float numbers[BP_SEGMENT + 64];
    const size_t all = (before + n + 63) / 64 * 64;
    memset(numbers, 0, before * sizeof *numbers);
    memcpy(numbers + before, x, n * sizeof *numbers);
    memset(numbers + before + n, 0, (all - before - n) * sizeof *numbers);
    i16 top = {0};
    for (size_t i = 0; i < all; i += 64) {
        v16 v[4], pairs[2], sums;
        for (size_t k = 0; k < 4; k++) v[k] = ABS(*(const v16 *)(numbers + i + 16 * k));
        sums_of_two(v, v + 1, pairs);
        sums_of_two(v + 2, v + 3, pairs + 1);
        sums_of_two(pairs, pairs + 1, &sums);
        const i16 more = (i16)sums > top;
        top = ((i16)sums & more) | (top & ~more);
    }
    uint32_t largest = 0;
    for (size_t i = 0; i < 16; i++) largest = (uint32_t)top[i] > largest ? (uint32_t)top[i] : largest;
    return largest;
}

void bp_sign_tables(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments, size_t count,
                    uint8_t *tables) {
    int16_t q[BP_SEGMENT + 64];
    for (size_t t = 0; t < tokens; t++, x += columns) {
        place place = place_of(isa, segments, count, t, tokens, tables);
        for (size_t s = 0; s < count; s++) {
            const size_t first = segments[s].first_column;
            const size_t n = segments[s].columns, before = first % 32;
            const float scale = bp_quantize_within(isa, x + first, n, top_of_sums(x + first, n, before % 4), LARGEST_SUM, q + before);
            put_segment(isa, segments + s, scale, q, &place);
        }
    }
}

void bp_bitlinear_tables(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments,
                         size_t count, uint8_t *tables) {
    int16_t q[BP_SEGMENT + 64];
    float normal[BP_SEGMENT];
    for (size_t t = 0; t < tokens; t++, x += columns) {
        moments m;
        DISPATCH(isa, bp_moments, x, columns, &m);
        place place = place_of(isa, segments, count, t, tokens, tables);
        for (size_t s = 0; s < count; s++) {
            const size_t first = segments[s].first_column, n = segments[s].columns;
            DISPATCH(isa, bp_normal, x + first, n, m, normal);
            DISPATCH(isa, bp_round, normal, n, 128 / (m.largest > 0 ? m.largest : 1), 127, q + first % 32);
            put_segment(isa, segments + s, isfinite(m.factor) && isfinite(m.largest) ? m.largest / 128 : NAN, q, &place);
        }
    }
}

void bp_signs_multiply(bp_isa isa, const uint8_t *signs, size_t bits, size_t rows, size_t columns, const float *alphas,
                       size_t groups, const bp_segment *segments, size_t count, const uint8_t *tables, size_t tokens,
                       bp_part part, float *y) {
    const size_t bytes = rows * bits * ((columns + 7) / 8);
    const sign_matrix m = {signs, signs + bytes, bits, rows, columns, part, alphas, groups, segments, count,
                           tables_of(segments, count), bytes >= LONG_STREAM};
    const size_t height = bp_block_rows(bits), size = table_stride(segments, count);
    const size_t row_bytes = (columns + 7) / 8 / 4 * 4 * bits;
    if (USES_TILES(isa, tokens, count)) return bp_signs_multiply_amx(&m, tables, tokens, y);
    for (size_t r = part.first; r < part.end; r += height) {
        const size_t in_block = part.end - r < height ? part.end - r : height;
        const uint8_t *block = signs + row_bytes * r;
        if (HAS_NEON(isa)) {
            bp_sign_block_neon(&m, block, r, in_block, tables, size, tokens, y + r);
            continue;
        }
        if (HAS_AVX2(isa) && !HAS_AVX512(isa)) {
            bp_sign_block_avx2(&m, block, r, in_block, tables, size, tokens, y + r);
            continue;
        }
        for (size_t t = 0; t < tokens; t++) {
            const uint8_t *of_token = tables + t * size;
            float *out = y + t * rows + r;
            if (HAS_AVX512(isa) && in_block == height) {
                if (bits <= 6 && t + 1 < tokens) {
                    bp_sign_pair_of_tokens_avx512(&m, block, r, of_token, size, out);
                    t++;
                    continue;
                }
                bp_sign_block_avx512(&m, block, r, of_token, out);
                continue;
            }
            for (size_t i = 0; i < in_block; i += 16) {
                const size_t lanes = in_block - i < 16 ? in_block - i : 16;
                if (HAS_AVX512(isa)) bp_sign_rows_avx512(&m, block + 4 * i, 4 * in_block, r + i, lanes, of_token, out + i);
                else bp_sign_rows_portable(&m, block + 4 * i, 4 * in_block, r + i, lanes, of_token, out + i);
            }
        }
    }
}
