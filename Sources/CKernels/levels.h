// 4-bit codes into a table of 16 levels: what the builds share.
//
// A word holds the codes of 8 columns of a row: its low nibbles those of columns 0, 2, 4 and 6, its high ones
// the others. Activations lie in the same order, as numbers of 16 bits, UNIT bytes a unit of 32 columns;
// behind the units follow the segments' scales.
#ifndef LEVELS_H
#define LEVELS_H
#include "codes.h"
#pragma STDC FP_CONTRACT OFF

// One block of rows times all tokens, whose activations lie `size` bytes apart; `y` begins at its first row.
#define DECLARE_LEVELS(build)                                                                                        \
    void bp_levels_block_##build(const bp_levels *m, const bp_segment *segments, size_t count, const uint8_t *block, \
                                 size_t row, size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y)
DECLARE_LEVELS(portable);
DECLARE_LEVELS(avx2);
DECLARE_LEVELS(avx512);
DECLARE_LEVELS(neon);
#endif
