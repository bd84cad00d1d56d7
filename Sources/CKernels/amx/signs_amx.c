// AMX: several tokens at a time. A tile holds 64 columns of bytes of up to 16 tokens, another the same
// columns of 16 rows of signs, spread from bits to bytes of 1 and -1: with q = 256 high + low, the sums are
// two products of tiles. They are the integers that the tables give, so all that follows has the same bits.
#include "../sign_tiles.h"
#include "tiles.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES ",gfni,amx-tile,amx-int8"))), apply_to = function)

void bp_sign_put_in_tiles_amx(const int16_t *q, size_t steps, size_t height, uint8_t *row) {
    const __m512i words = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 64, 66, 68, 70, 72, 74, 76, 78);
    const __m512i low = _mm512_add_epi32(_mm512_mullo_epi32(words, _mm512_set1_epi32(0x01010101)), _mm512_set1_epi32(0x30201000));
    const __m512i high = _mm512_add_epi8(low, _mm512_set1_epi8(1));
    for (size_t k = 0; k < steps; k++, q += 64, row += 128 * height) {
        const __m512i a = _mm512_loadu_si512(q), b = _mm512_loadu_si512(q + 32);
        _mm512_storeu_si512(row, _mm512_permutex2var_epi8(a, high, b));
        _mm512_storeu_si512(row + 64 * height, _mm512_permutex2var_epi8(a, low, b));
    }
}

// 32 columns of 16 rows of signs as bytes of 1 and -1, half a tile.
INLINE void spread_signs(__m512i words, uint8_t *tile) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; j++) {
        // Bits 1 to 7 of a byte become the complement of bit j, bit 0 becomes 1.
        const __m512i matrix = _mm512_set1_epi64(0x0001010101010101 << j);
        _mm512_store_si512(tile + 64 * j, _mm512_gf2p8affine_epi64_epi8(words, matrix, 0xff));
    }
}

// The order of work: block of rows by block of rows, group of columns by group, the planes of every 16 rows
// in pairs, and for each pair the group's segments.
typedef struct {
    size_t row, rows, vectors;
    // The first 16 rows of the pair: the second ones follow in the plane, or begin the next.
    size_t plane, vector;
    // The segment, where its group begins, and the steps before either.
    size_t s, group_start, step, group_step;
} tile_unit;

static tile_unit first_unit(const sign_matrix *m) {
    const size_t height = bp_block_rows(m->bits), all = m->part.end - m->part.first, rows = all < height ? all : height;
    return (tile_unit){.row = m->part.first, .rows = rows, .vectors = (rows + 15) / 16};
}

INLINE int starts_group(const sign_matrix *m, size_t s) {
    return s == 0 || m->segments[s].group != m->segments[s - 1].group;
}

INLINE int ends_group(const sign_matrix *m, size_t s) { return s + 1 == m->count || starts_group(m, s + 1); }

// Moves on; beyond the last one `row` is the part's end.
INLINE void next_unit(const sign_matrix *m, tile_unit *u) {
    u->step += steps_of(m->segments + u->s);
    if (!ends_group(m, u->s)) {
        u->s++;
        return;
    }
    for (u->vector += 2; u->vector >= u->vectors; u->plane++) u->vector -= u->vectors;
    if (u->plane < m->bits) {
        u->s = u->group_start;
        u->step = u->group_step;
        return;
    }
    u->plane = u->vector = 0;
    if (++u->s < m->count) {
        u->group_start = u->s;
        u->group_step = u->step;
    } else {
        u->s = u->group_start = u->step = u->group_step = 0;
        u->row += u->rows;
        if (m->part.end - u->row < u->rows) u->rows = m->part.end - u->row;
        u->vectors = (u->rows + 15) / 16;
    }
}

INLINE void next_part(const tile_unit *u, size_t *plane, size_t *vector) {
    if (++*vector == u->vectors) *vector = 0, ++*plane;
}

INLINE __mmask16 lanes_of(const tile_unit *u, size_t v) {
    return (__mmask16)(u->rows - 16 * v < 16 ? (1u << (u->rows - 16 * v)) - 1 : 0xffff);
}

// Groups of tokens that go through the signs together, steps of the longest segment, 16 rows in a block.
enum { TILE_GROUPS = 6, SEGMENT_STEPS = BP_SEGMENT / 64, TILE_VECTORS = 4 };

typedef struct {
    uint8_t signs[SEGMENT_STEPS][2][TILE] __attribute__((aligned(64)));
    int32_t products[2][2][TILE_TOKENS][16];
    // Sums over the segments of a group of columns; outputs until the last plane.
    float sums[TILE_GROUPS][2][TILE_TOKENS][16];
    float outputs[TILE_GROUPS][TILE_VECTORS][TILE_TOKENS][16];
} tile_scratch;

