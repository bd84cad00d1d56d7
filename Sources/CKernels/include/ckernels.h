#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>

// Products over dense and packed weights, and the vector functions between them.
//
// Every entry takes the instruction set it may use (`bp_isa`), so a test can run all that the machine has.
// Within one entry the order of every sum depends on shapes alone: not on the number of tokens, of threads,
// or on alignment.

typedef enum {
    BP_PORTABLE = 0,  // vector extensions only
    BP_AVX2 = 1,      // AVX2, FMA, F16C
    BP_AVX512 = 2,    // AVX-512 F, BW, DQ, VL, VBMI, VBMI2, VNNI, VPOPCNTDQ
    BP_AMX = 3,       // the same, GFNI, and AMX tiles of 8-bit integers
    BP_NEON = 4,      // 64-bit ARM: the portable code, and NEON for products of codes
    BP_NEON_DOT = 5,  // the same, and dot products of bytes
    BP_NEON_I8MM = 6, // the same, and products of matrices of 2 x 8 bytes
} bp_isa;

// The widest set that this machine has.
bp_isa bp_best_isa(void);

// Reads `bytes` bytes, a multiple of 256, as fast as the machine can: what benchmarks compare products with.
// Returns something that depends on all of them.
uint32_t bp_read(bp_isa isa, const uint8_t *memory, size_t bytes);

// Gives freed memory back to the system where the allocator keeps it (glibc).
void bp_return_freed_memory(void);

// The rows that a product computes: from `first`, a multiple of BP_PART_ROWS, up to `end`, another one or the
// number of all rows. Nothing else of y is written, so threads can share a product.
#define BP_PART_ROWS 256
typedef struct {
    size_t first, end;
} bp_part;

// FP32 weights of (rows, columns) in panels of 64 rows: panel p holds, for each column, the 64 weights of
// rows 64 p .. 64 p + 63, zeros beyond the last row.
#define BP_PANEL 64
size_t bp_panels_count(size_t rows, size_t columns);  // floats
void bp_panels_pack(const float *w, size_t rows, size_t columns, float *panels);
// The panels of the transposed matrix, of (columns, rows).
void bp_panels_pack_transposed(const float *w, size_t rows, size_t columns, float *panels);
void bp_panels_copy_row(const float *panels, size_t columns, size_t row, float *out);
// y[t][r] = sum_c w[r][c] x[t][c], summed in the order of c.
void bp_panels_multiply(bp_isa isa, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
                        float *y);

// As above with `y_stride` numbers from one token's results to the next.
void bp_panels_multiply_into(bp_isa isa, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
                             float *y, size_t y_stride);

// y += that, the sums going on with what is there.
void bp_panels_multiply_add(bp_isa isa, const float *panels, size_t rows, size_t columns, const float *x, size_t tokens,
                            float *y);
// out (columns, rows) = w (rows, columns) with rows and columns exchanged.
void bp_transpose(const float *w, size_t rows, size_t columns, float *out);

// FP16 weights, as their bits, in the same panels. `scratch` has 64 * columns numbers, of which none are
// needed where an instruction converts halves.
void bp_half_panels_pack(const uint16_t *w, size_t rows, size_t columns, uint16_t *panels);
void bp_half_panels_multiply(bp_isa isa, const uint16_t *panels, size_t rows, size_t columns, const float *x,
                             size_t tokens, bp_part part, float *y, float *scratch);

// FP32 weights and activations as sums of two BF16 numbers each: products that err by about 2^-16, on tiles.
// The twin without tiles is slow, and needs no scratch.
int bp_split_is_fast(void);                                        // whether this machine has the tiles
size_t bp_split_count(size_t rows, size_t columns);                // numbers
void bp_split_pack(const float *w, size_t rows, size_t columns, uint16_t *tiles);
void bp_split_copy_row(const uint16_t *tiles, size_t columns, size_t row, float *out);
size_t bp_split_scratch(size_t columns, size_t tokens);            // numbers, aligned to 64 bytes
void bp_split_multiply(int fast, const uint16_t *tiles, size_t rows, size_t columns, const float *x, size_t tokens, float *y,
                       uint16_t *scratch);

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

