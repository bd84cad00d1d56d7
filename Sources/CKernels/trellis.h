// Trellis codes: what the builds share.
#ifndef TRELLIS_H
#define TRELLIS_H
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT OFF

// Rows of a group: they take 4 PAIR bits of every column's stream, PAIR being the bits of two rows. Where
// that is odd, every second group begins in the middle of a byte. Columns of a run share an activation scale:
// so many that a row's sum over them, of weights up to 126 and activations up to 32639, fits 32 bits. Tokens
// of a batch meet weights that are decoded once.
enum { GROUP = 8, RUN = 512, BATCH = 64 };

// The lines of a group, a line being a byte of every column; the bits of the first one that belong to the
// group before; and the bit behind the window of the group's row r, counted from the line before.
#define LINES(PAIR) (((PAIR) + 1) / 2)
#define PHASE(PAIR, row) ((PAIR) % 2 && (row) / GROUP % 2 ? 4 : 0)
#define END(PAIR, PHASE, r) (8 + (PHASE) + ((r) + 1) * (PAIR) / 2)
enum { MOST_LINES = 5 };  // With the one before.

// A group of rows: where its lines lie, `columns` bytes one after the other, and the line before.
typedef struct {
    const uint8_t *before, *codes;
    // Lines and rows that are there: fewer at the end of a short segment.
    size_t lines, rows;
} trellis_group;

// The group of the rows from `row` on, a multiple of 8.
INLINE trellis_group group_at(const bp_trellis *m, size_t row) {
    const size_t first = row / BP_TRELLIS_ROWS * BP_TRELLIS_ROWS, left = m->rows - first;
    const size_t height = left < BP_TRELLIS_ROWS ? left : BP_TRELLIS_ROWS, lines = (height * m->pair_bits / 2 + 7) / 8;
    const uint8_t *segment = m->codes + first * m->pair_bits / 16 * m->columns;
    const size_t line = (row - first) * m->pair_bits / 16;
    trellis_group group = {segment + (lines - 1) * m->columns, segment + line * m->columns, LINES(m->pair_bits),
                           GROUP};
    if (line) group.before = group.codes - m->columns;
    else if (height < BP_TRELLIS_ROWS) group.before = m->opening;
    if (lines - line < group.lines) group.lines = lines - line;
    if (height - (row - first) < GROUP) group.rows = height - (row - first);
    return group;
}

// The bytes of WIDTH columns from `column` on: `at` in lines `stride` bytes apart, and the line `before`.
// Where columns or lines end earlier they are copied to `edge`, zeros behind.
typedef struct {
    const uint8_t *before, *at;
    size_t stride;
} trellis_block;

INLINE trellis_block block_at(const int PAIR, const int WIDTH, const trellis_group *group, size_t columns, size_t column,
                              uint8_t *edge) {
    if (group->lines == (size_t)LINES(PAIR) && column + WIDTH <= columns)
        return (trellis_block){group->before + column, group->codes + column, columns};
    const size_t width = columns - column < (size_t)WIDTH ? columns - column : (size_t)WIDTH;
    memset(edge, 0, (LINES(PAIR) + 1) * (size_t)WIDTH);
    memcpy(edge, group->before + column, width);
    for (size_t line = 0; line < group->lines; line++)
        memcpy(edge + (line + 1) * WIDTH, group->codes + line * columns + column, width);
    return (trellis_block){edge, edge + WIDTH, WIDTH};
}

// The activations of one token. Where a build multiplies bytes: the high bytes of all columns, then the low
// ones (signed, so that q = 256 high + low). Else numbers of 16 bits: of each 32 columns the even ones, then
// the odd ones. Zeros follow the last column, then come the runs' scales and sums.
typedef struct {
    const uint8_t *numbers;
    const float *scales;
    const int32_t *sums;
} trellis_activations;

INLINE size_t padded(size_t columns) { return (columns + 63) / 64 * 64; }
INLINE size_t runs_of(size_t columns) { return (columns + RUN - 1) / RUN; }
INLINE size_t activations_size(size_t columns) { return 2 * padded(columns) + (8 * runs_of(columns) + 63) / 64 * 64; }

INLINE trellis_activations activations_at(const uint8_t *prepared, size_t columns) {
    const float *scales = (const float *)(prepared + 2 * padded(columns));
    return (trellis_activations){prepared, scales, (const int32_t *)(scales + runs_of(columns))};
}

