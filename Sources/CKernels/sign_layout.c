// Where the bytes of sign planes lie. See ckernels.h.
#include <string.h>
#include "ckernels.h"

size_t bp_sign_block(size_t bits) { return bits <= 2 ? 64 : bits <= 4 ? 32 : 16; }

size_t bp_sign_offset(size_t bits, size_t rows, size_t columns, size_t p, size_t r, size_t b) {
    const size_t words = columns / 32, height = bp_sign_block(bits), start = r / height * height;
    if (b >= 4 * words) {
        const size_t width = (columns % 32 + 7) / 8;
        return 4 * words * bits * rows + (p * rows + r) * width + (b - 4 * words);
    }
    const size_t in_block = rows - start < height ? rows - start : height;
    return 4 * (words * bits * start + (b / 4 * bits + p) * in_block + (r - start)) + b % 4;
}

// Calls `copy` for every whole word and for every tail.
#define FOR_EACH_PIECE(copy)                                                                        \
    const size_t words = columns / 32, width = (columns % 32 + 7) / 8, line = 4 * words + width;    \
    for (size_t p = 0; p < bits; p++)                                                               \
        for (size_t r = 0; r < rows; r++) {                                                         \
            const size_t plain = (p * rows + r) * line;                                             \
            for (size_t w = 0; w < words; w++)                                                      \
                copy(plain + 4 * w, bp_sign_offset(bits, rows, columns, p, r, 4 * w), 4);           \
            if (width)                                                                              \
                copy(plain + 4 * words, bp_sign_offset(bits, rows, columns, p, r, 4 * words), width); \
        }

void bp_signs_pack(const uint8_t *planes, size_t bits, size_t rows, size_t columns, uint8_t *stored) {
#define COPY(from, to, n) memcpy(stored + (to), planes + (from), n)
    FOR_EACH_PIECE(COPY)
#undef COPY
}

void bp_signs_unpack(const uint8_t *stored, size_t bits, size_t rows, size_t columns, uint8_t *planes) {
#define COPY(to, from, n) memcpy(planes + (to), stored + (from), n)
    FOR_EACH_PIECE(COPY)
#undef COPY
}