// Attention of one query over `count` rows that lie `stride` numbers apart: scores[j] = scale <q, rows[j]>,
// and out = sum_j weights[j] rows[j], or out += that, one after the other, where `adds`.
void bp_dot_rows(bp_isa isa, const float *q, const float *rows, size_t stride, size_t count, size_t n, float scale,
                 float *scores);
// scores[j] = <q, rows[chosen[j]]>, the same bits.
void bp_dot_chosen_rows(bp_isa isa, const float *q, const float *rows, size_t stride, const int32_t *chosen, size_t count,
                        size_t n, float *scores);
void bp_combine_rows(bp_isa isa, const float *weights, const float *rows, size_t stride, size_t count, size_t n,
                     int adds, float *out);

// Attention's way back: rows[j] += weights[j] x for `count` rows of n numbers, `stride` apart.
void bp_add_outer(bp_isa isa, const float *weights, const float *x, size_t count, size_t n, float *rows, size_t stride);

// A rotation in blocks of a power of two that divides n: numbers times their signs, then, in every block,
// sums and differences of neighbours at rising distances. The same bits on every instruction set.
void bp_rotate(bp_isa isa, const float *signs, size_t block, float *x, size_t n);

// Gradients. y = f(x), dy becomes dy f'(x), in place, for the functions above; tanh takes y in place of x.
typedef enum { BP_RELU, BP_SWISH, BP_GELU_ERF, BP_GELU_TANH, BP_TANH } bp_function;
void bp_function_gradient(bp_isa isa, bp_function function, const float *x, size_t n, float *dy);
// Of bp_layer_norm, or of the root-mean-square norm where `centred` is 0: x is its input, dy becomes dx, and
// gradients are added to d_gain and, where it is not null, d_bias.
void bp_norm_gradient(bp_isa isa, int centred, const float *x, size_t n, const float *gain, float epsilon, float *dy,
                      float *d_gain, float *d_bias);
// x = factor (x - a).
void bp_subtract_scaled(bp_isa isa, const float *a, float factor, float *x, size_t n);

// A step of AdamW on n weights w: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w -= rate (m / c1 /
// (sqrt(v / c2) + epsilon) + decay w), g being factor * gradient, c1 = 1 - b1^t and c2 = 1 - b2^t.
typedef struct {
    float rate, b1, b2, c1, c2, epsilon, decay, factor;
} bp_adam;
void bp_adam_step(bp_isa isa, const bp_adam *step, const float *gradient, size_t n, float *w, float *m, float *v);

// The first index of the largest number; 0 where x[0] is NaN or nothing is there.
size_t bp_index_of_largest(bp_isa isa, const float *x, size_t n);

// KL(softmax p || softmax q) in nats, never negative; exactly 0 where p and q are equal.
double bp_kl_divergence(bp_isa isa, const float *p, const float *q, size_t n);

// Interleaved rows: the stored order of codes. Each plane of each row is a string of `row_bytes` bytes. Rows
// are cut into blocks of bp_block_rows(planes); the blocks follow one another, each an array [row_bytes /
// 4][planes][rows of the block] of 4-byte words; the bytes beyond the last whole word follow all blocks as
// [planes][rows][row_bytes % 4]. No padding. Plain order is [planes][rows][row_bytes].
size_t bp_block_rows(size_t planes);
// Byte offset of byte `b` of row `r` of plane `p`.
size_t bp_interleaved_offset(size_t planes, size_t rows, size_t row_bytes, size_t p, size_t r, size_t b);
void bp_interleave(const uint8_t *plain, size_t planes, size_t rows, size_t row_bytes, uint8_t *stored);
// The plain bytes of one row of one plane.
void bp_interleaved_row(const uint8_t *stored, size_t planes, size_t rows, size_t row_bytes, size_t p, size_t r,
                        uint8_t *out);
void bp_deinterleave(const uint8_t *stored, size_t planes, size_t rows, size_t row_bytes, uint8_t *plain);

// Numbers of 16 rows side by side, as the kernels below want scales: from (rows, width) to, for each 16 rows,
// [width][16], zeros beyond the last row: 16 ceil(rows / 16) width numbers.
void bp_lanes(const float *from, size_t rows, size_t width, float *out);

