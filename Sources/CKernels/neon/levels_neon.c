// NEON: four tables of bytes give the four bytes of a level; 16 rows at a time.
#include "../levels.h"
#pragma STDC FP_CONTRACT ON

#if defined(__aarch64__)
#include <arm_neon.h>

// Adds the levels of 16 rows' codes times `x`, lane `LANE` of it.
#define ADD_LEVELS(codes, LANE)                                                                               \
    do {                                                                                                      \
        const uint8x16_t n = codes;                                                                           \
        const uint8x16_t b0 = vqtbl1q_u8(table.val[0], n), b1 = vqtbl1q_u8(table.val[1], n);                  \
        const uint8x16_t b2 = vqtbl1q_u8(table.val[2], n), b3 = vqtbl1q_u8(table.val[3], n);                  \
        const uint16x8_t low[2] = {vreinterpretq_u16_u8(vzip1q_u8(b0, b1)), vreinterpretq_u16_u8(vzip2q_u8(b0, b1))};   \
        const uint16x8_t high[2] = {vreinterpretq_u16_u8(vzip1q_u8(b2, b3)), vreinterpretq_u16_u8(vzip2q_u8(b2, b3))};  \
        for (int i = 0; i < 2; i++) {                                                                         \
            const float32x4_t first = vreinterpretq_f32_u16(vzip1q_u16(low[i], high[i]));                     \
            const float32x4_t second = vreinterpretq_f32_u16(vzip2q_u16(low[i], high[i]));                    \
            sums[2 * i] = vfmaq_laneq_f32(sums[2 * i], first, LANE / 4 ? x1 : x0, LANE % 4);                  \
            sums[2 * i + 1] = vfmaq_laneq_f32(sums[2 * i + 1], second, LANE / 4 ? x1 : x0, LANE % 4);         \
        }                                                                                                     \
    } while (0)

static void levels_rows_neon(const uint8_t *block_at, size_t stride, size_t lanes, const float *levels, size_t columns,
                             size_t block, const float *scales, const float *x, float *y) {
    // Byte i of the 16 levels.
    const uint8x16x4_t table = vld4q_u8((const uint8_t *)levels);
    float32x4_t out[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    for (size_t b = 0; b < columns / block; b++) {
        float32x4_t sums[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
        for (size_t w = b * block / 8; w < (b + 1) * block / 8; w++) {
            uint32_t last[16];
            if (lanes < 16) load_lanes(last, block_at + w * stride, lanes);
            // Byte j of 16 words: columns 2 j and 2 j + 1.
            const uint8x16x4_t bytes = vld4q_u8(lanes < 16 ? (const uint8_t *)last : block_at + w * stride);
            const float32x4_t x0 = vld1q_f32(x + 8 * w), x1 = vld1q_f32(x + 8 * w + 4);
            const uint8x16_t nibble = vdupq_n_u8(15);
            ADD_LEVELS(vandq_u8(bytes.val[0], nibble), 0);
            ADD_LEVELS(vshrq_n_u8(bytes.val[0], 4), 1);
            ADD_LEVELS(vandq_u8(bytes.val[1], nibble), 2);
            ADD_LEVELS(vshrq_n_u8(bytes.val[1], 4), 3);
            ADD_LEVELS(vandq_u8(bytes.val[2], nibble), 4);
            ADD_LEVELS(vshrq_n_u8(bytes.val[2], 4), 5);
            ADD_LEVELS(vandq_u8(bytes.val[3], nibble), 6);
            ADD_LEVELS(vshrq_n_u8(bytes.val[3], 4), 7);
        }
        for (int i = 0; i < 4; i++) out[i] = vfmaq_f32(out[i], vld1q_f32(scales + 16 * b + 4 * i), sums[i]);
    }
    float all[16];
    for (int i = 0; i < 4; i++) vst1q_f32(all + 4 * i, out[i]);
    memcpy(y, all, lanes * sizeof(float));
}

void bp_levels_block_neon(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                          size_t block, const float *scales, const float *x, size_t tokens, float *y) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in_block; i += 16)
            levels_rows_neon(codes + 4 * i, 4 * in_block, in_block - i < 16 ? in_block - i : 16, levels, columns, block,
                             scales + i * (columns / block), x + t * columns, y + t * rows + i);
}
#endif
