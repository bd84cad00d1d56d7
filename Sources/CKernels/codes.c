// Integer codes of 2 to 8 bits times activations of 16 or 8 bits. Sums within a segment are exact integers and segments are
// added in one order, so all builds agree bit for bit.
//
// The activations of a unit of 32 columns take 64 bytes: for AVX-512 the 32 high bytes and the 32 low bytes (signed, so
// that q = 256 high + low), otherwise 32 16-bit integers. Behind the units follow the segments' scales and sums.
#include <math.h>
#include <string.h>
#include "targets.h"
#pragma STDC FP_CONTRACT OFF
#include "quantize.h"

enum { UNIT = 64 };

static size_t units_of(const bp_segment *segments, size_t count) {
    size_t units = 0;
    for (size_t s = 0; s < count; s++) units += segments[s].units;
    return units;
}

size_t bp_code_activations_size(const bp_segment *segments, size_t count) {
    return units_of(segments, count) * UNIT + (count * 8 + 63) / 64 * 64;
}

void bp_code_activations(bp_isa isa, const float *x, size_t columns, size_t tokens, int act_bytes,
                         const bp_segment *segments, size_t count, uint8_t *out) {
    const size_t size = bp_code_activations_size(segments, count), scales_at = units_of(segments, count) * UNIT;
    int16_t q[BP_SEGMENT + 64];
    for (size_t t = 0; t < tokens; t++, x += columns, out += size) {
        float *scales = (float *)(out + scales_at);
        int32_t *sums = (int32_t *)(scales + count);
        uint8_t *unit = out;
        float largest = 0;
        if (act_bytes == 1) {
            const uint32_t top = DISPATCH(isa, top, x, columns);
            memcpy(&largest, &top, 4);
            if (largest < 1e-30f) largest = 0;
        }
        for (size_t s = 0; s < count; s++) {
            const size_t first = segments[s].first_column, before = first % 32, n = segments[s].columns;
            memset(q, 0, before * sizeof *q);
            memset(q + before + n, 0, (32 * segments[s].units - before - n) * sizeof *q);
            if (act_bytes == 2) {
                scales[s] = DISPATCH(isa, quantize, x + first, n, 32639, q + before);
            } else if (isfinite(largest) && largest > 0) {
                DISPATCH(isa, round, x + first, n, 127 / largest, 127, q + before);
                scales[s] = largest / 127;
            } else {
                memset(q + before, 0, n * sizeof *q);
                scales[s] = largest == 0 ? 0 : NAN;
            }
            int32_t sum = 0;
            for (size_t i = before; i < before + n; i++) sum += q[i];
            sums[s] = sum;
            for (size_t u = 0; u < segments[s].units; u++, unit += UNIT) {
                if (HAS_AVX512(isa)) {
                    for (size_t i = 0; i < 32; i++) {
                        const int high = (q[32 * u + i] + 128) >> 8;
                        unit[i] = (uint8_t)high;
                        unit[32 + i] = (uint8_t)(q[32 * u + i] - 256 * high);
                    }
                } else {
                    memcpy(unit, q + 32 * u, UNIT);
                }
            }
        }
    }
}

// 16 words at most: word `w` of rows row .. row + lanes - 1 of a block, the last one possibly cut short, zeros beyond.
INLINE void load_words(const bp_codes *m, const uint8_t *block, size_t stride, size_t row, size_t lanes, size_t w,
                       uint32_t *words) {
    const size_t row_bytes = (m->columns * m->bits + 7) / 8, whole = row_bytes / 4, width = row_bytes % 4;
    for (size_t i = 0; i < 16; i++) words[i] = 0;
    if (w < whole) {
        memcpy(words, block + w * stride, 4 * lanes);
    } else if (w == whole && width) {
        const uint8_t *tail = m->codes + 4 * whole * m->rows + row * width;
        for (size_t lane = 0; lane < lanes; lane++) memcpy(words + lane, tail + lane * width, width);
    }
}

// The sums of up to 16 rows times one token.
static void code_rows_portable(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block,
                               size_t stride, size_t row, size_t lanes, const uint8_t *activations, float *y) {
    const float *act_scales = (const float *)(activations + units_of(segments, count) * UNIT);
    const int32_t *act_sums = (const int32_t *)(act_scales + count);
    const float *scales = m->scales + row * m->groups, *offsets = m->offsets ? m->offsets + row * m->groups : 0;
    const uint32_t mask = (1u << m->bits) - 1, flip = m->is_signed ? 128 : 0;
    const int32_t middle = 1 << (m->bits - 1);
    float out[16] = {0};
    for (size_t s = 0; s < count; s++) {
        int32_t sums[16] = {0};
        for (size_t u = 0; u < segments[s].units; u++, activations += UNIT) {
            int16_t q[32];
            memcpy(q, activations, UNIT);
            uint32_t words[9][16];
            for (size_t w = 0; w <= m->bits; w++)
                load_words(m, block, stride, row, lanes, (segments[s].first_unit + u) * m->bits + w, words[w]);
            for (size_t i = 0; i < 32; i++) {
                const size_t at = i * m->bits, w = at / 32, shift = at % 32;
                for (size_t lane = 0; lane < 16; lane++) {
                    const uint64_t pair = words[w][lane] | (uint64_t)words[w + 1][lane] << 32;
                    sums[lane] += (int32_t)(((uint32_t)(pair >> shift) & mask) ^ flip) * q[i];
                }
            }
        }
        for (size_t lane = 0; lane < 16; lane++) {
            const float sum = act_scales[s] * (float)(sums[lane] - middle * act_sums[s]);
            out[lane] += scales[16 * segments[s].group + lane] * sum;
            if (offsets) out[lane] += offsets[16 * segments[s].group + lane] * (act_scales[s] * (float)act_sums[s]);
        }
    }
    memcpy(y, out, lanes * sizeof(float));
}

#if defined(__x86_64__)
#include "codes_avx2.h"
#include "codes_avx512.h"
#endif

void bp_codes_multiply(bp_isa isa, const bp_codes *m, const bp_segment *segments, size_t count,
                       const uint8_t *activations, size_t tokens, float *y) {
    const size_t size = bp_code_activations_size(segments, count), height = bp_block_rows(1);
    const size_t row_bytes = (m->columns * m->bits + 7) / 8 / 4 * 4;
    (void)isa;
    for (size_t r = 0; r < m->rows; r += height) {
        const size_t in_block = m->rows - r < height ? m->rows - r : height;
        const uint8_t *block = m->codes + row_bytes * r;
#if defined(__x86_64__)
        if (HAS_AVX512(isa)) {
            for (size_t t = 0; t < tokens; t += 3) {
                const size_t left = tokens - t < 3 ? tokens - t : 3;
                code_block_avx512(m, segments, count, block, r, in_block, activations + t * size, size, left,
                                  y + t * m->rows + r);
            }
            continue;
        }
#endif
        for (size_t t = 0; t < tokens; t++)
            for (size_t i = 0; i < in_block; i += 16) {
                const size_t lanes = in_block - i < 16 ? in_block - i : 16;
#if defined(__x86_64__)
                if (isa == BP_AVX2) {
                    code_rows_avx2(m, segments, count, block + 4 * i, 4 * in_block, r + i, lanes, activations + t * size,
                                   y + t * m->rows + r + i);
                    continue;
                }
#endif
                code_rows_portable(m, segments, count, block + 4 * i, 4 * in_block, r + i, lanes, activations + t * size,
                                   y + t * m->rows + r + i);
            }
    }
}
