// NEON: bits are counted byte by byte, four rows a vector.
#include "../xnor.h"

#if defined(__aarch64__)
#include <arm_neon.h>

void bp_xnor_rows_neon(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                       size_t lanes, const uint32_t *bits, uint32_t *counts) {
    if (lanes < 16) {
        count_differences(block, stride, tails, width, words, lanes, bits, counts);
        return;
    }
    count_differences(block, stride, tails, width, 0, lanes, bits + words, counts);
    uint32x4_t sums[4];
    for (int v = 0; v < 4; v++) sums[v] = vld1q_u32(counts + 4 * v);
    for (size_t w = 0; w < words; w++) {
        const uint8x16_t word = vreinterpretq_u8_u32(vdupq_n_u32(bits[w]));
#pragma clang loop unroll(full)
        for (int v = 0; v < 4; v++) {
            const uint8x16_t differences = veorq_u8(vld1q_u8(block + w * stride + 16 * v), word);
            sums[v] = vpadalq_u16(sums[v], vpaddlq_u8(vcntq_u8(differences)));
        }
    }
    for (int v = 0; v < 4; v++) vst1q_u32(counts + 4 * v, sums[v]);
}
#endif
