// The product of weights in panels on vectors of 16 numbers, which a compiler cuts into those of an
// instruction set. A result is one sum in the order of the columns, whatever the tiles.
#ifndef PANEL_FUNCTIONS_H
#define PANEL_FUNCTIONS_H
#include "lanes.h"
#include "panels.h"
#pragma STDC FP_CONTRACT ON

enum { MOST_TOKENS = 6, MOST_VECTORS = 4 };

typedef _Float16 h16 __attribute__((vector_size(32), aligned(2)));

// Number `i` of weights of FP32 or FP16.
INLINE const void *weight_at(const int HALF, const void *weights, size_t i) {
    return (const char *)weights + (HALF ? 2 : 4) * i;
}

// 16 weights from number `i` on.
INLINE void load_weights(const int HALF, const void *weights, size_t i, v16 *out) {
    const void *at = weight_at(HALF, weights, i);
    if (HALF) *out = __builtin_convertvector(*(const h16 *)at, v16);
    else *out = *(const v16 *)at;
}

// A tile of TOKENS x 16 VECTORS outputs, with weights of FP16 where HALF is 1, goes on with its sums over
// `columns` columns of a panel. Meanwhile two lines at `next`, which moves on by `step` bytes a column, are
// fetched for later.
INLINE void tile(const int HALF, const int TOKENS, const int VECTORS, const void *restrict panel, size_t columns,
                 const float *restrict x, size_t x_stride, float *restrict y, size_t y_stride, size_t width, int first,
                 const char *next, size_t step) {
    const size_t whole = 16 * (size_t)VECTORS;
    v16 sums[MOST_TOKENS][MOST_VECTORS];
    float edge[16 * MOST_VECTORS];
#pragma clang loop unroll(full)
    for (int t = 0; t < TOKENS; t++) {
        if (first) {
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sums[t][v] = (v16){0};
        } else {
            const float *from = y + t * y_stride;
            if (width < whole) {
                for (size_t i = 0; i < width; i++) edge[i] = from[i];
                from = edge;
            }
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sums[t][v] = *(const v16 *)(from + 16 * v);
        }
    }
    for (size_t c = 0; c < columns; c++, panel = weight_at(HALF, panel, BP_PANEL), next += step) {
        v16 w[MOST_VECTORS];
        __builtin_prefetch(next, 0, 2);
        __builtin_prefetch(next + 64, 0, 2);
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) load_weights(HALF, panel, 16 * v, &w[v]);
#pragma clang loop unroll(full)
        for (int t = 0; t < TOKENS; t++) {
            const float a = x[t * x_stride + c];
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sums[t][v] += w[v] * a;
        }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < TOKENS; t++) {
        float *to = width < whole ? edge : y + t * y_stride;
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) *(v16 *)(to + 16 * v) = sums[t][v];
        for (size_t i = 0; width < whole && i < width; i++) y[t * y_stride + i] = edge[i];
    }
}

// One token against COUNT whole panels at once: independent sums that hide the latency of a multiply-add, and
// streams that memory serves side by side.
INLINE void vector_panels(const int COUNT, const float *restrict panel, size_t columns,
                          const float *restrict x, float *restrict y) {
    enum { VECTORS = BP_PANEL / 16 };
    v16 sums[4][VECTORS];
#pragma clang loop unroll(full)
    for (int p = 0; p < COUNT; p++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) sums[p][v] = (v16){0};
    for (size_t c = 0; c < columns; c++) {
        const float a = x[c];
#pragma clang loop unroll(full)
        for (int p = 0; p < COUNT; p++) {
            const float *w = panel + (p * columns + c) * BP_PANEL;
            __builtin_prefetch(w + 16 * BP_PANEL);
            __builtin_prefetch(w + 16 * BP_PANEL + 16);
            __builtin_prefetch(w + 16 * BP_PANEL + 32);
            __builtin_prefetch(w + 16 * BP_PANEL + 48);
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sums[p][v] += *(const v16 *)(w + 16 * v) * a;
        }
    }
#pragma clang loop unroll(full)
    for (int p = 0; p < COUNT; p++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) *(v16 *)(y + p * BP_PANEL + 16 * v) = sums[p][v];
}

// All products, in tiles of at most HEIGHT tokens by 16 VECTORS rows; one token meets TOGETHER panels at
// once. The next tile of tokens follows after CHUNK columns, whose part of a panel stays in the near caches.
INLINE void panels_multiply_tiles(const int HALF, const int HEIGHT, const int VECTORS, const size_t CHUNK, const void *panels,
                                  size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                                  size_t y_stride, int adds) {
    if (tokens == 0) return;
    // Tiles of nearly equal height: 32 tokens are 6 6 5 5 5 5, not 6 6 6 6 6 2.
    const size_t most = (size_t)HEIGHT, tiles = (tokens + most - 1) / most, height = tokens / tiles, higher = tokens % tiles;
    for (size_t r = 0; r < rows; r += BP_PANEL) {
        const void *panel = weight_at(HALF, panels, r * columns);
        for (size_t c = 0; c < columns || c == 0; c += CHUNK) {
            const size_t chunk = columns - c < CHUNK ? columns - c : CHUNK;
            size_t t = 0;
            // The first tiles fetch the next chunk of weights, a part each: memory works while they compute.
            const size_t parts = tiles < 4 ? tiles : 4, bytes = chunk * BP_PANEL * (HALF ? 2 : 4);
            const char *next = weight_at(HALF, panel, (c + chunk) * BP_PANEL);
            for (size_t index = 0; index < tiles; index++) {
                const size_t count = height + (index < higher), step = index < parts && chunk ? bytes / chunk / parts : 0;
                for (size_t s = 0; s < BP_PANEL && r + s < rows; s += 16 * (size_t)VECTORS) {
                    const void *w = weight_at(HALF, panel, c * BP_PANEL + s);
                    const float *from = x + t * columns + c;
                    float *to = y + t * y_stride + r + s;
                    const char *later = step ? next + index * bytes / parts : next;
#define CASE(n) \
    case n: \
        if (n <= HEIGHT) \
            tile(HALF, n, VECTORS, w, chunk, from, columns, to, y_stride, rows - r - s, c == 0 && !adds, later, s ? 0 : step); \
        break;
                    switch (count) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) }
#undef CASE
                }
                t += count;
            }
        }
    }
}

INLINE void panels_multiply(const int HEIGHT, const int VECTORS, const int TOGETHER, const size_t CHUNK,
                            const float *panels, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                            size_t y_stride) {
    if (tokens == 1) {
        size_t r = 0;
        for (; r + (size_t)TOGETHER * BP_PANEL <= rows; r += (size_t)TOGETHER * BP_PANEL)
            vector_panels(TOGETHER, panels + r * columns, columns, x, y + r);
        for (; r + BP_PANEL <= rows; r += BP_PANEL)
            vector_panels(1, panels + r * columns, columns, x, y + r);
        if (r < rows) {
            float last[BP_PANEL];
            vector_panels(1, panels + r * columns, columns, x, last);
            memcpy(y + r, last, (rows - r) * sizeof(float));
        }
        return;
    }
    panels_multiply_tiles(0, HEIGHT, VECTORS, CHUNK, panels, rows, columns, x, tokens, y, y_stride, 0);
}
#endif
