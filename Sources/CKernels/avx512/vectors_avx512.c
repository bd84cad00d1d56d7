// AVX-512: a vector of 16 floats is a register.
#include "../gradient_functions.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

DEFINE_VECTORS(avx512)

DEFINE_GRADIENTS(avx512)

#pragma clang attribute pop
#endif
