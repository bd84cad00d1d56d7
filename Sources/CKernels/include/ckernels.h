#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>

// Products over dense and packed weights, and the vector functions between them.
//
// Every entry takes the instruction set it may use (`bp_isa`), so a test can run all that the machine has. Within one
// entry the order of every sum depends on shapes alone: not on the number of tokens, of threads, or on alignment.

typedef enum {
    BP_PORTABLE = 0,  // vector extensions only; NEON comes from these
    BP_AVX2 = 1,      // AVX2, FMA, F16C
    BP_AVX512 = 2,    // AVX-512 F, BW, DQ, VL, VBMI, VNNI, VPOPCNTDQ
} bp_isa;

// The widest set that this machine has.
bp_isa bp_best_isa(void);

// FP32 weights of (rows, columns) in panels of 64 rows: panel p holds, for each column, the 64 weights of rows
// 64 p .. 64 p + 63, zeros beyond the last row.
#define BP_PANEL 64
size_t bp_panels_count(size_t rows, size_t columns);  // floats
void bp_panels_pack(const float *w, size_t rows, size_t columns, float *panels);
void bp_panels_copy_row(const float *panels, size_t columns, size_t row, float *out);
// y[t][r] = sum_c w[r][c] x[t][c], summed in the order of c.
void bp_panels_multiply(bp_isa isa, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
                        float *y);

// In place on `n` numbers.
void bp_softmax(bp_isa isa, float *x, size_t n);
void bp_log_softmax(bp_isa isa, float *x, size_t n);
float bp_log_sum_exp(bp_isa isa, const float *x, size_t n);
void bp_exp(bp_isa isa, float *x, size_t n);
void bp_tanh(bp_isa isa, float *x, size_t n);
void bp_relu(bp_isa isa, float *x, size_t n);
void bp_swish(bp_isa isa, float *x, size_t n);
void bp_gelu_erf(bp_isa isa, float *x, size_t n);
void bp_gelu_tanh(bp_isa isa, float *x, size_t n);
void bp_add(bp_isa isa, const float *a, float *x, size_t n);  // x += a

// out = (x - mean) / sqrt(variance + epsilon) * gain + bias; gain and bias may be null; out may be x.
void bp_layer_norm(bp_isa isa, const float *x, size_t n, const float *gain, const float *bias, float epsilon,
                   float *out);

// Attention of one query over `count` rows that lie `stride` numbers apart:
// scores[j] = scale <q, rows[j]>, and out = sum_j weights[j] rows[j].
void bp_dot_rows(bp_isa isa, const float *q, const float *rows, size_t stride, size_t count, size_t n, float scale,
                 float *scores);
void bp_combine_rows(bp_isa isa, const float *weights, const float *rows, size_t stride, size_t count, size_t n,
                     float *out);

// KL(softmax p || softmax q) in nats, never negative; exactly 0 where p and q are equal.
double bp_kl_divergence(bp_isa isa, const float *p, const float *q, size_t n);

#endif
