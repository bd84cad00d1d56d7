// The measure of memory: one pass of loads, with nothing to wait for.
#include "targets.h"

#define BODY                                                                                     \
    typedef uint32_t line __attribute__((vector_size(64), aligned(4)));                          \
    line sums[4] = {{0}};                                                                        \
    for (size_t i = 0; i < bytes; i += 256)                                                      \
        for (size_t j = 0; j < 4; j++) {                                                         \
            fetch_ahead(memory + i + 64 * j, memory + bytes, bytes >= LONG_STREAM, 4096);        \
            sums[j] ^= *(const line *)(memory + i + 64 * j);                                     \
        }                                                                                        \
    const line all = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];                                      \
    uint32_t sum = 0;                                                                            \
    for (int i = 0; i < 16; i++) sum ^= all[i];                                                  \
    return sum;

static uint32_t read_portable(const uint8_t *memory, size_t bytes) { BODY }
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)
static uint32_t read_avx2(const uint8_t *memory, size_t bytes) { BODY }
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)
static uint32_t read_avx512(const uint8_t *memory, size_t bytes) { BODY }
#pragma clang attribute pop
#endif

uint32_t bp_read(bp_isa isa, const uint8_t *memory, size_t bytes) { return DISPATCH(isa, read, memory, bytes); }
