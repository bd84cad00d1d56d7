// Products of 4-bit codes into a table of levels: the way through a block of rows that all builds but the
// portable one share. A panel holds the levels of a segment of 64 rows, numbers of 16 bits, in the order of a
// build's vectors.
#ifndef LEVEL_PANELS_H
#define LEVEL_PANELS_H
#include "levels.h"

// Words of a segment at most; bytes of a word of 64 rows in a panel; tokens that go through a panel together.
enum { LEVEL_WORDS = BP_SEGMENT / 8, LEVEL_BYTES = 1024, LEVEL_TOKENS = 16 };

// The words of a segment of some rows, a multiple of 16: `stride` bytes from one to the next, of a stream
// that ends at `end`.
typedef struct {
    const uint8_t *at, *end;
    size_t stride, rows, count;
    int is_long;
} level_words;

// Decodes words to a panel.
typedef void levels_decode(const int16_t *levels, level_words words, uint8_t *panel);
// The sums of rows over a panel, for tokens `size` bytes apart.
typedef void levels_multiply(const uint8_t *panel, size_t rows, size_t words, const uint8_t *x, size_t size, size_t tokens,
                             int32_t (*sums)[64]);
// The sums of one token over words as they are stored: what is faster for one alone.
typedef void levels_direct(const int16_t *levels, level_words words, const uint8_t *x, int32_t sums[64]);

INLINE void levels_block(levels_decode decode, levels_multiply multiply, levels_direct direct, const bp_levels *m,
                         const bp_segment *segments, size_t count, const uint8_t *block, size_t row, size_t in_block,
                         const uint8_t *activations, size_t size, size_t tokens, float *y) {
    const size_t scales_at = units_of(segments, count) * UNIT, bytes = m->rows * m->columns / 2;
    level_words words = {block, m->codes + bytes, 4 * in_block, (in_block + 15) / 16 * 16, 0, bytes >= LONG_STREAM};
    for (size_t start = 0; start < tokens; start += LEVEL_TOKENS, activations += LEVEL_TOKENS * size, y += LEVEL_TOKENS * m->rows) {
        const size_t together = tokens - start < LEVEL_TOKENS ? tokens - start : LEVEL_TOKENS;
        float out[LEVEL_TOKENS][64];
        memset(out, 0, together * sizeof *out);
        const uint8_t *x = activations;
        for (size_t s = 0; s < count; x += UNIT * segments[s++].units) {
            _Alignas(64) uint8_t panel[LEVEL_WORDS * LEVEL_BYTES];
            _Alignas(64) int32_t sums[LEVEL_TOKENS][64];
            uint32_t edge[LEVEL_WORDS][64];
            words.count = 4 * segments[s].units;
            words.at = block + 4 * in_block * 4 * segments[s].first_unit;
            words.stride = 4 * in_block;
            if (words.rows > in_block) {
                for (size_t w = 0; w < words.count; w++) {
                    memcpy(edge[w], words.at + w * words.stride, words.stride);
                    memset(edge[w] + in_block, 0, 4 * (words.rows - in_block));
                }
                words.at = (const uint8_t *)edge;
                words.stride = sizeof *edge;
            }
            if (together == 1) {
                direct(m->levels, words, x, sums[0]);
            } else {
                decode(m->levels, words, panel);
                multiply(panel, words.rows, words.count, x, size, together, sums);
            }
            const float *scales = m->scales + row * m->groups + 16 * segments[s].group;
            for (size_t t = 0; t < together; t++) {
                const float scale = ((const float *)(activations + t * size + scales_at))[s];
                for (size_t i = 0; i < words.rows; i += 16) {
                    // Those of the next block, which lie in lines apart.
                    __builtin_prefetch(scales + (64 + i) * m->groups);
                    for (size_t lane = 0; lane < 16; lane++)
                        out[t][i + lane] += scales[i * m->groups + lane] * (scale * (float)sums[t][i + lane]);
                }
            }
        }
        for (size_t t = 0; t < together; t++) memcpy(y + t * m->rows, out[t], in_block * sizeof(float));
    }
}
#endif
