// FP32 products on tiles of BF16. A number is split into the nearest BF16 and, rounded as well, what that
// leaves of it: 16 bits of it in all. Of a product the part of both rests is left out, so that it errs by
// about 2^-16 of itself; sums are FP32. They run through the columns in order, whatever the number of tokens.
#include "split.h"

static uint16_t nearest(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    // To even; not a number stays that.
    return (uint16_t)((bits + ((bits & 0x7fffffff) > 0x7f800000 ? 0x10000 : 0x7fff + (bits >> 16 & 1))) >> 16);
}

static float widened(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

// Where a weight is; its rest is TILE_NUMBERS further.
static size_t place_of(size_t columns, size_t r, size_t c) {
    const size_t tile = 2 * (r / TILE_ROWS * steps_of(columns) + c / TILE_COLUMNS);
    return tile * TILE_NUMBERS + c % TILE_COLUMNS / 2 * TILE_COLUMNS + r % TILE_ROWS * 2 + c % 2;
}

size_t bp_split_count(size_t rows, size_t columns) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS * steps_of(columns) * 2 * TILE_NUMBERS;
}

void bp_split_pack(const float *w, size_t rows, size_t columns, uint16_t *tiles) {
    memset(tiles, 0, bp_split_count(rows, columns) * sizeof(uint16_t));
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            uint16_t *to = tiles + place_of(columns, r, c);
            to[0] = nearest(w[r * columns + c]);
            to[TILE_NUMBERS] = nearest(w[r * columns + c] - widened(to[0]));
        }
}

void bp_split_copy_row(const uint16_t *tiles, size_t columns, size_t row, float *out) {
    for (size_t c = 0; c < columns; c++) {
        const uint16_t *from = tiles + place_of(columns, row, c);
        out[c] = widened(from[0]) + widened(from[TILE_NUMBERS]);
    }
}

size_t bp_split_scratch(size_t columns, size_t tokens) {
    return block_of(columns, tokens) * steps_of(columns) * 2 * TILE_COLUMNS;
}

static void multiply_portable(const uint16_t *tiles, size_t rows, size_t columns, const float *x, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t r = 0; r < rows; r++) {
            float sum = 0;
            for (size_t c = 0; c < columns; c++) {
                const uint16_t *w = tiles + place_of(columns, r, c);
                const float high = widened(nearest(x[t * columns + c]));
                const float rest = widened(nearest(x[t * columns + c] - high));
                sum += high * widened(w[TILE_NUMBERS]) + high * widened(w[0]) + rest * widened(w[0]);
            }
            y[t * rows + r] = sum;
        }
}

int bp_split_is_fast(void) {
#if defined(__x86_64__)
    return bp_best_isa() == BP_AMX && __builtin_cpu_supports("amx-bf16") && __builtin_cpu_supports("avx512bf16");
#else
    return 0;
#endif
}

void bp_split_multiply(int fast, const uint16_t *tiles, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                       uint16_t *scratch) {
    if (HAS_AMX(BP_AMX) && fast) bp_split_multiply_amx(tiles, rows, columns, x, tokens, y, scratch);
    else multiply_portable(tiles, rows, columns, x, tokens, y);
}
