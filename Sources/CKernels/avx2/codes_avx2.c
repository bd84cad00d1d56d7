// AVX2: 8 rows a vector, codes widened to pairs of 16 bits for the multiply-add of pairs.
#include "../codes.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

INLINE void code_unit_avx2(const int BITS, const __m256i *words, __m256i flip, const int32_t *pairs, __m256i *sum) {
    const __m256i low = _mm256_set1_epi32((1 << BITS) - 1), high = _mm256_set1_epi32(((1 << BITS) - 1) << 16);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
        const int at = 2 * i * BITS, w = at / 32, shift = at % 32;
        __m256i d = _mm256_srli_epi32(words[w], shift);
        if (shift + 2 * BITS > 32) d = _mm256_or_si256(d, _mm256_slli_epi32(words[w + 1], 32 - shift));
        __m256i codes = _mm256_and_si256(d, low);
        codes = _mm256_or_si256(codes, _mm256_and_si256(_mm256_slli_epi32(d, 16 - BITS), high));
        if (BITS == 8) codes = _mm256_xor_si256(codes, flip);
        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(codes, _mm256_set1_epi32(pairs[i])));
    }
}

INLINE void code_rows_of_avx2(const int BITS, const bp_codes *m, const bp_segment *segments, size_t count,
                              const uint8_t *block, size_t stride, size_t row, size_t lanes, const uint8_t *activations,
                              float *y) {
    const float *act_scales = (const float *)(activations + units_of(segments, count) * UNIT);
    const int32_t *act_sums = (const int32_t *)(act_scales + count);
    const float *scales = m->scales + row * m->groups, *offsets = m->offsets ? m->offsets + row * m->groups : 0;
    const size_t whole = (m->columns * BITS + 7) / 8 / 4;
    const __m256i flip = _mm256_set1_epi32(m->is_signed ? 0x00800080 : 0);
    __m256 out[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t s = 0; s < count; s++) {
        __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t u = 0; u < segments[s].units; u++, activations += UNIT) {
            int32_t pairs[16];
            memcpy(pairs, activations, UNIT);
            const size_t first = (segments[s].first_unit + u) * BITS;
            __m256i words[2][8];
            if (lanes == 16 && first + BITS <= whole) {
#pragma clang loop unroll(full)
                for (int w = 0; w < BITS; w++) {
                    const uint8_t *at = block + (first + w) * stride;
                    words[0][w] = _mm256_loadu_si256((const __m256i *)at);
                    words[1][w] = _mm256_loadu_si256((const __m256i *)(at + 32));
                }
            } else {
                for (int w = 0; w < BITS; w++) {
                    uint32_t edge[16];
                    load_words(m, block, stride, row, lanes, first + w, edge);
                    words[0][w] = _mm256_loadu_si256((const __m256i *)edge);
                    words[1][w] = _mm256_loadu_si256((const __m256i *)(edge + 8));
                }
            }
            code_unit_avx2(BITS, words[0], flip, pairs, &sums[0]);
            code_unit_avx2(BITS, words[1], flip, pairs, &sums[1]);
        }
        const __m256i middle = _mm256_set1_epi32((1 << (BITS - 1)) * act_sums[s]);
        const __m256 act_scale = _mm256_set1_ps(act_scales[s]);
        for (int half = 0; half < 2; half++) {
            const size_t at = 16 * segments[s].group + 8 * half;
            const __m256 sum = _mm256_mul_ps(act_scale, _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[half], middle)));
            const __m256 term = _mm256_mul_ps(_mm256_loadu_ps(scales + at), sum);
            out[half] = _mm256_add_ps(out[half], term);
            if (offsets) {
                const __m256 all = _mm256_set1_ps(act_scales[s] * (float)act_sums[s]);
                const __m256 shift = _mm256_mul_ps(_mm256_loadu_ps(offsets + at), all);
                out[half] = _mm256_add_ps(out[half], shift);
            }
        }
    }
    float all[16];
    _mm256_storeu_ps(all, out[0]);
    _mm256_storeu_ps(all + 8, out[1]);
    memcpy(y, all, lanes * sizeof(float));
}

void bp_code_rows_avx2(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t stride,
                       size_t row, size_t lanes, const uint8_t *activations, float *y) {
#define CASE(n) \
    case n: code_rows_of_avx2(n, m, segments, count, block, stride, row, lanes, activations, y); break;
    switch (m->bits) { CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) }
#undef CASE
}

#pragma clang attribute pop
#endif
