// AVX2, FMA: vectors of 16 floats are two registers.
#include "../gradient_functions.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

DEFINE_VECTORS(avx2)

DEFINE_GRADIENTS(avx2)

#pragma clang attribute pop
#endif
