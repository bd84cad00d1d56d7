// AVX2: a byte shuffle counts the bits of nibbles.
#include "../xnor.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

void bp_sign_bits_of_avx2(const float *x, size_t columns, uint32_t *bits) { sign_bits(x, columns, bits); }

void bp_xnor_rows_avx2(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                       size_t lanes, const uint32_t *bits, uint32_t *counts) {
    if (lanes < 16) {
        count_differences(block, stride, tails, width, words, lanes, bits, counts);
        return;
    }
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi8(1), wide_ones = _mm256_set1_epi16(1);
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2,
                                           3, 2, 3, 3, 4);
    uint32_t rest[16];
    count_differences(block, stride, tails, width, 0, lanes, bits + words, rest);
    for (int half = 0; half < 2; half++) {
        __m256i sum = _mm256_loadu_si256((const __m256i *)(rest + 8 * half));
        for (size_t w = 0; w < words; w++) {
            const __m256i signs = _mm256_loadu_si256((const __m256i *)(block + w * stride + 32 * half));
            const __m256i v = _mm256_xor_si256(signs, _mm256_set1_epi32((int)bits[w]));
            const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(v, nibble));
            const __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
            const __m256i pairs = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), ones);
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, wide_ones));
        }
        _mm256_storeu_si256((__m256i *)(counts + 8 * half), sum);
    }
}

#pragma clang attribute pop
#endif
