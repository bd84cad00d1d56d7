// Products of sign planes by byte shuffles, which AVX2 and NEON share: where strings of signs lie, and what a
// table of theirs holds.
//
// A string is a plane of a row. The words of all strings of a block, plane after plane, lie side by side, and
// all look in the same tables: one product serves any number of planes. The entry of a nibble is the sum of
// the magnitudes of those of its 4 columns whose activation has the sign that the bit says: from 0 to 4 x
// 8191, 15 bits, in a low byte and a high one below 128, two of which can be added as bytes. The signed sum
// is twice the sum of entries less the sum of all magnitudes.
#ifndef SIGN_SUMS_H
#define SIGN_SUMS_H
#include "signs.h"

// Strings that are added together; most of a block, and some that are read behind them; words of a segment,
// which may begin and end inside one; tokens whose sums are kept at a time.
enum { STRINGS = 32, MOST_STRINGS = 128 + 16, SEGMENT_WORDS = BP_SEGMENT / 32 + 1, SIGN_TOKENS = 16 };

INLINE float sign_scale(const sign_matrix *m, const uint8_t *prepared, size_t s) {
    return ((const float *)(prepared + m->scales_at))[s];
}

INLINE int32_t sign_magnitude(const sign_matrix *m, const uint8_t *prepared, size_t s) {
    return ((const int32_t *)(prepared + m->scales_at))[m->count + s];
}

// The words of a segment of STRINGS strings, `stride` bytes from one to the next.
typedef struct {
    const uint8_t *at;
    size_t count, stride;
} sign_words;

// Of the strings from `first` on. Where there are fewer, or words end early, they are copied to `edge`, zeros
// behind.
INLINE sign_words words_at(const sign_matrix *m, const uint8_t *block, size_t row, size_t in_block, size_t first,
                           size_t s, uint8_t *edge) {
    const size_t strings = in_block * m->bits, whole = (m->columns + 7) / 8 / 4, start = m->segments[s].first_unit;
    const size_t count = m->segments[s].units, left = strings - first < STRINGS ? strings - first : STRINGS;
    if (left == STRINGS && start + count <= whole)
        return (sign_words){block + 4 * (start * strings + first), count, 4 * strings};
    memset(edge, 0, 4 * STRINGS * count);
    for (size_t w = 0; w < count; w++) {
        uint8_t *to = edge + 4 * STRINGS * w;
        if (start + w < whole) {
            memcpy(to, block + 4 * ((start + w) * strings + first), 4 * left);
            continue;
        }
        for (size_t i = 0; i < left; i++) {
            size_t width;
            const uint8_t *tail = tail_of(m, (first + i) / in_block, row + (first + i) % in_block, &width);
            memcpy(to + 4 * i, tail, width);
        }
    }
    return (sign_words){edge, count, 4 * STRINGS};
}
#endif
