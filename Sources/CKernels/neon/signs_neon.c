// NEON: the same byte of 16 strings at a time, one table of 16 a look-up.
#include "../sign_sums.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__aarch64__)
#include <arm_neon.h>

// Tables of a nibble: 16 low halves of its entries, then the high ones.
void bp_sign_word_tables_neon(const int16_t *q, size_t words, uint8_t *tables) {
    static const int16_t bits[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const int16x8_t numbers = vld1q_s16(bits), zero = vdupq_n_s16(0);
    for (size_t i = 0; i < 8 * words; i++, q += 4, tables += 32) {
        // Entry n has column i where bit i of n is set and q is positive, or neither.
        int16x8_t below = zero;
        for (int c = 0; c < 4; c++) {
            const int16x8_t v = vdupq_n_s16(q[c]);
            below = vsubq_s16(below, vminq_s16(v, zero));
            if (c < 3) below = vaddq_s16(below, vandq_s16(v, vreinterpretq_s16_u16(vtstq_s16(numbers, vdupq_n_s16((int16_t)(1 << c))))));
        }
        // Entries 8 to 15 are those with column 3.
        const uint16x8_t low = vreinterpretq_u16_s16(below), high = vreinterpretq_u16_s16(vaddq_s16(below, vdupq_n_s16(q[3])));
        const uint8x16_t half = vdupq_n_u8(63);
        vst1q_u8(tables, vandq_u8(vcombine_u8(vmovn_u16(low), vmovn_u16(high)), half));
        vst1q_u8(tables + 16, vcombine_u8(vshrn_n_u16(low, 6), vshrn_n_u16(high, 6)));
    }
}

// Nibble `n` of the 16 strings from `at` on: the low ones of their first bytes, the high ones, and so on.
INLINE uint8x16_t nibble_neon(const int IS_SPLIT, const uint8_t *at, const int n) {
    if (IS_SPLIT) return vld1q_u8(at + STRINGS * n);
    const uint8x16_t bytes = vld1q_u8(at + STRINGS * (n / 2));
    return n % 2 ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15));
}

INLINE void split_neon(const sign_matrix *m, sign_words words, uint8_t *nibbles) {
    (void)m;
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, nibbles += WORD_NIBBLES)
        for (int n = 0; n < 8; n++)
            for (int half = 0; half < 2; half++)
                vst1q_u8(nibbles + STRINGS * n + 16 * half, nibble_neon(0, words.at + 16 * half, n));
}

// Of 16 strings.
INLINE void add_half_neon(const int IS_SPLIT, const sign_matrix *m, sign_words words, size_t s, const uint8_t *tables,
                          const uint8_t *prepared, float *out) {
    uint16x8_t low[2] = {vdupq_n_u16(0), vdupq_n_u16(0)}, high[2] = {vdupq_n_u16(0), vdupq_n_u16(0)};
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, tables += TABLE)
#pragma clang loop unroll(full)
        for (int pair = 0; pair < 2; pair++) {
            // Four halves are added as bytes.
            uint8x16_t l = vdupq_n_u8(0), h = vdupq_n_u8(0);
#pragma clang loop unroll(full)
            for (int n = 4 * pair; n < 4 * pair + 4; n++) {
                const uint8x16_t nibble = nibble_neon(IS_SPLIT, words.at, n);
                l = vaddq_u8(l, vqtbl1q_u8(vld1q_u8(tables + 32 * n), nibble));
                h = vaddq_u8(h, vqtbl1q_u8(vld1q_u8(tables + 32 * n + 16), nibble));
            }
            low[0] = vaddw_u8(low[0], vget_low_u8(l));
            low[1] = vaddw_high_u8(low[1], l);
            high[0] = vaddw_u8(high[0], vget_low_u8(h));
            high[1] = vaddw_high_u8(high[1], h);
        }
    const int32x4_t less = vdupq_n_s32(sign_magnitude(m, prepared, s));
    const float scale = sign_scale(m, prepared, s);
    for (int i = 0; i < 4; i++, out += 4) {
        const uint16x4_t l = i % 2 ? vget_high_u16(low[i / 2]) : vget_low_u16(low[i / 2]);
        const uint16x4_t h = i % 2 ? vget_high_u16(high[i / 2]) : vget_low_u16(high[i / 2]);
        const uint32x4_t sum = vaddq_u32(vshll_n_u16(l, 1), vshlq_n_u32(vmovl_u16(h), 7));
        const float32x4_t total = vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(sum), less));
        vst1q_f32(out, vaddq_f32(vld1q_f32(out), vmulq_n_f32(total, scale)));
    }
}

INLINE void add_chunks_neon(const int CHUNKS, const int IS_SPLIT, const sign_matrix *m, sign_words words, const uint8_t *second,
                            size_t s, const uint8_t *tables, const uint8_t *prepared, float *out) {
    for (int c = 0; c < CHUNKS; c++, words.at = second)
        for (int half = 0; half < 2; half++) {
            const sign_words own = {words.at + 16 * half, words.count, words.stride};
            add_half_neon(IS_SPLIT, m, own, s, tables, prepared, out + STRINGS * c + 16 * half);
        }
}

void bp_sign_block_neon(const sign_matrix *m, const uint8_t *block, size_t row, size_t in_block, const uint8_t *tables,
                        size_t size, size_t tokens, float *y) {
    sign_block(split_neon, add_chunks_neon, m, block, row, in_block, tables, size, tokens, y);
}
#endif
