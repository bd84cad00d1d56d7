// NEON: codes as bytes, four columns of a row in each lane of 32 bits. Activations are multiplied as high and
// low bytes; where the processor has dot products, four products of a lane are added by one instruction, and
// where it multiplies matrices, two rows and two tokens meet over eight columns.
#include "../codes.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__aarch64__)
#include <arm_neon.h>

// Vectors of four rows of a block; tokens whose sums are kept at a time.
enum { VECTORS = 16, TOKENS = 16, QUADS = 8 };

// Adds the four products of each lane.
INLINE int32x4_t four_products_neon(int32x4_t sum, int8x16_t a, int8x16_t b) {
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

__attribute__((target("dotprod"))) INLINE int32x4_t dot_neon(int32x4_t sum, int8x16_t a, int8x16_t b) {
    return vdotq_s32(sum, a, b);
}

// Adds the products of two rows of eight bytes with two others: both with the first, then both with the
// second.
__attribute__((target("dotprod,i8mm"))) INLINE int32x4_t matrix_neon(int32x4_t sum, int8x16_t a, int8x16_t b) {
    return vmmlaq_s32(sum, b, a);
}

// Four codes of a unit, those that meet bytes 4 k to 4 k + 3 of `turn_neon`; of 8 bits less 128, so that they
// are signed bytes.
INLINE int8x16_t quad_neon(const int BITS, const uint32x4_t *words, const int k, uint8x16_t flip) {
    if (BITS == 8) return vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_u32(words[k]), flip));
    if (BITS == 4 || BITS == 2) {
        const int FIELDS = 8 / BITS;
        const uint8x16_t bytes = vreinterpretq_u8_u32(words[k / FIELDS]);
        const uint8x16_t field = vshlq_u8(bytes, vdupq_n_s8((int8_t)(-BITS * (k % FIELDS))));
        return vreinterpretq_s8_u8(vandq_u8(field, vdupq_n_u8((1 << BITS) - 1)));
    }
    const int at = 4 * k * BITS, w = at / 32, shift = at % 32;
    uint32x4_t d = shift ? vshlq_u32(words[w], vdupq_n_s32(-shift)) : words[w];
    if (shift + 4 * BITS > 32) d = vorrq_u32(d, vshlq_u32(words[w + 1], vdupq_n_s32(32 - shift)));
    const uint32_t mask = (1u << BITS) - 1;
    uint32x4_t bytes = vandq_u32(d, vdupq_n_u32(mask));
#pragma clang loop unroll(full)
    for (int i = 1; i < 4; i++)
        bytes = vorrq_u32(bytes, vandq_u32(vshlq_u32(d, vdupq_n_s32(i * (8 - BITS))), vdupq_n_u32(mask << 8 * i)));
    return vreinterpretq_s8_u32(bytes);
}