// Columns are cut into segments that share one activation scale and one group of weight scales: at most
// BP_SEGMENT columns, never across a group. A segment takes whole units of 32 columns; columns of its first
// and last unit that lie outside count as zero.
#define BP_SEGMENT 256
typedef struct {
    uint32_t first_column, columns, first_unit, units, group;
} bp_segment;
// Number of segments; writes them where `out` is not null. group 0 means one group.
size_t bp_segments(size_t columns, size_t group, bp_segment *out);

// Sign planes (BCQ): interleaved rows of bits; bit c % 8 of byte c / 8 is column c, 1 for +1.
//
// Whether products of an instruction set want signs turned: of every 32 strings (rows of a plane, planes one
// after the other) of a block's words first the first bytes, then the second ones, and so on.
int bp_signs_are_turned(bp_isa isa);
void bp_signs_turn(const uint8_t *stored, size_t bits, size_t rows, size_t columns, uint8_t *turned);
// Activations become tables of signed sums, or bytes of tiles where there are AMX and tokens enough.
// Bytes that the tables of `tokens` tokens take, a multiple of 64.
size_t bp_sign_tables_size(bp_isa isa, const bp_segment *segments, size_t count, size_t tokens);
// tables is aligned to 64 bytes, and multiplied with as many tokens at a time as it was made for.
void bp_sign_tables(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments, size_t count,
                    uint8_t *tables);
// As above behind BitNet's rounding: x[t] is normalised to mean 0 and variance 1, then rounded to 8 bits by
// its absmax.
void bp_bitlinear_tables(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments,
                         size_t count, uint8_t *tables);
// y[t][r] = sum over groups g and planes p of alpha[r][g][p] <signs[p][r], x[t]>_g.
// alphas: lanes of (rows, groups * bits); signs turned where they are to be.
void bp_signs_multiply(bp_isa isa, const uint8_t *signs, size_t bits, size_t rows, size_t columns, const float *alphas,
                       size_t groups, const bp_segment *segments, size_t count, const uint8_t *tables, size_t tokens,
                       bp_part part, float *y);

// Integer codes of 2 to 8 bits: interleaved rows (one plane) of ceil(columns * bits / 8) bytes; the code of
// column c takes the bits from c * bits on, lowest bit first. A code u stands for scale * (u - 2^(bits-1)) +
// offset; with `is_signed` (8 bits only) bytes are two's complement and u is the byte + 128. Activations are
// rounded to 16 bits a segment, or (act_bytes 1) to 8 bits a token.
size_t bp_code_activations_size(const bp_segment *segments, size_t count);
void bp_code_activations(bp_isa isa, const float *x, size_t columns, size_t tokens, int act_bytes,
                         const bp_segment *segments, size_t count, uint8_t *out);
// scales, offsets: lanes of (rows, groups); offsets may be null for zeros.
typedef struct {
    const uint8_t *codes;
    size_t bits, rows, columns, groups;
    const float *scales, *offsets;
    int is_signed, act_bytes;
} bp_codes;
void bp_codes_multiply(bp_isa isa, const bp_codes *weights, const bp_segment *segments, size_t count,
                       const uint8_t *activations, size_t tokens, bp_part part, float *y);

// 4-bit codes into a table of 16 levels, integers of at most BP_LARGEST_LEVEL in magnitude: interleaved rows
// of columns / 2 bytes. Segments are those of groups of 32 columns or a multiple, and all groups are whole.
// y[t][r] = sum over groups of scale[r][group] * sum_c level[code] / BP_LARGEST_LEVEL * x[t][c], activations
// rounded to 16 bits, fewer where a segment has more than 32 columns, 13 for 256.
#define BP_LARGEST_LEVEL 2047
// scales: lanes of (rows, groups).
typedef struct {
    const uint8_t *codes;
    const int16_t *levels;
    size_t rows, columns, groups;
    const float *scales;
} bp_levels;
// As many bytes as bp_code_activations_size says.
void bp_level_activations(bp_isa isa, const float *x, size_t columns, size_t tokens, const bp_segment *segments,
                          size_t count, uint8_t *out);
void bp_levels_multiply(bp_isa isa, const bp_levels *weights, const bp_segment *segments, size_t count,
                        const uint8_t *activations, size_t tokens, bp_part part, float *y);

