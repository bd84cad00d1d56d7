// AVX-512: 16 rows a vector, 4 codes of a row in each 32-bit lane, spread to bytes by a multishift; VNNI adds
// the 4 products of a lane. The activations' 4 bytes come by broadcast.
#include "../codes.h"
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

// Codes 4 k .. 4 k + 3 of a unit of 16 rows, one a byte; `stride` bytes from one word of a row to the next.
INLINE __m512i code_quad_avx512(const int BITS, const uint8_t *words, size_t stride, const __mmask16 rows, const int k, __m512i flip) {
    const int at = 4 * k * BITS, w = at / 32, shift = at % 32;
    __m512i d = _mm512_maskz_loadu_epi32(rows, words + w * stride);
    if (BITS == 8) return _mm512_xor_si512(d, flip);
    const int inside = shift + 4 * BITS <= 32;
    if (!inside) {
        const __m512i next = _mm512_maskz_loadu_epi32(rows, words + (w + 1) * stride);
        d = _mm512_shrdv_epi32(d, next, _mm512_set1_epi32(shift));
    }
    const uint64_t from = inside ? (uint64_t)shift : 0;
    // Bit offsets of the 8 bytes of two rows.
    const uint64_t four = from | (from + BITS) << 8 | (from + 2 * BITS) << 16 | (from + 3 * BITS) << 24;
    const uint64_t eight = four | (four + 0x20202020) << 32;
    const __m512i spread = _mm512_multishift_epi64_epi8(_mm512_set1_epi64((long long)eight), d);
    return _mm512_and_si512(spread, _mm512_set1_epi8((1 << BITS) - 1));
}

INLINE __m512i four_bytes_avx512(const uint8_t *at) {
    int32_t four;
    memcpy(&four, at, 4);
    return _mm512_set1_epi32(four);
}

// VECTORS x 16 rows times TOKENS tokens; `last` masks the rows of the last vector. 24 sums at most, which
// leaves registers for a vector of codes each and an activation.
INLINE void code_tile_avx512(const int BITS, const int VECTORS, const int TOKENS, const int ACT, const bp_codes *m,
                             const bp_segment *segments, size_t count, const uint8_t *block, const size_t stride,
                             size_t row, const __mmask16 last, const uint8_t *activations, size_t size, float *y) {
    const size_t scales_at = units_of(segments, count) * UNIT;
    const size_t row_bytes = (m->columns * BITS + 7) / 8, whole = row_bytes / 4;
    const uint8_t *end = m->codes + m->rows * row_bytes;
    const int is_long = m->rows * row_bytes >= LONG_STREAM;
    const __m512i flip = _mm512_set1_epi8((char)(m->is_signed ? 128 : 0));
    __m512 out[6][4];
#pragma clang loop unroll(full)
    for (int t = 0; t < TOKENS; t++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++) out[t][v] = _mm512_setzero_ps();
    const uint8_t *unit = activations;
    for (size_t s = 0; s < count; s++) {
        __m512i high[6][4], low[6][4];
#pragma clang loop unroll(full)
        for (int t = 0; t < TOKENS; t++)
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) high[t][v] = low[t][v] = _mm512_setzero_si512();
        for (size_t u = 0; u < segments[s].units; u++, unit += UNIT) {
            const size_t first = (segments[s].first_unit + u) * BITS;
            const uint8_t *words = block + first * stride;
            size_t step = stride;
            uint32_t edge[8][64];
            if (first + BITS <= whole) {
#pragma clang loop unroll(full)
                for (int w = 0; w < BITS; w++)
#pragma clang loop unroll(full)
                    for (int v = 0; v < VECTORS; v++) fetch_ahead(words + w * stride + 64 * v, end, is_long, 3072);
            } else {
                for (int w = 0; w < BITS; w++)
                    for (int v = 0; v < VECTORS; v++) {
                        const size_t lanes = (size_t)__builtin_popcount(v == VECTORS - 1 ? last : 0xffff);
                        load_words(m, block + 64 * v, stride, row + 16 * v, lanes, first + w, edge[w] + 16 * v);
                    }
                words = (const uint8_t *)edge;
                step = sizeof *edge;
            }
#pragma clang loop unroll(full)
            for (int k = 0; k < 8; k++) {
                __m512i codes[4];
#pragma clang loop unroll(full)
                for (int v = 0; v < VECTORS; v++)
                    codes[v] = code_quad_avx512(BITS, words + 64 * v, step, v == VECTORS - 1 ? last : 0xffff, k, flip);
#pragma clang loop unroll(full)
                for (int t = 0; t < TOKENS; t++) {
                    const uint8_t *q = unit + t * size + 4 * k;
                    if (ACT == 2) {
                        const __m512i four = four_bytes_avx512(q);
#pragma clang loop unroll(full)
                        for (int v = 0; v < VECTORS; v++) high[t][v] = _mm512_dpbusd_epi32(high[t][v], codes[v], four);
                    }
                    const __m512i four = four_bytes_avx512(q + 32);
#pragma clang loop unroll(full)
                    for (int v = 0; v < VECTORS; v++) low[t][v] = _mm512_dpbusd_epi32(low[t][v], codes[v], four);
                }
            }
        }
#pragma clang loop unroll(full)
        for (int t = 0; t < TOKENS; t++) {
            const float *act_scales = (const float *)(activations + t * size + scales_at);
            const int32_t *act_sums = (const int32_t *)(act_scales + count);
            const __m512i middle = _mm512_set1_epi32((1 << (BITS - 1)) * act_sums[s]);
            const __m512 act_scale = _mm512_set1_ps(act_scales[s]);
#pragma clang loop unroll(full)
            for (int v = 0; v < VECTORS; v++) {
                const size_t lanes_at = (row + 16 * v) * m->groups + 16 * segments[s].group;
                __m512i sum = low[t][v];
                if (ACT == 2) sum = _mm512_add_epi32(sum, _mm512_slli_epi32(high[t][v], 8));
                const __m512 scaled = _mm512_mul_ps(act_scale, _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, middle)));
                const __m512 term = _mm512_mul_ps(_mm512_loadu_ps(m->scales + lanes_at), scaled);
                out[t][v] = _mm512_add_ps(out[t][v], term);
                if (m->offsets) {
                    const __m512 all = _mm512_set1_ps(act_scales[s] * (float)act_sums[s]);
                    const __m512 shift = _mm512_mul_ps(_mm512_loadu_ps(m->offsets + lanes_at), all);
                    out[t][v] = _mm512_add_ps(out[t][v], shift);
                }
            }
        }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < TOKENS; t++)
