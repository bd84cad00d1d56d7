// The instruction sets as function attributes, and the choice between the builds of one function.
#ifndef TARGETS_H
#define TARGETS_H
#include "ckernels.h"

#define INLINE static inline __attribute__((always_inline))
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

#define HAS_AVX512(isa) ((isa) == BP_AVX512 || (isa) == BP_AMX)

// Bytes from which a stream is long: no near cache holds it.
enum { LONG_STREAM = 1 << 20 };

// Fetches what is read soon after the line at `at`, of a stream that ends at `end`. Memory answers faster when it is asked for
// several pages side by side than for one after the other: while eight pages of 4 KiB of a long stream are read, the next
// eight are fetched, a line of each in turn. Of a short one, which a cache gives, the line `near` bytes on is fetched.
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
// What gives tiles their sizes, as AMX reads it; palette is 1.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration;

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