// A unit's activations in the order in which codes come: where a byte holds several, its first field of all
// bytes of a word, then the next.
INLINE void turn_neon(const int BITS, const uint8_t *numbers, int8_t *out) {
    static const uint8_t natural[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t two[16] = {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15};
    static const uint8_t four[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    const uint8x16_t order = vld1q_u8(BITS == 4 ? two : BITS == 2 ? four : natural);
    for (int i = 0; i < UNIT; i += 16) vst1q_s8(out + i, vreinterpretq_s8_u8(vqtbl1q_u8(vld1q_u8(numbers + i), order)));
}

typedef int32x4_t add_products(int32x4_t sum, int8x16_t a, int8x16_t b);

// Two tokens go on with their sums with four rows: `low[0]` and `high[0]` are of rows 0 and 1, the others of
// rows 2 and 3.
INLINE void two_tokens_neon(const int ACT, add_products matrix, const int8x16_t quads[QUADS], const int8_t *first,
                            const int8_t *second, int32x4_t *low[2], int32x4_t *high[2]) {
#pragma clang loop unroll(full)
    for (int k = 0; k < QUADS; k += 2) {
        const int32x4_t a = vreinterpretq_s32_s8(quads[k]), b = vreinterpretq_s32_s8(quads[k + 1]);
        const int8x16_t rows[2] = {vreinterpretq_s8_s32(vzip1q_s32(a, b)), vreinterpretq_s8_s32(vzip2q_s32(a, b))};
        const int8x16_t x_high = vcombine_s8(vld1_s8(first + 4 * k), vld1_s8(second + 4 * k));
        const int8x16_t x_low = vcombine_s8(vld1_s8(first + 32 + 4 * k), vld1_s8(second + 32 + 4 * k));
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            *low[i] = matrix(*low[i], rows[i], x_low);
            if (ACT == 2) *high[i] = matrix(*high[i], rows[i], x_high);
        }
    }
}

// The rows of a block, in fours, times at most TOKENS tokens, two of them at a time where there is a
// `matrix`.
INLINE void block_of_neon(const int BITS, const int ACT, add_products dot, add_products matrix, const bp_codes *m, const bp_segment *segments,
                          size_t count, const uint8_t *block, size_t row, size_t in_block, const uint8_t *activations,
                          size_t size, size_t tokens, float *y) {
    const size_t scales_at = units_of(segments, count) * UNIT, vectors = (in_block + 3) / 4;
    const size_t whole = (m->columns * BITS + 7) / 8 / 4;
    const uint8x16_t flip = vdupq_n_u8(m->is_signed ? 0 : 128);
    float out[TOKENS][4 * VECTORS];
    memset(out, 0, tokens * sizeof *out);
    const uint8_t *numbers = activations;
    for (size_t s = 0; s < count; numbers += UNIT * segments[s++].units) {
        int32x4_t high[TOKENS][VECTORS], low[TOKENS][VECTORS];
        memset(high, 0, tokens * sizeof *high);
        memset(low, 0, tokens * sizeof *low);
        for (size_t u = 0; u < segments[s].units; u++) {
            const size_t first = (segments[s].first_unit + u) * BITS;
            const int inside = in_block % 16 == 0 && first + BITS <= whole;
            uint32_t edge[8][4 * VECTORS];
            for (size_t w = 0; !inside && w < (size_t)BITS; w++)
                for (size_t i = 0; i < in_block; i += 16)
                    load_words(m, block + 4 * i, 4 * in_block, row + i, in_block - i < 16 ? in_block - i : 16, first + w, edge[w] + i);
            const uint8_t *at = inside ? block + first * 4 * in_block : (const uint8_t *)edge;
            const size_t stride = inside ? 4 * in_block : sizeof *edge;
            int8_t turned[TOKENS][UNIT];
            for (size_t t = 0; t < tokens; t++) turn_neon(BITS, numbers + t * size + UNIT * u, turned[t]);
            for (size_t v = 0; v < vectors; v++) {
                uint32x4_t words[8];
                int8x16_t quads[QUADS];
#pragma clang loop unroll(full)
                for (int w = 0; w < BITS; w++) words[w] = vld1q_u32((const uint32_t *)(at + w * stride + 16 * v));
#pragma clang loop unroll(full)
                for (int k = 0; k < QUADS; k++) quads[k] = quad_neon(BITS, words, k, flip);
                for (size_t t = 0; t < tokens; t++) {
                    if (matrix && t + 1 < tokens) {
                        int32x4_t *lows[2] = {&low[t][v], &low[t + 1][v]}, *highs[2] = {&high[t][v], &high[t + 1][v]};
                        two_tokens_neon(ACT, matrix, quads, turned[t], turned[t + 1], lows, highs);
                        t++;
                        continue;
                    }
                    int32x4_t l = low[t][v], h = high[t][v], x[4];
                    for (int i = 0; i < 4; i++) x[i] = vreinterpretq_s32_s8(vld1q_s8(turned[t] + 16 * i));
#pragma clang loop unroll(full)
                    for (int k = 0; k < QUADS; k++) {
                        if (ACT == 2) h = dot(h, quads[k], vreinterpretq_s8_s32(vdupq_n_s32(x[k / 4][k % 4])));
                        l = dot(l, quads[k], vreinterpretq_s8_s32(vdupq_n_s32(x[2 + k / 4][k % 4])));
                    }
                    low[t][v] = l;
                    high[t][v] = h;
                }
            }
        }
        for (size_t t = 0; t < tokens; t++) {
            const float *scales = (const float *)(activations + t * size + scales_at);
            const int32_t sum = ((const int32_t *)(scales + count))[s];
            // Bytes have lost their middle already.
            const int32x4_t middle = vdupq_n_s32(BITS == 8 ? 0 : (1 << (BITS - 1)) * sum);
            for (size_t v = 0; v < vectors; v++) {
                const size_t lanes_at = (row + v / 4 * 16) * m->groups + 16 * segments[s].group + v % 4 * 4;
                int32x4_t all = vaddq_s32(low[t][v], vshlq_n_s32(high[t][v], 8));
                if (matrix && (t % 2 || t + 1 < tokens)) {
                    // Two rows times both tokens, then the other two.
                    const size_t other = t ^ 1;
                    const int32x4_t rest = vaddq_s32(low[other][v], vshlq_n_s32(high[other][v], 8));
                    all = t % 2 ? vcombine_s32(vget_high_s32(rest), vget_high_s32(all))
                                : vcombine_s32(vget_low_s32(all), vget_low_s32(rest));
                }
                const float32x4_t scaled = vmulq_n_f32(vcvtq_f32_s32(vsubq_s32(all, middle)), scales[s]);
                float32x4_t to = vld1q_f32(out[t] + 4 * v);
                to = vaddq_f32(to, vmulq_f32(vld1q_f32(m->scales + lanes_at), scaled));
                if (m->offsets)
                    to = vaddq_f32(to, vmulq_n_f32(vld1q_f32(m->offsets + lanes_at), scales[s] * (float)sum));
                vst1q_f32(out[t] + 4 * v, to);
            }
        }
    }
    for (size_t t = 0; t < tokens; t++) memcpy(y + t * m->rows, out[t], in_block * sizeof(float));
}

// Only whole bytes are multiplied with 8-bit activations.
#define BLOCK(dot, matrix)                                                                                              \
    for (size_t t = 0; t < tokens; t += TOKENS, activations += TOKENS * size, y += TOKENS * m->rows) {                  \
        const size_t together = tokens - t < TOKENS ? tokens - t : TOKENS;                                              \
        if (m->act_bytes == 1) {                                                                                        \
            block_of_neon(8, 1, dot, matrix, m, segments, count, block, row, in_block, activations, size, together, y); \
            continue;                                                                                                   \
        }                                                                                                               \
        switch (m->bits) {                                                                                              \
            CASE(2, dot, matrix) CASE(3, dot, matrix) CASE(4, dot, matrix) CASE(5, dot, matrix)                         \
            CASE(6, dot, matrix) CASE(7, dot, matrix) CASE(8, dot, matrix)                                              \
        }                                                                                                               \
    }
#define CASE(n, dot, matrix) \
    case n: block_of_neon(n, 2, dot, matrix, m, segments, count, block, row, in_block, activations, size, together, y); break;

void bp_code_block_neon(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                        size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y) {
    BLOCK(four_products_neon, (add_products *)0)
}

__attribute__((target("dotprod"))) void bp_code_block_neon_dot(
    const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row, size_t in_block,
    const uint8_t *activations, size_t size, size_t tokens, float *y) {
    BLOCK(dot_neon, (add_products *)0)
}

__attribute__((target("dotprod,i8mm"))) void bp_code_block_neon_i8mm(
    const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row, size_t in_block,
    const uint8_t *activations, size_t size, size_t tokens, float *y) {
    BLOCK(dot_neon, matrix_neon)
}
#endif
