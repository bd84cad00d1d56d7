// AVX2: a byte shuffle counts the bits of nibbles.
#include "../xnor.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

void bp_sign_bits_of_avx2(const float *x, size_t columns, uint32_t *bits) { sign_bits(x, columns, bits); }

// The bits of each byte where signs and a token's differ.
INLINE __m256i differences_avx2(const uint8_t *signs, uint32_t bits) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i v = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)signs), _mm256_set1_epi32((int)bits));
    const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(v, nibble));
    return _mm256_add_epi8(low, _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble)));
}

// The sums of the four bytes of each word.
INLINE __m256i of_words_avx2(__m256i bytes) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1)), _mm256_set1_epi16(1));
}

void bp_xnor_rows_avx2(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                       size_t lanes, const uint32_t *bits, uint32_t *counts) {
    if (lanes < 16) {
        count_differences(block, stride, tails, width, words, lanes, bits, counts);
        return;
    }
    uint32_t rest[16];
    count_differences(block, stride, tails, width, 0, lanes, bits + words, rest);
    for (int half = 0; half < 2; half++) {
        __m256i sum = _mm256_loadu_si256((const __m256i *)(rest + 8 * half));
        for (size_t w = 0; w < words; w++)
            sum = _mm256_add_epi32(sum, of_words_avx2(differences_avx2(block + w * stride + 32 * half, bits[w])));
        _mm256_storeu_si256((__m256i *)(counts + 8 * half), sum);
    }
}

void bp_xnor_block_avx2(const uint8_t *block, const uint8_t *end, int is_long, size_t words, const uint32_t *bits,
                        size_t columns, float scale, float *y) {
    // Differences of at most 31 words are added as bytes.
    enum { MOST = 31 };
    __m256i sums[8];
    for (int v = 0; v < 8; v++) sums[v] = _mm256_setzero_si256();
    for (size_t first = 0; first < words; first += MOST) {
        __m256i bytes[8];
        for (int v = 0; v < 8; v++) bytes[v] = _mm256_setzero_si256();
        for (size_t w = first; w < words && w < first + MOST; w++, block += 256)
#pragma clang loop unroll(full)
            for (int v = 0; v < 8; v++) {
                if (v % 2 == 0) fetch_ahead(block + 32 * v, end, is_long, 4096);
                bytes[v] = _mm256_add_epi8(bytes[v], differences_avx2(block + 32 * v, bits[w]));
            }
        for (int v = 0; v < 8; v++) sums[v] = _mm256_add_epi32(sums[v], of_words_avx2(bytes[v]));
    }
    for (int v = 0; v < 8; v++) {
        const __m256i sum = _mm256_sub_epi32(_mm256_set1_epi32((int)columns), _mm256_add_epi32(sums[v], sums[v]));
        _mm256_storeu_ps(y + 8 * v, _mm256_mul_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(sum)));
    }
}

#pragma clang attribute pop
#endif
