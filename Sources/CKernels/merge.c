// Lists of numbers back in one: the outputs of an embedding's clusters in the order of tokens.
#include "targets.h"

static void merge_portable(const uint8_t *which, size_t n, size_t list, const float *from, float *out) {
    for (size_t i = 0; i < n; i++) {
        const int mine = which[i] == list;
        out[i] = mine ? *from : out[i];
        from += mine;
    }
}

#if defined(__x86_64__)
#define merge_avx2 merge_portable

#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
static void merge_avx512(const uint8_t *which, size_t n, size_t list, const float *from, float *out) {
    const __m128i wanted = _mm_set1_epi8((char)list);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __mmask16 mask = _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)(which + i)), wanted);
        _mm512_mask_storeu_ps(out + i, mask, _mm512_maskz_expandloadu_ps(mask, from));
        from += __builtin_popcount(mask);
    }
    merge_portable(which + i, n - i, list, from, out + i);
}
#pragma clang attribute pop
#endif

void bp_merge(bp_isa isa, const uint8_t *which, size_t n, size_t list, const float *from, float *out) {
    DISPATCH(isa, merge, which, n, list, from, out);
}