// Where the signs of a unit are.
typedef struct {
    size_t steps, parts, stride;
    // Of the parts' first words.
    const uint8_t *signs[2];
    // Nothing is cut short: not the last rows, nor the last columns.
    int is_whole;
} tile_signs;

INLINE tile_signs signs_of(const sign_matrix *m, const tile_unit *u) {
    if (u->row == m->part.end) return (tile_signs){0};
    const bp_segment *segment = m->segments + u->s;
    const size_t whole = (m->columns + 7) / 8 / 4, stride = 4 * u->rows * m->bits;
    const uint8_t *block = m->signs + whole * 4 * m->bits * u->row + segment->first_unit * stride;
    tile_signs signs = {steps_of(segment), 0, stride, {0}, u->rows % 16 == 0 && segment->units % 2 == 0};
    signs.is_whole &= segment->first_unit + segment->units <= whole;
    size_t p = u->plane, v = u->vector;
    for (; signs.parts < 2 && p < m->bits; signs.parts++, next_part(u, &p, &v))
        signs.signs[signs.parts] = block + 4 * u->rows * p + 64 * v;
    // A part that is missing may be any: its products are not used.
    if (signs.parts == 1) signs.signs[1] = signs.signs[0];
    return signs;
}

INLINE __m512i load_tail_avx512(const sign_matrix *m, size_t plane, size_t row, size_t lanes) {
    uint8_t words[64];
    load_tails(m, plane, row, lanes, words);
    return _mm512_loadu_si512(words);
}

// Spreads step k where something is cut short. What follows a segment's last unit of columns meets zeros.
static void spread_edge(const sign_matrix *m, const tile_unit *u, const tile_signs *from, size_t k, uint8_t tiles[2][TILE]) {
    const bp_segment *segment = m->segments + u->s;
    const size_t whole = (m->columns + 7) / 8 / 4;
    size_t p = u->plane, v = u->vector;
    for (size_t i = 0; i < from->parts; i++, next_part(u, &p, &v)) {
        const __mmask16 mask = lanes_of(u, v);
        for (size_t n = 2 * k; n < 2 * k + 2 && n < segment->units; n++)
            spread_signs(segment->first_unit + n < whole
                             ? _mm512_maskz_loadu_epi32(mask, from->signs[i] + n * from->stride)
                             : load_tail_avx512(m, p, u->row + 16 * v, (size_t)__builtin_popcount(mask)),
                         tiles[i] + TILE / 2 * (n - 2 * k));
    }
}

INLINE void spread_step(const sign_matrix *m, const tile_unit *u, const tile_signs *from, size_t k, uint8_t tiles[2][TILE]) {
    if (!from->is_whole) return spread_edge(m, u, from, k, tiles);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 2; i++)
#pragma clang loop unroll(full)
        for (size_t half = 0; half < 2; half++)
            spread_signs(_mm512_loadu_si512(from->signs[i] + (2 * k + half) * from->stride), tiles[i] + TILE / 2 * half);
}

// Where products that tiles have left go: into the sums of their parts, and from a group's last segment,
// times the alphas, into the outputs.
typedef struct {
    size_t tokens, parts;
    const float *scales;
    float (*sums)[TILE_TOKENS][16];
    int is_first, is_last;
    struct {
        const float *alphas, *from;
        float *to;
        size_t stride;
        __mmask16 mask;
    } part[2];
} tile_target;

INLINE void set_target(const sign_matrix *m, const tile_unit *u, size_t g, size_t tokens, const float *scales,
                       tile_scratch *scratch, float *y, tile_target *target) {
    const size_t group = m->segments[u->s].group;
    target->tokens = tokens;
    target->parts = 0;
    target->scales = scales;
    target->sums = scratch->sums[g];
    target->is_first = starts_group(m, u->s);
    target->is_last = ends_group(m, u->s);
    size_t p = u->plane, v = u->vector;
    for (; target->parts < 2 && p < m->bits; target->parts++, next_part(u, &p, &v)) {
        float *outputs = scratch->outputs[g][v][0];
        const int is_output = p + 1 == m->bits && u->s + 1 == m->count;
        target->part[target->parts].alphas =
            m->alphas + (u->row + 16 * v) * m->groups * m->bits + 16 * (group * m->bits + p);
        target->part[target->parts].from = p || group ? outputs : 0;
        target->part[target->parts].to = is_output ? y + u->row + 16 * v : outputs;
        target->part[target->parts].stride = is_output ? m->rows : 16;
        target->part[target->parts].mask = is_output ? lanes_of(u, v) : 0xffff;
    }
}

// The sums of token t with its products in this segment.
INLINE __m512 sums_with(int32_t products[2][TILE_TOKENS][16], float scale, float sums[TILE_TOKENS][16], int is_first, size_t t) {
    const __m512i high = _mm512_load_si512(products[0][t]), low = _mm512_load_si512(products[1][t]);
    const __m512 integers = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 8), low));
    const __m512 before = is_first ? _mm512_setzero_ps() : _mm512_load_ps(sums[t]);
    return _mm512_add_ps(before, _mm512_mul_ps(_mm512_set1_ps(scale), integers));
}

