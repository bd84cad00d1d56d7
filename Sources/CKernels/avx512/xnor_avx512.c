// AVX-512: 16 rows a vector, bits counted by one instruction.
#include "../xnor.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

void bp_sign_bits_of_avx512(const float *x, size_t columns, uint32_t *bits) {
    for (size_t w = 0; 32 * w < columns; w++) {
        const size_t n = columns - 32 * w < 32 ? columns - 32 * w : 32;
        const uint32_t all = n == 32 ? 0xffffffff : (1u << n) - 1;
        const __m512 zero = _mm512_setzero_ps();
        const __mmask16 low = _mm512_cmp_ps_mask(
            _mm512_maskz_loadu_ps((__mmask16)all, x + 32 * w), zero, _CMP_GT_OQ);
        const __mmask16 high = n <= 16 ? 0 : _mm512_cmp_ps_mask(
            _mm512_maskz_loadu_ps((__mmask16)(all >> 16), x + 32 * w + 16), zero, _CMP_GT_OQ);
        bits[w] = (uint32_t)low | (uint32_t)high << 16;
    }
}

void bp_xnor_rows_avx512(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                         size_t lanes, const uint32_t *bits, uint32_t *counts) {
    const __mmask16 mask = (__mmask16)((1u << lanes) - 1);
    uint32_t rest[16] = {0};
    count_differences(block, stride, tails, width, 0, lanes, bits + words, rest);
    __m512i sum = _mm512_loadu_si512(rest);
    for (size_t w = 0; w < words; w++) {
        const __m512i signs = _mm512_maskz_loadu_epi32(mask, block + w * stride);
        const __m512i v = _mm512_xor_si512(signs, _mm512_set1_epi32((int)bits[w]));
        sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(v));
    }
    _mm512_mask_storeu_epi32(counts, mask, sum);
}

void bp_xnor_block_avx512(const uint8_t *block, const uint8_t *end, int is_long, size_t words, const uint32_t *bits,
                          size_t columns, float scale, float *y) {
    __m512i sums[4];
    for (int v = 0; v < 4; v++) sums[v] = _mm512_setzero_si512();
    for (size_t w = 0; w < words; w++, block += 256) {
        const __m512i b = _mm512_set1_epi32((int)bits[w]);
        for (int v = 0; v < 4; v++) {
            fetch_ahead(block + 64 * v, end, is_long, 4096);
            const __m512i differ = _mm512_xor_si512(_mm512_loadu_si512(block + 64 * v), b);
            sums[v] = _mm512_add_epi32(sums[v], _mm512_popcnt_epi32(differ));
        }
    }
    for (int v = 0; v < 4; v++) {
        const __m512i sum = _mm512_sub_epi32(_mm512_set1_epi32((int)columns), _mm512_add_epi32(sums[v], sums[v]));
        _mm512_storeu_ps(y + 16 * v, _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_cvtepi32_ps(sum)));
    }
}

#pragma clang attribute pop
#endif
