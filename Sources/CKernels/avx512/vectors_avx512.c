// AVX-512: a vector of 16 floats is a register; merging lists is an instruction.
#include "../gradient_functions.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

DEFINE_VECTORS(avx512)

DEFINE_GRADIENTS(avx512)

void bp_merge_avx512(const uint8_t *which, size_t n, size_t list, const float *from, float *out) {
    const __m128i wanted = _mm_set1_epi8((char)list);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __mmask16 mask = _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)(which + i)), wanted);
        _mm512_mask_storeu_ps(out + i, mask, _mm512_maskz_expandloadu_ps(mask, from));
        from += __builtin_popcount(mask);
    }
    merge(which + i, n - i, list, from, out + i);
}

#pragma clang attribute pop
#endif
