// AMX: products of tiles of BF16.
#include "../split.h"
#include "tiles.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES ",avx512bf16,amx-tile,amx-bf16"))), apply_to = function)

// Splits `tokens` tokens, and zeros up to a whole tile.
static void split_tokens(const float *x, size_t columns, size_t tokens, uint16_t *tiles) {
    for (size_t t = 0; t < (tokens + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS; t++) {
        uint16_t *to = tiles + t / TILE_ROWS * steps_of(columns) * 2 * TILE_NUMBERS + t % TILE_ROWS * TILE_COLUMNS;
        for (size_t k = 0; k < steps_of(columns); k++, to += 2 * TILE_NUMBERS) {
            const size_t c = k * TILE_COLUMNS;
            const size_t left = t < tokens ? columns - c : 0;
            const __mmask16 first = left < 16 ? (__mmask16)((1u << left) - 1) : 0xffff;
            const __mmask16 second = left < 16 ? 0 : left < 32 ? (__mmask16)((1u << (left - 16)) - 1) : 0xffff;
            const __m512 a = _mm512_maskz_loadu_ps(first, x + t * columns + c);
            const __m512 b = _mm512_maskz_loadu_ps(second, x + t * columns + c + 16);
            const __m512i high = (__m512i)_mm512_cvtne2ps_pbh(b, a);
            const __m512i low_half = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(high));
            const __m512i high_half = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(high, 1));
            const __m512 a_left = _mm512_sub_ps(a, _mm512_castsi512_ps(_mm512_slli_epi32(low_half, 16)));
            const __m512 b_left = _mm512_sub_ps(b, _mm512_castsi512_ps(_mm512_slli_epi32(high_half, 16)));
            _mm512_storeu_si512(to, high);
            _mm512_storeu_si512(to + TILE_NUMBERS, (__m512i)_mm512_cvtne2ps_pbh(b_left, a_left));
        }
    }
}

// Steps of columns after which the next tokens follow: two rows of tiles of weights stay in the nearest cache
// meanwhile.
enum { CHUNK = 8, STEP = 2 * TILE_NUMBERS };

// 64 lines, a part of them after each product.
INLINE void fetch(const uint16_t *const at[2], size_t part) {
#pragma clang loop unroll(full)
    for (size_t line = 0; line < 8; line++) __builtin_prefetch(at[part / 4] + (part % 4 * 8 + line) * 32);
}