// Goes on with the sums of a group's rows by a run: its exact integers less the offset of all weights, whose
// whole part is exact as well.
INLINE void add_run(const bp_trellis *m, const trellis_activations *x, size_t run, const int32_t sums[GROUP],
                    float out[GROUP]) {
    const int32_t whole = (int32_t)m->offset, sum = x->sums[run];
    const float part = (m->offset - (float)whole) * (float)sum, scale = x->scales[run];
    for (size_t r = 0; r < GROUP; r++) out[r] += scale * ((float)(sums[r] - whole * sum) - part);
}

// Multiplies the sums of `count` rows from `row` on, at most MOST, by the step and the rows' scales.
INLINE void put_rows(const size_t MOST, const bp_trellis *m, size_t row, size_t count, const float *out, float *y) {
    float scaled[2 * GROUP];
    for (size_t r = 0; r < MOST; r++) scaled[r] = m->scales[row + r] * (m->step * out[r]);
    // Of a size that the compiler knows: vectors, not a call.
    if (count == MOST) memcpy(y + row, scaled, MOST * sizeof(float));
    else memcpy(y + row, scaled, count * sizeof(float));
}

// Decodes the columns from `first` on of a group, `width` of them with zeros behind the last, to a panel.
typedef void trellis_decode(const int PAIR, const int phase, const bp_trellis *m, const trellis_group *group, size_t first,
                            size_t width, void *panel);
// The sums of the rows of a panel times one token, `x` being its activations at the panel's first column.
typedef void trellis_sums(const bp_trellis *m, const void *panel, const uint8_t *x, size_t width, int32_t sums[GROUP]);

// All products with several tokens: a panel of a group by a run is decoded once for at most BATCH of them.
// From one column's activations to the next are so many `bytes`.
INLINE void trellis_batch(const int PAIR, const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part,
                          float *y, size_t bytes, trellis_decode decode, trellis_sums sums_of) {
    const size_t size = activations_size(m->columns);
    _Alignas(64) int16_t panel[GROUP * RUN];
    for (size_t start = 0; start < tokens; start += BATCH, prepared += BATCH * size, y += BATCH * m->rows) {
        const size_t count = tokens - start < BATCH ? tokens - start : BATCH;
        for (size_t row = part.first; row < part.end; row += 2 * GROUP) {
            // Two groups, so that results fill a cache line.
            const size_t rows = part.end - row < 2 * GROUP ? part.end - row : 2 * GROUP;
            float out[BATCH][2 * GROUP];
            memset(out, 0, count * sizeof *out);
            for (size_t r = 0; r < rows; r += GROUP) {
                const trellis_group group = group_at(m, row + r);
                for (size_t run = 0; run < runs_of(m->columns); run++) {
                    const size_t first = run * RUN, left = padded(m->columns) - first, width = left < RUN ? left : RUN;
                    if (PHASE(PAIR, r)) decode(PAIR, 4, m, &group, first, width, panel);
                    else decode(PAIR, 0, m, &group, first, width, panel);
                    for (size_t t = 0; t < count; t++) {
                        const trellis_activations x = activations_at(prepared + t * size, m->columns);
                        int32_t sums[GROUP];
                        sums_of(m, panel, x.numbers + bytes * first, width, sums);
                        add_run(m, &x, run, sums, out[t] + r);
                    }
                }
            }
            for (size_t t = 0; t < count; t++) put_rows(2 * GROUP, m, row, rows, out[t], y + t * m->rows);
        }
    }
}

// The bits of two rows as a constant.
#define FOR_PAIR_BITS(pair, call) \
    switch (pair) {               \
    case 2: call(2); break;       \
    case 3: call(3); break;       \
    case 4: call(4); break;       \
    case 5: call(5); break;       \
    case 6: call(6); break;       \
    case 7: call(7); break;       \
    default: call(8);             \
    }

// Products with several tokens; the portable build takes one like that too.
DECLARE(void, bp_trellis_batch, const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y);
void bp_trellis_batch_neon(const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y);
void bp_trellis_batch_neon_dot(const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y);
void bp_trellis_token_avx2(const bp_trellis *m, const uint8_t *prepared, bp_part part, float *y);
void bp_trellis_token_avx512(const bp_trellis *m, const uint8_t *prepared, bp_part part, float *y);
#endif
