// The search by AVX2: eight windows a vector.
#include "../trellis_path.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

// Weight t.
INLINE void step(const int bits, const float *table, const float *targets, const float *factors, size_t t, float *costs,
                 uint8_t *choices) {
    const size_t before = TRELLIS_WINDOWS >> bits, ways = (size_t)1 << bits;
    // The bytes of eight numbers to the first bytes of the halves.
    const __m256i bytes = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                           0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256 least[TRELLIS_WINDOWS / 16];
    for (size_t m = 0; m < before; m += 8) {
        __m256 cost[16], way[16];
        UNROLL
        for (size_t b = 0; b < ways; b++) cost[b] = _mm256_loadu_ps(costs + b * before + m);
        UNROLL
        for (int bit = 0; bit < bits; bit++) {
            const __m256 one = _mm256_castsi256_ps(_mm256_set1_epi32(1 << bit));
            UNROLL
            for (size_t p = 0; p < ways >> (bit + 1); p++) {
                const __m256 right = _mm256_cmp_ps(cost[2 * p + 1], cost[2 * p], _CMP_LT_OQ);
                const __m256 higher = _mm256_and_ps(right, one);
                way[p] = bit ? _mm256_or_ps(_mm256_blendv_ps(way[2 * p], way[2 * p + 1], right), higher) : higher;
                cost[p] = _mm256_blendv_ps(cost[2 * p], cost[2 * p + 1], right);
            }
        }
        least[m / 8] = cost[0];
        const __m256i packed = _mm256_shuffle_epi8(_mm256_castps_si256(way[0]), bytes);
        _mm_storel_epi64((__m128i *)(choices + m),
                         _mm_unpacklo_epi32(_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1)));
    }
    const __m256 target = _mm256_set1_ps(targets[t]), factor = _mm256_set1_ps(factors[t]);
    __m256 best = _mm256_set1_ps(__builtin_inff());
    for (size_t m = 0; m < before / 8; m++)
        UNROLL
        for (size_t b = 0; b < ways; b++) {
            const size_t s = 8 * (m * ways + b);
            const __m256i from = _mm256_srli_epi32(_mm256_add_epi32(_mm256_set1_epi32((int)(8 * b)), lanes), bits);
            const __m256 rest = _mm256_sub_ps(target, _mm256_mul_ps(factor, _mm256_loadu_ps(table + s)));
            const __m256 cost = _mm256_add_ps(_mm256_permutevar8x32_ps(least[m], from), _mm256_mul_ps(rest, rest));
            best = _mm256_min_ps(best, cost);
            _mm256_storeu_ps(costs + s, cost);
        }
    if (t % TRELLIS_RENORMALIZE == TRELLIS_RENORMALIZE - 1) {
        for (int distance = 4; distance; distance /= 2)
            best = _mm256_min_ps(best, _mm256_permutevar8x32_ps(best, _mm256_xor_si256(lanes, _mm256_set1_epi32(distance))));
        for (size_t s = 0; s < TRELLIS_WINDOWS; s += 8)
            _mm256_storeu_ps(costs + s, _mm256_sub_ps(_mm256_loadu_ps(costs + s), best));
    }
}

INLINE void search(const int first_bits, const int second_bits, const uint8_t *second, const float *table,
                   const float *targets, const float *factors, size_t count, float *costs, uint8_t *choices) {
    for (size_t t = 0; t < count; t++, choices += TRELLIS_WINDOWS >> first_bits) {
        if (first_bits != second_bits && second[t]) step(second_bits, table, targets, factors, t, costs, choices);
        else step(first_bits, table, targets, factors, t, costs, choices);
    }
}

void bp_trellis_search_avx2(size_t pair_bits, const uint8_t *second, const float *table, const float *targets,
                            const float *factors, size_t count, float *costs, uint8_t *choices) {
#define SEARCH(first, then) search(first, then, second, table, targets, factors, count, costs, choices)
    FOR_BITS(pair_bits, SEARCH)
}

#pragma clang attribute pop
#endif
