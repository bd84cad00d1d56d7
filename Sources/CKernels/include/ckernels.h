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
// Sign planes (BCQ). Bit c % 32 of word c / 32 of a row's plane is column c, 1 for +1. Blocks of bp_sign_block(bits) rows
// follow one another, each an array [columns / 32][bits][rows of the block] of little-endian 32-bit words; the columns
// beyond the last whole word follow all blocks as [bits][rows][ceil(rest / 8)] bytes. No padding anywhere.
size_t bp_sign_block(size_t bits);
// Byte offset of byte `b` of row `r` of plane `p`.
size_t bp_sign_offset(size_t bits, size_t rows, size_t columns, size_t p, size_t r, size_t b);
// To and from plain [bits][rows][ceil(columns / 8)] bytes.
void bp_signs_pack(const uint8_t *planes, size_t bits, size_t rows, size_t columns, uint8_t *stored);
void bp_signs_unpack(const uint8_t *stored, size_t bits, size_t rows, size_t columns, uint8_t *planes);

// Activations as tables for sign planes. Columns are cut into segments that share one activation scale and one group of
// alphas: at most BP_SEGMENT columns, never across a group. A segment takes whole words; columns of its first and last
// word that lie outside count as zero.
#define BP_SEGMENT 256
typedef struct {
    uint32_t first_column, columns, first_word, words, group;
} bp_segment;
// Number of segments; writes them where `out` is not null. group 0 means one group.
size_t bp_sign_segments(size_t columns, size_t group, bp_segment *out);
// Bytes of the tables of one token, a multiple of 64.
size_t bp_sign_tables_size(const bp_segment *segments, size_t count);
// tables is aligned to 64 bytes; tokens lie bp_sign_tables_size apart.
void bp_sign_tables(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments, size_t count,
                    uint8_t *tables);
// y[t][r] = sum over groups g and planes p of alpha[r][g][p] <signs[p][r], x[t]>_g.
// alphas: for each 16 rows [groups][bits][16], as bp_sign_alphas makes them.
void bp_signs_multiply(bp_isa isa, const uint8_t *signs, size_t bits, size_t rows, size_t columns, const float *alphas,
                       size_t groups, const bp_segment *segments, size_t count, const uint8_t *tables, size_t tokens,
                       float *y);
// From (rows, groups, bits) FP32 to the kernel's order, zeros beyond the last row: 16 ceil(rows / 16) groups bits numbers.
void bp_sign_alphas(const float *alphas, size_t rows, size_t groups, size_t bits, float *out);

#endif