// Adds the products of up to 4 tokens.
INLINE void add_products(int32_t products[2][2][TILE_TOKENS][16], const tile_target *to, size_t first) {
    const size_t end = first + 4 < to->tokens ? first + 4 : to->tokens;
    for (size_t i = 0; i < to->parts; i++) {
        if (!to->is_last) {
            for (size_t t = first; t < end; t++)
                _mm512_store_ps(to->sums[i][t], sums_with(products[i], to->scales[t], to->sums[i], to->is_first, t));
            continue;
        }
        const __m512 alphas = _mm512_loadu_ps(to->part[i].alphas);
        const float *from = to->part[i].from;
        for (size_t t = first; t < end; t++) {
            const __m512 sum = sums_with(products[i], to->scales[t], to->sums[i], to->is_first, t);
            const __m512 output = from ? _mm512_load_ps(from + 16 * t) : _mm512_setzero_ps();
            _mm512_mask_storeu_ps(to->part[i].to + t * to->part[i].stride, to->part[i].mask,
                                  _mm512_add_ps(output, _mm512_mul_ps(alphas, sum)));
        }
    }
}

// All rows of the part times up to TILE_GROUPS groups of tokens. A product of tiles is slow to finish:
// between them the signs of the next unit are spread, each step where this unit's has just been read, and the
// products before them are added.
static void groups_amx(const sign_matrix *m, tile_scratch *scratch, const uint8_t *activations, size_t size, size_t height,
                       size_t tokens, float *y) {
    const size_t tile = 64 * height, scales_at = 2 * tile * tile_steps(m->segments, m->count);
    tile_target before = {0};
    tile_unit next = first_unit(m);
    tile_signs signs = signs_of(m, &next);
    for (size_t k = 0; k < signs.steps; k++) spread_step(m, &next, &signs, k, scratch->signs[k]);
    while (next.row < m->part.end) {
        const tile_unit u = next;
        const size_t steps = signs.steps;
        next_unit(m, &next);
        signs = signs_of(m, &next);
        for (size_t g = 0; g * height < tokens; g++) {
            const int is_last = (g + 1) * height >= tokens;
            const uint8_t *group = activations + g * size, *at = group + 2 * tile * u.step;
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (size_t k = 0; k < steps; k++, at += 2 * tile) {
                _tile_loadd(4, at, 64);
                _tile_loadd(6, scratch->signs[k][0], 64);
                _tile_dpbssd(0, 4, 6);
                _tile_loadd(7, scratch->signs[k][1], 64);
                _tile_dpbssd(2, 4, 7);
                _tile_loadd(5, at + tile, 64);
                _tile_dpbusd(1, 5, 6);
                _tile_dpbusd(3, 5, 7);
                add_products(scratch->products, &before, 4 * k);
                if (is_last && k < signs.steps) spread_step(m, &next, &signs, k, scratch->signs[k]);
            }
            for (size_t t = 4 * steps; t < before.tokens; t += 4) add_products(scratch->products, &before, t);
            for (size_t k = steps; is_last && k < signs.steps; k++) spread_step(m, &next, &signs, k, scratch->signs[k]);
            _tile_stored(0, scratch->products[0][0], 64);
            _tile_stored(1, scratch->products[0][1], 64);
            _tile_stored(2, scratch->products[1][0], 64);
            _tile_stored(3, scratch->products[1][1], 64);
            const float *scales = (const float *)(group + scales_at) + u.s * height;
            set_target(m, &u, g, is_last ? tokens - g * height : height, scales, scratch, y + g * height * m->rows, &before);
        }
    }
    for (size_t t = 0; t < before.tokens; t += 4) add_products(scratch->products, &before, t);
}

void bp_signs_multiply_amx(const sign_matrix *m, const uint8_t *activations, size_t tokens, float *y) {
    tile_configuration configuration = {.palette = 1};
    const size_t height = tile_height(tokens), size = tile_group_size(m->segments, m->count, height);
    for (int i = 0; i < 8; i++) {
        configuration.row_bytes[i] = 64;
        // Sums and activations have a row a token.
        configuration.rows[i] = i < 6 ? (uint8_t)height : 16;
    }
    tile_scratch scratch;
    _tile_loadconfig(&configuration);
    for (size_t g = 0; g * height < tokens; g += TILE_GROUPS) {
        const size_t left = tokens - g * height;
        groups_amx(m, &scratch, activations + g * size, size, height,
                   left < TILE_GROUPS * height ? left : TILE_GROUPS * height, y + g * height * m->rows);
    }
    _tile_release();
}

#pragma clang attribute pop
#endif