// Adds a chunk's products to the sums in tiles 0 to 3: 32 tokens by 32 rows, two tiles of either. Meanwhile
// the tokens' next tiles are fetched.
INLINE void multiply_tiles(const uint16_t *const x[2], const uint16_t *const w[2], size_t steps) {
    for (size_t k = 0; k < steps * STEP; k += STEP) {
        const uint16_t *const next[2] = {x[0] + k + STEP, x[1] + k + STEP};
        _tile_loadd(4, x[0] + k, 64);
        _tile_loadd(5, x[1] + k, 64);
        _tile_loadd(6, w[0] + k + TILE_NUMBERS, 64);
        _tile_loadd(7, w[1] + k + TILE_NUMBERS, 64);
        _tile_dpbf16ps(0, 4, 6);
        fetch(next, 0);
        _tile_dpbf16ps(1, 4, 7);
        fetch(next, 4);
        _tile_dpbf16ps(2, 5, 6);
        fetch(next, 1);
        _tile_dpbf16ps(3, 5, 7);
        fetch(next, 5);
        _tile_loadd(6, w[0] + k, 64);
        _tile_loadd(7, w[1] + k, 64);
        _tile_dpbf16ps(0, 4, 6);
        fetch(next, 2);
        _tile_dpbf16ps(1, 4, 7);
        fetch(next, 6);
        _tile_dpbf16ps(2, 5, 6);
        fetch(next, 3);
        _tile_dpbf16ps(3, 5, 7);
        fetch(next, 7);
        _tile_loadd(4, x[0] + k + TILE_NUMBERS, 64);
        _tile_loadd(5, x[1] + k + TILE_NUMBERS, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
}

INLINE void load_sums(const float *from, size_t stride) {
    _tile_loadd(0, from, 4 * stride);
    _tile_loadd(1, from + TILE_ROWS, 4 * stride);
    _tile_loadd(2, from + TILE_ROWS * stride, 4 * stride);
    _tile_loadd(3, from + TILE_ROWS * stride + TILE_ROWS, 4 * stride);
}

INLINE void store_sums(float *to, size_t stride) {
    _tile_stored(0, to, 4 * stride);
    _tile_stored(1, to + TILE_ROWS, 4 * stride);
    _tile_stored(2, to + TILE_ROWS * stride, 4 * stride);
    _tile_stored(3, to + TILE_ROWS * stride + TILE_ROWS, 4 * stride);
}

// One chunk of two rows of tiles and all tokens of a block. A second tile that is missing may be the first
// again.
static void multiply_chunk(const uint16_t *const w[2], size_t steps, const uint16_t *x, size_t stride, size_t tokens,
                           float *y, size_t rows, size_t width, int first, const uint16_t *const ahead[2]) {
    float edge[2 * TILE_ROWS][2 * TILE_ROWS];
    const size_t pairs = (tokens + 2 * TILE_ROWS - 1) / (2 * TILE_ROWS), bytes = CHUNK * STEP * sizeof(uint16_t);
    for (size_t t = 0; t < tokens; t += 2 * TILE_ROWS) {
        // A part of the weights that follow.
        for (size_t line = t / (2 * TILE_ROWS) * bytes / pairs; line < (t / (2 * TILE_ROWS) + 1) * bytes / pairs; line += 64) {
            __builtin_prefetch((const uint8_t *)ahead[0] + line, 0, 2);
            __builtin_prefetch((const uint8_t *)ahead[1] + line, 0, 2);
        }
        const uint16_t *const outer = x + t / TILE_ROWS * stride;
        const uint16_t *const z[2] = {outer, tokens - t > TILE_ROWS ? outer + stride : outer};
        float *to = y + t * rows;
        const size_t high = tokens - t < 2 * TILE_ROWS ? tokens - t : 2 * TILE_ROWS;
        const int whole = high == 2 * TILE_ROWS && width == 2 * TILE_ROWS;
        if (first) {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
        } else if (whole) {
            load_sums(to, rows);
        } else {
            for (size_t i = 0; i < high; i++) memcpy(edge[i], to + i * rows, width * sizeof(float));
            load_sums(edge[0], 2 * TILE_ROWS);
        }
        multiply_tiles(z, w, steps);
        if (whole) {
            store_sums(to, rows);
        } else {
            store_sums(edge[0], 2 * TILE_ROWS);
            for (size_t i = 0; i < high; i++) memcpy(to + i * rows, edge[i], width * sizeof(float));
        }
    }
}

void bp_split_multiply_amx(const uint16_t *tiles, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                           uint16_t *scratch) {
    tile_configuration configuration = {.palette = 1};
    for (int i = 0; i < 8; i++) configuration.row_bytes[i] = 64, configuration.rows[i] = TILE_ROWS;
    _tile_loadconfig(&configuration);
    const size_t steps = steps_of(columns), stride = steps * STEP, block = block_of(columns, tokens);
    for (size_t first = 0; first < tokens; first += block) {
        const size_t count = tokens - first < block ? tokens - first : block;
        split_tokens(x + first * columns, columns, count, scratch);
        for (size_t r = 0; r < rows; r += 2 * TILE_ROWS) {
            const size_t width = rows - r < 2 * TILE_ROWS ? rows - r : 2 * TILE_ROWS;
            const uint16_t *w[2] = {tiles + r / TILE_ROWS * stride, tiles + r / TILE_ROWS * stride};
            if (width > TILE_ROWS) w[1] += stride;
            for (size_t k = 0; k < steps; k += CHUNK, w[0] += CHUNK * STEP, w[1] += CHUNK * STEP) {
                const int is_last = steps - k <= CHUNK;
                const size_t further = is_last ? 2 * stride - k * STEP : CHUNK * STEP;
                const uint16_t *const ahead[2] = {w[0] + further, w[1] + further};
                multiply_chunk(w, is_last ? steps - k : CHUNK, scratch + k * STEP, stride, count,
                               y + first * rows + r, rows, width, k == 0, ahead);
            }
        }
    }
    _tile_release();
}

#pragma clang attribute pop
#endif
