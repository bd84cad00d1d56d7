// Where the bytes of interleaved rows lie. See ckernels.h.
#include <string.h>
#include "ckernels.h"

size_t bp_block_rows(size_t planes) { return planes <= 2 ? 64 : planes <= 4 ? 32 : 16; }

size_t bp_interleaved_offset(size_t planes, size_t rows, size_t row_bytes, size_t p, size_t r, size_t b) {
    const size_t words = row_bytes / 4, tail = row_bytes % 4, height = bp_block_rows(planes), start = r / height * height;
    if (b >= 4 * words) return 4 * words * planes * rows + (p * rows + r) * tail + (b - 4 * words);
    const size_t in_block = rows - start < height ? rows - start : height;
    return 4 * (words * planes * start + (b / 4 * planes + p) * in_block + (r - start)) + b % 4;
}

void bp_interleaved_row(const uint8_t *stored, size_t planes, size_t rows, size_t row_bytes, size_t p, size_t r,
                        uint8_t *out) {
    const size_t words = row_bytes / 4, height = bp_block_rows(planes), start = r / height * height;
    const size_t stride = 4 * planes * (rows - start < height ? rows - start : height);
    const uint8_t *word = stored + bp_interleaved_offset(planes, rows, row_bytes, p, r, 0);
    for (size_t w = 0; w < words; w++, word += stride) memcpy(out + 4 * w, word, 4);
    const size_t tail = bp_interleaved_offset(planes, rows, row_bytes, p, r, 4 * words);
    memcpy(out + 4 * words, stored + tail, row_bytes % 4);
}

// Calls `copy` for every whole word and for every tail.
#define FOR_EACH_PIECE(copy)                                                                                     \
    const size_t whole = row_bytes / 4 * 4, tail = row_bytes % 4;                                                \
    for (size_t p = 0; p < planes; p++)                                                                          \
        for (size_t r = 0; r < rows; r++) {                                                                      \
            const size_t plain = (p * rows + r) * row_bytes;                                                     \
            for (size_t b = 0; b < whole; b += 4)                                                                \
                copy(plain + b, bp_interleaved_offset(planes, rows, row_bytes, p, r, b), 4);                     \
            if (tail) copy(plain + whole, bp_interleaved_offset(planes, rows, row_bytes, p, r, whole), tail);    \
        }

void bp_interleave(const uint8_t *from, size_t planes, size_t rows, size_t row_bytes, uint8_t *out) {
#define COPY(plain, stored, n) memcpy(out + (stored), from + (plain), n)
    FOR_EACH_PIECE(COPY)
#undef COPY
}

void bp_deinterleave(const uint8_t *from, size_t planes, size_t rows, size_t row_bytes, uint8_t *out) {
#define COPY(plain, stored, n) memcpy(out + (plain), from + (stored), n)
    FOR_EACH_PIECE(COPY)
#undef COPY
}
