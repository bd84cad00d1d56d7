// The FP32 product for one instruction set: SUFFIX, LANES floats in a vector, SLICE vectors side by side in a tile.
typedef float JOIN(vec, SUFFIX) __attribute__((vector_size(4 * LANES), aligned(4)));
#define vec JOIN(vec, SUFFIX)

// Columns that are multiplied before the next tile of tokens: their part of a panel stays in the near caches.
enum { JOIN(CHUNK, SUFFIX) = 512 };

// A tile of `tokens` x (SLICE * LANES) outputs goes on with its sums over `columns` columns of a panel. Meanwhile two lines
// at `next`, which moves on by `step` bytes a column, are fetched for later.
INLINE void JOIN(tile, SUFFIX)(const int tokens, const float *restrict panel, size_t columns, const float *restrict x,
                               size_t x_stride, float *restrict y, size_t y_stride, size_t width, int first,
                               const char *next, size_t step) {
    vec sums[6][SLICE];
    float edge[SLICE * LANES];
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++) {
        if (first) {
#pragma clang loop unroll(full)
            for (int v = 0; v < SLICE; v++) sums[t][v] = (vec){0};
        } else {
            const float *from = y + t * y_stride;
            if (width < SLICE * LANES) {
                for (size_t i = 0; i < width; i++) edge[i] = from[i];
                from = edge;
            }
#pragma clang loop unroll(full)
            for (int v = 0; v < SLICE; v++) sums[t][v] = *(const vec *)(from + v * LANES);
        }
    }
    for (size_t c = 0; c < columns; c++, panel += BP_PANEL, next += step) {
        vec w[SLICE];
        __builtin_prefetch(next, 0, 2);
        __builtin_prefetch(next + 64, 0, 2);
#pragma clang loop unroll(full)
        for (int v = 0; v < SLICE; v++) w[v] = *(const vec *)(panel + v * LANES);
#pragma clang loop unroll(full)
        for (int t = 0; t < tokens; t++) {
            const float a = x[t * x_stride + c];
#pragma clang loop unroll(full)
            for (int v = 0; v < SLICE; v++) sums[t][v] += w[v] * a;
        }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++) {
        float *to = width < SLICE * LANES ? edge : y + t * y_stride;
#pragma clang loop unroll(full)
        for (int v = 0; v < SLICE; v++) *(vec *)(to + v * LANES) = sums[t][v];
        if (width < SLICE * LANES) for (size_t i = 0; i < width; i++) y[t * y_stride + i] = edge[i];
    }
}

static void JOIN(tile_of, SUFFIX)(size_t tokens, const float *panel, size_t columns, const float *x, size_t x_stride,
                                  float *y, size_t y_stride, size_t width, int first, const char *next, size_t step) {
    switch (tokens) {
    case 1: JOIN(tile, SUFFIX)(1, panel, columns, x, x_stride, y, y_stride, width, first, next, step); break;
    case 2: JOIN(tile, SUFFIX)(2, panel, columns, x, x_stride, y, y_stride, width, first, next, step); break;
    case 3: JOIN(tile, SUFFIX)(3, panel, columns, x, x_stride, y, y_stride, width, first, next, step); break;
    case 4: JOIN(tile, SUFFIX)(4, panel, columns, x, x_stride, y, y_stride, width, first, next, step); break;
    case 5: JOIN(tile, SUFFIX)(5, panel, columns, x, x_stride, y, y_stride, width, first, next, step); break;
    default: JOIN(tile, SUFFIX)(6, panel, columns, x, x_stride, y, y_stride, width, first, next, step); break;
    }
}

// One token against `count` whole panels at once: independent sums that hide the latency of a multiply-add, and streams that
// memory serves side by side.
INLINE void JOIN(vector_panels, SUFFIX)(const int count, const float *restrict panel, size_t columns,
                                        const float *restrict x, float *restrict y) {
    enum { VECTORS = BP_PANEL / LANES };
    vec sums[4][VECTORS];
#pragma clang loop unroll(full)
    for (int p = 0; p < count; p++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) sums[p][v] = (vec){0};
    for (size_t c = 0; c < columns; c++) {
        const float a = x[c];
#pragma clang loop unroll(full)
        for (int p = 0; p < count; p++) {
            const float *w = panel + (p * columns + c) * BP_PANEL;
            __builtin_prefetch(w + 16 * BP_PANEL);
            if (LANES * 4 < 256) {
                __builtin_prefetch(w + 16 * BP_PANEL + 16);
                __builtin_prefetch(w + 16 * BP_PANEL + 32);
                __builtin_prefetch(w + 16 * BP_PANEL + 48);
            }
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) sums[p][v] += *(const vec *)(w + v * LANES) * a;
        }
    }
#pragma clang loop unroll(full)
    for (int p = 0; p < count; p++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) *(vec *)(y + p * BP_PANEL + v * LANES) = sums[p][v];
}

static void JOIN(panels_multiply, SUFFIX)(const float *panels, size_t rows, size_t columns, const float *x,
                                          size_t tokens, float *y, size_t y_stride) {
    if (tokens == 1) {
        size_t r = 0;
        for (; LANES == 16 && r + 4 * BP_PANEL <= rows; r += 4 * BP_PANEL)
            JOIN(vector_panels, SUFFIX)(4, panels + r * columns, columns, x, y + r);
        for (; r + BP_PANEL <= rows; r += BP_PANEL)
            JOIN(vector_panels, SUFFIX)(1, panels + r * columns, columns, x, y + r);
        if (r < rows) {
            float last[BP_PANEL];
            JOIN(vector_panels, SUFFIX)(1, panels + r * columns, columns, x, last);
            memcpy(y + r, last, (rows - r) * sizeof(float));
        }
        return;
    }
    // Tiles of nearly equal height: 32 tokens are 6 6 5 5 5 5, not 6 6 6 6 6 2.
    const size_t tiles = (tokens + 5) / 6, height = tokens / tiles, higher = tokens % tiles;
    for (size_t r = 0; r < rows; r += BP_PANEL) {
        const float *panel = panels + r * columns;
        for (size_t c = 0; c < columns || c == 0; c += JOIN(CHUNK, SUFFIX)) {
            const size_t chunk = columns - c < JOIN(CHUNK, SUFFIX) ? columns - c : JOIN(CHUNK, SUFFIX);
            size_t t = 0;
            // The first tiles fetch the next chunk of weights, a part each: memory works while they compute.
            const size_t parts = tiles < 4 ? tiles : 4, bytes = chunk * BP_PANEL * sizeof(float);
            const char *next = (const char *)(panel + c * BP_PANEL) + bytes;
            for (size_t tile = 0; tile < tiles; tile++) {
                const size_t count = height + (tile < higher), step = tile < parts ? 4 * BP_PANEL / parts : 0;
                for (size_t s = 0; s < BP_PANEL && r + s < rows; s += SLICE * LANES)
                    JOIN(tile_of, SUFFIX)(count, panel + c * BP_PANEL + s, chunk, x + t * columns + c, columns,
                                          y + t * y_stride + r + s, y_stride, rows - r - s, c == 0,
                                          step ? next + tile * bytes / parts : next, s ? 0 : step);
                t += count;
            }
        }
    }
}
#undef vec
