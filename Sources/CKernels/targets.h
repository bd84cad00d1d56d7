// The instruction sets as function attributes, and the choice between the builds of one function.
#ifndef TARGETS_H
#define TARGETS_H
#include "ckernels.h"

#define INLINE static inline __attribute__((always_inline))
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

#define HAS_AVX512(isa) ((isa) == BP_AVX512 || (isa) == BP_AMX)

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2_FEATURES "avx2,fma,f16c,popcnt"
#define AVX512_FEATURES \
    "avx2,fma,f16c,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx512vpopcntdq,avx512vbmi2"
// Calls name_avx512, name_avx2 or name_portable.
#define DISPATCH(isa, name, ...)                                  \
    (HAS_AVX512(isa) ? JOIN(name, avx512)(__VA_ARGS__)            \
     : (isa) == BP_AVX2 ? JOIN(name, avx2)(__VA_ARGS__)           \
                        : JOIN(name, portable)(__VA_ARGS__))
#else
#define DISPATCH(isa, name, ...) ((void)(isa), JOIN(name, portable)(__VA_ARGS__))
#endif
#endif