#pragma clang loop unroll(full)
        for (int v = 0; v < VECTORS; v++)
            _mm512_mask_storeu_ps(y + t * m->rows + 16 * v, v == VECTORS - 1 ? last : 0xffff, out[t][v]);
}

// A block of rows times any number of tokens.
INLINE void code_block_of_avx512(const int BITS, const int ACT, const bp_codes *m, const bp_segment *segments,
                                 size_t count, const uint8_t *block, size_t row, size_t in_block,
                                 const uint8_t *activations, size_t size, size_t tokens, float *y) {
#define TILE(vectors, n, v) \
    code_tile_avx512(BITS, vectors, n, ACT, m, segments, count, block + 64 * (v), 256, row + 16 * (v), 0xffff, activations, size, \
                     y + 16 * (v))
    if (in_block == 64 && tokens <= 3) {
        switch (tokens) {
        case 1: TILE(4, 1, 0); break;
        case 2: TILE(4, 2, 0); break;
        case 3: TILE(4, 3, 0); break;
        }
        return;
    }
    if (in_block == 64) {
        // Tiles of nearly equal height, which decode a code for all of their tokens.
        const size_t tiles = (tokens + 5) / 6, height = tokens / tiles, higher = tokens % tiles;
        for (size_t tile = 0; tile < tiles; tile++) {
            const size_t n = height + (tile < higher);
            for (size_t v = 0; v < 4; v += 2) switch (n) {
                case 3: TILE(2, 3, v); break;
                case 4: TILE(2, 4, v); break;
                case 5: TILE(2, 5, v); break;
                case 6: TILE(2, 6, v); break;
                }
            activations += n * size;
            y += n * m->rows;
        }
        return;
    }
#undef TILE
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in_block; i += 16) {
            const size_t lanes = in_block - i < 16 ? in_block - i : 16;
            code_tile_avx512(BITS, 1, 1, ACT, m, segments, count, block + 4 * i, 4 * in_block, row + i,
                             (__mmask16)((1u << lanes) - 1), activations + t * size, size, y + t * m->rows + i);
        }
}

void bp_code_block_avx512(const bp_codes *m, const bp_segment *segments, size_t count, const uint8_t *block, size_t row,
                          size_t in_block, const uint8_t *activations, size_t size, size_t tokens, float *y) {
    if (m->act_bytes == 1) {
        // Only whole bytes are multiplied with 8-bit activations.
        code_block_of_avx512(8, 1, m, segments, count, block, row, in_block, activations, size, tokens, y);
        return;
    }
#define CASE(n) \
    case n: code_block_of_avx512(n, 2, m, segments, count, block, row, in_block, activations, size, tokens, y); break;
    switch (m->bits) { CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) }
#undef CASE
}

#pragma clang attribute pop
#endif