// Trellis codes of 1 to 4 bits: rows in segments of BP_TRELLIS_ROWS, the last one perhaps shorter. A
// segment's part of a column is a stream of symbols, one a row, highest bit first, filled up with zeros to
// whole bytes; two successive symbols take `pair_bits` bits, 2 to 8, and of an odd number the second one
// more; byte b of all columns is a line of `columns` bytes, and lines follow one another. The window of a
// weight is the 8 bits of the stream that end with its symbol; before the first one stand the last bits of
// the same stream. w[r][c] = scales[r] * step * (high[window >> 4] + low[window & 15]
// - offset).
#define BP_TRELLIS_ROWS 256
typedef struct {
    const uint8_t *codes;
    size_t code_bytes;
    // The window before the first row of the last segment where that is short: bp_trellis_opening. `columns`
    // bytes.
    const uint8_t *opening;
    size_t pair_bits, rows, columns;
    // 16 entries each, below 64; the offset has a whole part from 0 to 126.
    const uint8_t *high, *low;
    float offset, step;
    // Lanes of (rows, 1).
    const float *scales;
    // Bytes of a rounded activation, 2 or 1.
    int act_bytes;
} bp_trellis;
void bp_trellis_opening(const uint8_t *codes, size_t pair_bits, size_t rows, size_t columns, uint8_t *opening);
// The windows of one row.
void bp_trellis_windows(const bp_trellis *m, size_t row, uint8_t *windows);
// Activations are rounded to 16 bits for 512 columns, or (act_bytes 1) to 8 bits a token. Bytes of one token:
size_t bp_trellis_activations_size(size_t columns);
// `out`, on 64 bytes, is multiplied with as many tokens at a time as it was made for.
void bp_trellis_activations(bp_isa isa, const float *x, size_t columns, size_t tokens, int act_bytes, uint8_t *out);
void bp_trellis_multiply(bp_isa isa, const bp_trellis *weights, const uint8_t *activations, size_t tokens, bp_part part,
                         float *y);

// Product codes: subvectors of `block` columns are columns of `book` (block, codewords), codewords being a
// multiple of 16, at most 256. Indices are a stream of rows * per_row numbers of `bits` bits, lowest bit
// first; each must lie below the codewords.
typedef struct {
    const uint8_t *indices;
    size_t bits, rows, per_row;
    const float *book;
    size_t codewords, block;
} bp_product_codes;
// Numbers of scratch that a part of the rows takes.
size_t bp_product_codes_scratch(const bp_product_codes *m, bp_part part);
// x: (tokens, per_row * block), zeros behind the columns.
void bp_product_codes_multiply(bp_isa isa, const bp_product_codes *m, const float *x, size_t tokens, bp_part part,
                               float *scratch, float *y);

// Trellis codes: the window of weight t is s_t = (s_{t-1} << bits | symbol_t) & 255, bits being pair_bits /
// 2, rounded down for even t and up for odd t; the windows of the first weights take their missing bits from
// the end of the sequence. Writes the windows of a path of about the least sum of (targets[t] - factors[t]
// table[s_t])^2 over `count` weights, at most BP_TRELLIS_ROWS: the best one that closes as the weights around
// the seam ask for. The same on every instruction set.
void bp_trellis_path(bp_isa isa, size_t pair_bits, const float table[256], const float *targets, const float *factors,
                     size_t count, uint8_t *windows);
// The same for the least sum of `importance[t] (e_t + sum_{i<t} coupling[i][t] e_i)^2`, e_t = targets[t] -
// factors[t] table[s_t]: paths that see a quadratic form of their errors, each survivor of the search
// carrying its own. Rows of coupling are `stride` numbers, a multiple of 16 and at least `count`, zeros
// behind; room for 256 * stride numbers.
void bp_trellis_coupled_path(bp_isa isa, size_t pair_bits, const float table[256], const float *targets, const float *factors,
                             const float *importance, const float *coupling, size_t stride, size_t count, float *room,
                             uint8_t *windows);

// Signs times signs: x > 0 is +1. `bits` gets ceil(columns / 32) words a token, zeros beyond the last column.
void bp_sign_bits(bp_isa isa, const float *x, size_t columns, size_t tokens, uint32_t *bits);
// y[t][r] = scale * (columns - 2 popcount(signs[r] ^ bits[t])), signs being one plane.
void bp_xnor_multiply(bp_isa isa, const uint8_t *signs, size_t rows, size_t columns, float scale, const uint32_t *bits,
                      size_t tokens, bp_part part, float *y);

#endif
