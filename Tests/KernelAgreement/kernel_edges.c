// Runs the kernels between products, on every instruction set of the machine, on memory of exactly the bytes
// that they may touch, at odd addresses and sizes: for the sanitizers (`make sanitize`), which end the
// program where a kernel reads or writes outside. What they compute is compared elsewhere (`KernelsTests`).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckernels.h"

enum { MOST = 12 };
static void *taken[MOST];
static int count;

// Numbers of exactly `n` * 4 bytes at an address that is a multiple of 4 and of no more, 1/2 or -1/2 each.
static float *numbers(size_t n) {
    char *memory = malloc(4 * n + 4 + 16);
    if (!memory || count == MOST) exit(1);
    taken[count++] = memory;
    float *out = (float *)(memory + 4 + 16);
    for (size_t i = 0; i < n; i++) out[i] = i % 3 ? .5f : -.5f;
    return out;
}

// Bytes at an odd address.
static uint8_t *bytes(size_t n) {
    uint8_t *memory = malloc(n + 17);
    if (!memory || count == MOST) exit(1);
    taken[count++] = memory;
    return memset(memory + 17, 0xA5, n);
}

static void release(void) {
    while (count) free(taken[--count]);
}

static void vectors(bp_isa isa, size_t n) {
    float *x = numbers(n), *a = numbers(n), *b = numbers(n), *m = numbers(n), *v = numbers(n);
    void (*const functions[])(bp_isa, float *, size_t) = {bp_softmax, bp_log_softmax, bp_exp,      bp_tanh,
                                                          bp_relu,    bp_swish,       bp_gelu_erf, bp_gelu_tanh};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) functions[f](isa, x, n);
    bp_log_sum_exp(isa, x, n);
    bp_index_of_largest(isa, x, n);
    bp_kl_divergence(isa, x, a, n);
    bp_add(isa, a, x, n);
    if (n) bp_rotate(isa, a, n & -n, x, n);
    bp_layer_norm(isa, x, n, a, b, 1e-5f, x);
    bp_layer_norm(isa, x, n, 0, 0, 1e-5f, x);
    for (int f = BP_RELU; f <= BP_TANH; f++) bp_function_gradient(isa, (bp_function)f, x, n, a);
    for (int centred = 0; centred < 2; centred++) bp_norm_gradient(isa, centred, x, n, a, 1e-5f, b, m, centred ? v : 0);
    bp_subtract_scaled(isa, a, .5f, x, n);
    for (size_t i = 0; i < n; i++) v[i] = 1;
    const bp_adam step = {1e-3f, .9f, .999f, .1f, .001f, 1e-8f, .01f, 1};
    bp_adam_step(isa, &step, a, n, x, m, v);
    release();
}

// Rows that lie further apart than they are long; the last one ends the memory.
static void rows(bp_isa isa, size_t rows, size_t n) {
    const size_t stride = n + 3, all = rows ? (rows - 1) * stride + n : 0;
    float *q = numbers(n), *table = numbers(all), *scores = numbers(rows), *out = numbers(n);
    int32_t *chosen = (int32_t *)numbers(rows);
    for (size_t i = 0; i < rows; i++) chosen[i] = (int32_t)(rows - 1 - i);
    bp_dot_rows(isa, q, table, stride, rows, n, .5f, scores);
    bp_dot_chosen_rows(isa, q, table, stride, chosen, rows, n, scores);
    for (int adds = 0; adds < 2; adds++) bp_combine_rows(isa, scores, table, stride, rows, n, adds, out);
    bp_add_outer(isa, scores, q, rows, n, table, stride);
    release();
}

static void panels(bp_isa isa, size_t rows, size_t columns, size_t tokens) {
    float *w = numbers(rows * columns), *packed = numbers(bp_panels_count(rows, columns)), *x = numbers(tokens * columns);
    float *turned = numbers(bp_panels_count(columns, rows)), *y = numbers(tokens * rows), *row = numbers(columns);
    bp_panels_pack(w, rows, columns, packed);
    bp_panels_pack_transposed(w, rows, columns, turned);
    for (size_t r = 0; r < rows; r++) bp_panels_copy_row(packed, columns, r, row);
    bp_panels_multiply(isa, packed, rows, columns, x, tokens, y);
    bp_panels_multiply_add(isa, packed, rows, columns, x, tokens, y);
    float *wide = numbers(tokens ? (tokens - 1) * (rows + 3) + rows : 0), *out = numbers(rows * columns);
    bp_panels_multiply_into(isa, packed, rows, columns, x, tokens, wide, rows + 3);
    bp_transpose(w, rows, columns, out);
    release();
}

static void stored(size_t planes, size_t rows, size_t row_bytes) {
    const size_t all = planes * rows * row_bytes;
    uint8_t *plain = bytes(all), *order = bytes(all), *again = bytes(all), *row = bytes(row_bytes);
    for (size_t i = 0; i < all; i++) plain[i] = (uint8_t)(i * 7);
    bp_interleave(plain, planes, rows, row_bytes, order);
    bp_deinterleave(order, planes, rows, row_bytes, again);
    for (size_t p = 0; p < planes; p++)
        for (size_t r = 0; r < rows; r++) {
            bp_interleaved_row(order, planes, rows, row_bytes, p, r, row);
            if (memcmp(row, plain + (p * rows + r) * row_bytes, row_bytes)) exit(1);
        }
    if (memcmp(plain, again, all)) exit(1);
    release();
}

static void paths(bp_isa isa, size_t pair_bits, size_t length) {
    const size_t stride = (length + 15) / 16 * 16;
    float *table = numbers(256), *targets = numbers(length), *factors = numbers(length), *importance = numbers(length);
    float *coupling = numbers(length * stride), *room = numbers(256 * stride);
    for (size_t i = 0; i < 256; i++) table[i] = (float)i / 128 - 1;
    memset(coupling, 0, 4 * length * stride);
    uint8_t *windows = bytes(length);
    bp_trellis_path(isa, pair_bits, table, targets, factors, length, windows);
    bp_trellis_coupled_path(isa, pair_bits, table, targets, factors, importance, coupling, stride, length, room, windows);
    release();
}

int main(void) {
    static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130, 257, 1000};
    const size_t many = sizeof sizes / sizeof *sizes;
    const bp_isa best = bp_best_isa();
    for (int isa = BP_PORTABLE; isa <= (int)best; isa++) {
        if (best >= BP_NEON && isa != BP_PORTABLE && isa < BP_NEON) continue;
        for (size_t i = 0; i < many; i++) {
            vectors((bp_isa)isa, sizes[i]);
            for (size_t j = 0; j < many; j += 3) {
                rows((bp_isa)isa, sizes[i], sizes[j]);
                panels((bp_isa)isa, sizes[i], sizes[j], i % 6);
            }
        }
        for (size_t pair_bits = 2; pair_bits <= 8; pair_bits++)
            for (size_t length = 8; length <= 256; length = 2 * length + 3 > 256 && length < 256 ? 256 : 2 * length + 3)
                paths((bp_isa)isa, pair_bits, length);
    }
    for (size_t planes = 1; planes <= 4; planes++)
        for (size_t i = 0; i < many - 2; i++)
            for (size_t j = 0; j < 8; j++) stored(planes, sizes[i], sizes[j]);
    puts("C kernels: nothing is read or written outside");
    return 0;
}
