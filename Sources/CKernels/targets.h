// The instruction sets as function attributes, and the choice between the builds of one function.
#ifndef TARGETS_H
#define TARGETS_H
#include "ckernels.h"

#define INLINE static inline __attribute__((always_inline))

// Bytes from which a stream is long: no near cache holds it.
enum { LONG_STREAM = 1 << 20 };

// Fetches what is read soon after the line at `at`, of a stream that ends at `end`. Memory answers faster
// when it is asked for several pages side by side than for one after the other: while eight pages of 4 KiB of
// a long stream are read, the next eight are fetched, a line of each in turn. Of a short one, which a cache
// gives, the line `near` bytes on is fetched.
INLINE void fetch_ahead(const uint8_t *at, const uint8_t *end, int is_long, size_t near) {
    if (!is_long) {
        __builtin_prefetch(at + near);
        return;
    }
    const uintptr_t here = (uintptr_t)at, line = here >> 6;
    const uintptr_t next = (here | 0x7fff) + 1 + ((line & 7) << 12) + ((line >> 3 & 63) << 6);
    __builtin_prefetch(next < (uintptr_t)end ? (const uint8_t *)next : at, 0, 2);
}

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2_FEATURES "avx2,fma,f16c,popcnt"
#define AVX512_FEATURES \
    "avx2,fma,f16c,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx512vpopcntdq,avx512vbmi2"
#define HAS_AVX2(isa) ((isa) == BP_AVX2 || HAS_AVX512(isa))
#define HAS_AVX512(isa) ((isa) == BP_AVX512 || HAS_AMX(isa))
#define HAS_AMX(isa) ((isa) == BP_AMX)
#define HAS_NEON(isa) (!sizeof(isa))
#define HAS_NEON_DOT(isa) (!sizeof(isa))
#define HAS_NEON_I8MM(isa) (!sizeof(isa))
#else
// Constants, so that no call of a build that this machine cannot have is compiled.
#define HAS_AVX2(isa) (!sizeof(isa))
#define HAS_AVX512(isa) (!sizeof(isa))
#define HAS_AMX(isa) (!sizeof(isa))
#define HAS_NEON(isa) ((isa) == BP_NEON || HAS_NEON_DOT(isa))
#define HAS_NEON_DOT(isa) ((isa) == BP_NEON_DOT || HAS_NEON_I8MM(isa))
#define HAS_NEON_I8MM(isa) ((isa) == BP_NEON_I8MM)
#endif

// A function that has a build for each width of vectors: name_portable, name_avx2 and name_avx512, which
// stand in the units of these names. DECLARE declares them, DISPATCH calls the one that an instruction set
// allows.
#define DECLARE(result, name, ...)    \
    result name##_portable(__VA_ARGS__); \
    result name##_avx2(__VA_ARGS__);     \
    result name##_avx512(__VA_ARGS__)
#define DISPATCH(isa, name, ...)                \
    (HAS_AVX512(isa) ? name##_avx512(__VA_ARGS__) \
     : HAS_AVX2(isa) ? name##_avx2(__VA_ARGS__)   \
                     : name##_portable(__VA_ARGS__))
#endif
