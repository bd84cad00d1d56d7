// The search by AVX-512: sixteen windows a vector, choices as masks.
#include "../trellis_path.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

// Weight t.
INLINE void step(const int bits, const float *table, const float *targets, const float *factors, size_t t, float *costs,
                 uint8_t *choices) {
    const size_t before = TRELLIS_WINDOWS >> bits, ways = (size_t)1 << bits;
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512 least[TRELLIS_WINDOWS / 32];
    for (size_t m = 0; m < before; m += 16) {
        __m512 cost[16];
        __mmask16 way[16][4];  // By bit.
        UNROLL
        for (size_t b = 0; b < ways; b++) cost[b] = _mm512_loadu_ps(costs + b * before + m);
        UNROLL
        for (int bit = 0; bit < bits; bit++)
            UNROLL
            for (size_t p = 0; p < ways >> (bit + 1); p++) {
                const __mmask16 right = _mm512_cmp_ps_mask(cost[2 * p + 1], cost[2 * p], _CMP_LT_OQ);
                UNROLL
                for (int lower = 0; lower < bit; lower++)
                    way[p][lower] = (way[2 * p + 1][lower] & right) | (way[2 * p][lower] & ~right);
                way[p][bit] = right;
                cost[p] = _mm512_mask_mov_ps(cost[2 * p], right, cost[2 * p + 1]);
            }
        least[m / 16] = cost[0];
        __m128i chosen = _mm_setzero_si128();
        UNROLL
        for (int bit = 0; bit < bits; bit++)
            chosen = _mm_or_si128(chosen, _mm_maskz_set1_epi8(way[0][bit], (char)(1 << bit)));
        _mm_storeu_si128((__m128i *)(choices + m), chosen);
    }
    const __m512 target = _mm512_set1_ps(targets[t]), factor = _mm512_set1_ps(factors[t]);
    __m512 best = _mm512_set1_ps(__builtin_inff());
    for (size_t m = 0; m < before / 16; m++)
        UNROLL
        for (size_t b = 0; b < ways; b++) {
            const size_t s = 16 * (m * ways + b);
            const __m512i from = _mm512_srli_epi32(_mm512_add_epi32(_mm512_set1_epi32((int)(16 * b)), lanes), bits);
            const __m512 rest = _mm512_sub_ps(target, _mm512_mul_ps(factor, _mm512_loadu_ps(table + s)));
            const __m512 cost = _mm512_add_ps(_mm512_permutexvar_ps(from, least[m]), _mm512_mul_ps(rest, rest));
            best = _mm512_min_ps(best, cost);
            _mm512_storeu_ps(costs + s, cost);
        }
    if (t % TRELLIS_RENORMALIZE == TRELLIS_RENORMALIZE - 1) {
        best = _mm512_set1_ps(_mm512_reduce_min_ps(best));
        for (size_t s = 0; s < TRELLIS_WINDOWS; s += 16)
            _mm512_storeu_ps(costs + s, _mm512_sub_ps(_mm512_loadu_ps(costs + s), best));
    }
}

INLINE void search(const int first_bits, const int second_bits, const uint8_t *second, const float *table,
                   const float *targets, const float *factors, size_t count, float *costs, uint8_t *choices) {
    for (size_t t = 0; t < count; t++, choices += TRELLIS_WINDOWS >> first_bits) {
        if (first_bits != second_bits && second[t]) step(second_bits, table, targets, factors, t, costs, choices);
        else step(first_bits, table, targets, factors, t, costs, choices);
    }
}

void bp_trellis_search_avx512(size_t pair_bits, const uint8_t *second, const float *table, const float *targets,
                              const float *factors, size_t count, float *costs, uint8_t *choices) {
#define SEARCH(first, then) search(first, then, second, table, targets, factors, count, costs, choices)
    FOR_BITS(pair_bits, SEARCH)
}

#pragma clang attribute pop
#endif
