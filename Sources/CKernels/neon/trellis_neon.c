// NEON: 16 columns a vector. Nibbles of the streams, at any bit of a byte, look up in both tables; a weight
// is one addition, and stays below 127, so that it is a signed byte. Where the processor has dot products,
// four products are added by one instruction.
#include "../trellis.h"

#if defined(__aarch64__)
#include <arm_neon.h>

// The four bits from bit `start` on of the lines one after the other, highest bit first.
INLINE uint8x16_t nibble_neon(const uint8x16_t *lines, const int start) {
    const int at = start % 8;
    uint8x16_t byte = lines[start / 8];
    // The middle of two lines as a byte.
    if (at > 4) byte = vorrq_u8(vshlq_n_u8(byte, 4), vshrq_n_u8(lines[start / 8 + 1], 4));
    return vandq_u8(vshlq_u8(byte, vdupq_n_s8((int8_t)(at > 4 ? at - 8 : at - 4))), vdupq_n_u8(15));
}

INLINE void lines_neon(const int PAIR, trellis_block block, uint8x16_t *lines) {
    lines[0] = vld1q_u8(block.before);
#pragma clang loop unroll(full)
    for (int i = 0; i < LINES(PAIR); i++) lines[i + 1] = vld1q_u8(block.at + i * block.stride);
}

// A panel of bytes: the columns of a row one after the other.
INLINE void decode_neon(const int PAIR, const int phase, const bp_trellis *m, const trellis_group *group, size_t first,
                        size_t width, void *panel) {
    const uint8x16_t high = vld1q_u8(m->high), low = vld1q_u8(m->low);
    uint8_t edge[MOST_LINES * 16];
    for (size_t c = 0; c < width; c += 16) {
        uint8x16_t lines[MOST_LINES];
        if (first + c < m->columns) lines_neon(PAIR, block_at(PAIR, 16, group, m->columns, first + c, edge), lines);
        else memset(lines, 0, sizeof lines);
#pragma clang loop unroll(full)
        for (int r = 0; r < GROUP; r++) {
            const int end = END(PAIR, phase, r);
            const uint8x16_t w = vaddq_u8(vqtbl1q_u8(high, nibble_neon(lines, end - 8)), vqtbl1q_u8(low, nibble_neon(lines, end - 4)));
            vst1q_u8((uint8_t *)panel + r * RUN + c, w);
        }
    }
}

// Adds sixteen products to four sums, in any order: two of at most 126 x 128 fit in 16 bits.
INLINE int32x4_t products_neon(int32x4_t sum, int8x16_t a, int8x16_t b) {
    const int16x8_t pairs = vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b);
    return vpadalq_s16(sum, pairs);
}

__attribute__((target("dotprod"))) INLINE int32x4_t dot_neon(int32x4_t sum, int8x16_t a, int8x16_t b) {
    return vdotq_s32(sum, a, b);
}

#define SUMS_OF(dot)                                                                                          \
    do {                                                                                                      \
        int32x4_t low[GROUP], high[GROUP];                                                                    \
        for (int r = 0; r < GROUP; r++) low[r] = high[r] = vdupq_n_s32(0);                                    \
        for (size_t c = 0; c < width; c += 16) {                                                              \
            const int8x16_t x_high = vreinterpretq_s8_u8(vld1q_u8(x + c));                                    \
            const int8x16_t x_low = vreinterpretq_s8_u8(vld1q_u8(x + padded(m->columns) + c));                \
            _Pragma("clang loop unroll(full)")                                                                \
            for (int r = 0; r < GROUP; r++) {                                                                 \
                const int8x16_t w = vreinterpretq_s8_u8(vld1q_u8((const uint8_t *)panel + r * RUN + c));      \
                low[r] = dot(low[r], w, x_low);                                                               \
                if (m->act_bytes == 2) high[r] = dot(high[r], w, x_high);                                     \
            }                                                                                                 \
        }                                                                                                     \
        for (int r = 0; r < GROUP; r++) sums[r] = vaddvq_s32(low[r]) + 256 * vaddvq_s32(high[r]);             \
    } while (0)

INLINE void sums_neon(const bp_trellis *m, const void *panel, const uint8_t *x, size_t width, int32_t sums[GROUP]) {
    SUMS_OF(products_neon);
}

__attribute__((target("dotprod"))) INLINE void dot_sums_neon(const bp_trellis *m, const void *panel, const uint8_t *x,
                                                             size_t width, int32_t sums[GROUP]) {
    SUMS_OF(dot_neon);
}

void bp_trellis_batch_neon(const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y) {
#define BATCH_OF(pair) trellis_batch(pair, m, prepared, tokens, part, y, 1, decode_neon, sums_neon)
    FOR_PAIR_BITS(m->pair_bits, BATCH_OF)
}

__attribute__((target("dotprod"))) void bp_trellis_batch_neon_dot(const bp_trellis *m, const uint8_t *prepared,
                                                                  size_t tokens, bp_part part, float *y) {
#define DOT_BATCH_OF(pair) trellis_batch(pair, m, prepared, tokens, part, y, 1, decode_neon, dot_sums_neon)
    FOR_PAIR_BITS(m->pair_bits, DOT_BATCH_OF)
}
#endif
