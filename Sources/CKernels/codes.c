// Integer codes of 2 to 8 bits times activations of 16 or 8 bits. Sums within a segment are exact integers
// and segments are added in one order, so all builds agree bit for bit.
//
// The activations of a unit of 32 columns take 64 bytes: for AVX-512 and NEON the 32 high bytes and the 32
// low bytes (signed, so that q = 256 high + low), otherwise 32 16-bit integers. Behind the units follow the
// segments' scales and sums.
#include "activations.h"
#include "codes.h"
#pragma STDC FP_CONTRACT OFF

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
        const uint32_t top = act_bytes == 1 ? DISPATCH(isa, bp_top, x, columns) : 0;
        for (size_t s = 0; s < count; s++) {
            const size_t first = segments[s].first_column, before = first % 32, n = segments[s].columns;
            memset(q, 0, before * sizeof *q);
            memset(q + before + n, 0, (32 * segments[s].units - before - n) * sizeof *q);
            scales[s] = act_bytes == 1 ? bp_quantize_within(isa, x + first, n, top, 127, q + before)
                                       : bp_quantize(isa, x + first, n, 32639, q + before);
            int32_t sum = 0;
            for (size_t i = before; i < before + n; i++) sum += q[i];
            sums[s] = sum;
            for (size_t u = 0; u < segments[s].units; u++, unit += UNIT) {
                if (HAS_AVX512(isa) || HAS_NEON(isa)) {
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

void bp_codes_multiply(bp_isa isa, const bp_codes *m, const bp_segment *segments, size_t count,
                       const uint8_t *activations, size_t tokens, bp_part part, float *y) {
    const size_t size = bp_code_activations_size(segments, count), height = bp_block_rows(1);
    const size_t row_bytes = (m->columns * m->bits + 7) / 8 / 4 * 4;
    for (size_t r = part.first; r < part.end; r += height) {
        const size_t in_block = part.end - r < height ? part.end - r : height;
        const uint8_t *block = m->codes + row_bytes * r;
        if (HAS_AVX512(isa)) {
            bp_code_block_avx512(m, segments, count, block, r, in_block, activations, size, tokens, y + r);
            continue;
        }
        if (HAS_NEON(isa)) {
            if (HAS_NEON_I8MM(isa) && tokens > 1)
                bp_code_block_neon_i8mm(m, segments, count, block, r, in_block, activations, size, tokens, y + r);
            else if (HAS_NEON_DOT(isa)) bp_code_block_neon_dot(m, segments, count, block, r, in_block, activations, size, tokens, y + r);
            else bp_code_block_neon(m, segments, count, block, r, in_block, activations, size, tokens, y + r);
            continue;
        }
        if (HAS_AVX2(isa)) {
            bp_code_block_avx2(m, segments, count, block, r, in_block, activations, size, tokens, y + r);
            continue;
        }
        for (size_t t = 0; t < tokens; t++)
            for (size_t i = 0; i < in_block; i += 16) {
                const size_t lanes = in_block - i < 16 ? in_block - i : 16;
                const uint8_t *rows = block + 4 * i, *of_token = activations + t * size;
                float *out = y + t * m->rows + r + i;
                bp_code_rows_portable(m, segments, count, rows, 4 * in_block, r + i, lanes, of_token, out);
            }
    }
}
