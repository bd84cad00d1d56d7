// 4-bit codes into a table of 16 levels: what the builds share.
#ifndef LEVELS_H
#define LEVELS_H
#include <string.h>
#include "targets.h"

// Words of up to 16 rows; a size that the compiler knows is copied without a call.
INLINE void load_lanes(uint32_t *words, const uint8_t *from, size_t lanes) {
    if (lanes == 16) {
        memcpy(words, from, 64);
    } else {
        memset(words, 0, 64);
        memcpy(words, from, 4 * lanes);
    }
}

// One block of rows times all tokens. `codes` and `scales` begin at the block, `y` at its first row.
DECLARE(void, bp_levels_block, const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
        size_t block, const float *scales, const float *x, size_t tokens, float *y);
void bp_levels_block_neon(const uint8_t *codes, size_t in_block, const float *levels, size_t rows, size_t columns,
                          size_t block, const float *scales, const float *x, size_t tokens, float *y);
#endif
