// Lists of numbers back in one: the outputs of an embedding's clusters in the order of tokens.
#include "targets.h"

static void merge_portable(const uint8_t *which, size_t n, const float **from, size_t count, float *out) {
    (void)count;
    for (size_t i = 0; i < n; i++) out[i] = *from[which[i]]++;
}

#if defined(__x86_64__)
#define merge_avx2 merge_portable

#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
static void merge_avx512(const uint8_t *which, size_t n, const float **from, size_t count, float *out) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m128i lists = _mm_loadu_si128((const __m128i *)(which + i));
        __m512 merged = _mm512_setzero_ps();
        for (size_t c = 0; c < count; c++) {
            const __mmask16 mask = _mm_cmpeq_epi8_mask(lists, _mm_set1_epi8((char)c));
            merged = _mm512_mask_expandloadu_ps(merged, mask, from[c]);
            from[c] += __builtin_popcount(mask);
        }
        _mm512_storeu_ps(out + i, merged);
    }
    merge_portable(which + i, n - i, from, count, out + i);
}
#pragma clang attribute pop
#endif

void bp_merge(bp_isa isa, const uint8_t *which, size_t n, const float **from, size_t count, float *out) {
    DISPATCH(isa, merge, which, n, from, count, out);
}
