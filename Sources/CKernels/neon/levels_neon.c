// NEON: 4 rows a vector; two tables of bytes give a level's two bytes.
#include "../level_panels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

// The low bytes of the 16 levels, and the high ones.
INLINE uint8x16x2_t table_neon(const int16_t *levels) { return vld2q_u8((const uint8_t *)levels); }

// The levels of 4 words, four numbers a row: of columns 0, 2, 4 and 6 for rows 0 and 1 and for rows 2 and 3,
// then of the other columns.
INLINE void levels_of_neon(uint8x16_t words, uint8x16x2_t table, int16x8_t levels[4]) {
#pragma clang loop unroll(full)
    for (int odd = 0; odd < 2; odd++) {
        const uint8x16_t codes = odd ? vshrq_n_u8(words, 4) : vandq_u8(words, vdupq_n_u8(15));
        const uint8x16_t low = vqtbl1q_u8(table.val[0], codes), high = vqtbl1q_u8(table.val[1], codes);
        levels[2 * odd] = vreinterpretq_s16_u8(vzip1q_u8(low, high));
        levels[2 * odd + 1] = vreinterpretq_s16_u8(vzip2q_u8(low, high));
    }
}

// Goes on with the sums of 4 rows over a word, four of each.
INLINE void add_neon(const int16x8_t levels[4], const uint8_t *x, int32x4_t sums[4]) {
    const int16x8_t numbers = vreinterpretq_s16_u8(vld1q_u8(x));
#pragma clang loop unroll(full)
    for (int odd = 0; odd < 2; odd++) {
        const int16x4_t four = odd ? vget_high_s16(numbers) : vget_low_s16(numbers);
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            sums[2 * i] = vmlal_s16(sums[2 * i], vget_low_s16(levels[2 * odd + i]), four);
            sums[2 * i + 1] = vmlal_s16(sums[2 * i + 1], vget_high_s16(levels[2 * odd + i]), four);
        }
    }
}

// The sums of 4 rows, in order.
INLINE int32x4_t total_neon(const int32x4_t sums[4]) {
    return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
}

INLINE void decode_neon(const int16_t *levels, level_words words, uint8_t *panel) {
    const uint8x16x2_t table = table_neon(levels);
    for (size_t w = 0; w < words.count; w++, words.at += words.stride, panel += LEVEL_BYTES)
        for (size_t r = 0; r < words.rows; r += 4) {
            int16x8_t found[4];
            levels_of_neon(vld1q_u8(words.at + 4 * r), table, found);
            for (int i = 0; i < 4; i++) vst1q_u8(panel + 16 * r + 16 * i, vreinterpretq_u8_s16(found[i]));
        }
}

INLINE void multiply_neon(const uint8_t *panel, size_t rows, size_t words, const uint8_t *x, size_t size, size_t tokens,
                          int32_t (*sums)[64]) {
    for (size_t r = 0; r < rows; r += 4)
        for (size_t t = 0; t < tokens; t++) {
            int32x4_t all[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
            for (size_t w = 0; w < words; w++) {
                int16x8_t levels[4];
                for (int i = 0; i < 4; i++)
                    levels[i] = vreinterpretq_s16_u8(vld1q_u8(panel + LEVEL_BYTES * w + 16 * r + 16 * i));
                add_neon(levels, x + t * size + 16 * w, all);
            }
            vst1q_s32(sums[t] + r, total_neon(all));
        }
}

INLINE void direct_neon(const int16_t *levels, level_words words, const uint8_t *x, int32_t sums[64]) {
    const uint8x16x2_t table = table_neon(levels);
    for (size_t r = 0; r < words.rows; r += 4) {
        int32x4_t all[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
        for (size_t w = 0; w < words.count; w++) {
            int16x8_t found[4];
            levels_of_neon(vld1q_u8(words.at + w * words.stride + 4 * r), table, found);
            add_neon(found, x + 16 * w, all);
        }
        vst1q_s32(sums + r, total_neon(all));
    }
}

DECLARE_LEVELS(neon) {
    levels_block(decode_neon, multiply_neon, direct_neon, m, segments, count, block, row, in_block, activations, size, tokens, y);
}
#endif
