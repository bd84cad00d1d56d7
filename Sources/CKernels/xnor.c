// Signs times signs: exclusive or, then population counts. Exact.
#include <string.h>
#include "targets.h"

#define SIGN_BITS_BODY                                                                          \
    const size_t words = (columns + 31) / 32;                                                   \
    for (size_t w = 0; w < words; w++) {                                                        \
        const size_t n = columns - 32 * w < 32 ? columns - 32 * w : 32;                         \
        uint32_t word = 0;                                                                      \
        for (size_t i = 0; i < n; i++) word |= (uint32_t)(x[32 * w + i] > 0) << i;              \
        bits[w] = word;                                                                         \
    }

static void sign_bits_portable(const float *x, size_t columns, uint32_t *bits) { SIGN_BITS_BODY }

static void xnor_rows_portable(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                               size_t lanes, const uint32_t *bits, uint32_t *counts) {
    for (size_t lane = 0; lane < lanes; lane++) counts[lane] = 0;
    for (size_t w = 0; w < words; w++)
        for (size_t lane = 0; lane < lanes; lane++) {
            uint32_t word;
            memcpy(&word, block + w * stride + 4 * lane, 4);
            counts[lane] += (uint32_t)__builtin_popcount(word ^ bits[w]);
        }
    if (width)
        for (size_t lane = 0; lane < lanes; lane++) {
            uint32_t word = 0;
            memcpy(&word, tails + lane * width, width);
            counts[lane] += (uint32_t)__builtin_popcount(word ^ bits[words]);
        }
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)
static void sign_bits_avx2(const float *x, size_t columns, uint32_t *bits) { SIGN_BITS_BODY }

static void xnor_rows_avx2(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                           size_t lanes, const uint32_t *bits, uint32_t *counts) {
    if (lanes < 16) {
        xnor_rows_portable(block, stride, tails, width, words, lanes, bits, counts);
        return;
    }
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi8(1), wide_ones = _mm256_set1_epi16(1);
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2,
                                           3, 2, 3, 3, 4);
    uint32_t rest[16];
    xnor_rows_portable(block, stride, tails, width, 0, lanes, bits + words, rest);
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

#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
static void sign_bits_avx512(const float *x, size_t columns, uint32_t *bits) {
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

static void xnor_rows_avx512(const uint8_t *block, size_t stride, const uint8_t *tails, size_t width, size_t words,
                             size_t lanes, const uint32_t *bits, uint32_t *counts) {
    const __mmask16 mask = (__mmask16)((1u << lanes) - 1);
    uint32_t rest[16] = {0};
    xnor_rows_portable(block, stride, tails, width, 0, lanes, bits + words, rest);
    __m512i sum = _mm512_loadu_si512(rest);
    for (size_t w = 0; w < words; w++) {
        const __m512i signs = _mm512_maskz_loadu_epi32(mask, block + w * stride);
        const __m512i v = _mm512_xor_si512(signs, _mm512_set1_epi32((int)bits[w]));
        sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(v));
    }
    _mm512_mask_storeu_epi32(counts, mask, sum);
}

// 64 rows with no part of a word left over: one contiguous stream.
static void xnor_block_avx512(const uint8_t *block, const uint8_t *end, int is_long, size_t words, const uint32_t *bits,
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

void bp_sign_bits(bp_isa isa, const float *x, size_t columns, size_t tokens, uint32_t *bits) {
    for (size_t t = 0; t < tokens; t++)
        DISPATCH(isa, sign_bits, x + t * columns, columns, bits + t * ((columns + 31) / 32));
}

void bp_xnor_multiply(bp_isa isa, const uint8_t *signs, size_t rows, size_t columns, float scale, const uint32_t *bits,
                      size_t tokens, float *y) {
    const size_t height = bp_block_rows(1), row_bytes = (columns + 7) / 8, words = row_bytes / 4, width = row_bytes % 4;
    for (size_t r = 0; r < rows; r += height) {
        const size_t in_block = rows - r < height ? rows - r : height;
        const uint8_t *block = signs + 4 * words * r, *tails = signs + 4 * words * rows + width * r;
        for (size_t t = 0; t < tokens; t++) {
            const uint32_t *of_token = bits + t * ((columns + 31) / 32);
            float *out = y + t * rows + r;
#if defined(__x86_64__)
            if (HAS_AVX512(isa) && in_block == 64 && !width) {
                xnor_block_avx512(block, signs + rows * row_bytes, rows * row_bytes >= LONG_STREAM, words, of_token, columns,
                                  scale, out);
                continue;
            }
#endif
            for (size_t i = 0; i < in_block; i += 16) {
                uint32_t counts[16];
                const size_t lanes = in_block - i < 16 ? in_block - i : 16;
                DISPATCH(isa, xnor_rows, block + 4 * i, 4 * in_block, tails + i * width, width, words, lanes, of_token,
                         counts);
                for (size_t lane = 0; lane < lanes; lane++)
                    out[i + lane] = scale * (float)((int32_t)columns - 2 * (int32_t)counts[lane]);
            }
        }
    }
}
