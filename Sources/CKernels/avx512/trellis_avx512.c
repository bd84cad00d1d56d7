// AVX-512: 64 columns a vector. A byte permutation looks at six bits of an index, so that tables of 16, four
// times side by side, need no masks; VNNI adds four products of a 32-bit lane.
#include "../trellis.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX512_FEATURES))), apply_to = function)

// A byte whose low four bits are those from bit `start` on of the lines one after the other, highest bit
// first; of the others two may be anything that the tables do not mind.
INLINE __m512i nibble_avx512(const __m512i *lines, const int start) {
    const int at = start % 8;
    __m512i byte = lines[start / 8];
    if (at > 4) {
        // The middle of two lines as a byte: the high bits of one, shifted, elsewhere those of the other.
        const __m512i low = _mm512_srli_epi16(lines[start / 8 + 1], 4), high = _mm512_slli_epi16(byte, 4);
        byte = _mm512_ternarylogic_epi32(_mm512_set1_epi8(15), low, high, 0xca);
    }
    return _mm512_srli_epi16(byte, at > 4 ? 8 - at : 4 - at);
}

INLINE void lines_avx512(const int PAIR, trellis_block block, __m512i *lines) {
    lines[0] = _mm512_loadu_si512(block.before);
#pragma clang loop unroll(full)
    for (int i = 0; i < LINES(PAIR); i++) lines[i + 1] = _mm512_loadu_si512(block.at + i * block.stride);
}

INLINE __m512i table_avx512(const uint8_t *entries) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)entries));
}

// Row r of a group.
INLINE __m512i values_avx512(const int PAIR, const int phase, const __m512i *lines, const int r, __m512i high,
                             __m512i low) {
    const int end = END(PAIR, phase, r);
    return _mm512_add_epi8(_mm512_permutexvar_epi8(nibble_avx512(lines, end - 8), high),
                           _mm512_permutexvar_epi8(nibble_avx512(lines, end - 4), low));
}

// Sums of products with low bytes, plus 256 times those with high ones where there are.
INLINE __m512i both_avx512(const int BYTES, __m512i low, __m512i high) {
    return BYTES == 2 ? _mm512_add_epi32(low, _mm512_slli_epi32(high, 8)) : low;
}

// The sums of four vectors whose halves are rows i and i + 4.
INLINE void put_sums_avx512(const __m512i *v, int32_t sums[GROUP]) {
    const __m512i first = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    const __m512i last = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(first, last), _mm512_unpackhi_epi64(first, last));
    // Two quarters are of rows 0 to 3, two of rows 4 to 7.
    const __m512i turned = _mm512_shuffle_i32x4(all, all, 0xd8);
    _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(_mm512_castsi512_si256(turned),
                                                          _mm512_extracti64x4_epi64(turned, 1)));
}

// The rows of a group.
INLINE void group_avx512(const int PAIR, const int phase, const int BYTES, const bp_trellis *m, const uint8_t *prepared,
                         size_t row, float *y) {
    const trellis_activations x = activations_at(prepared, m->columns);
    const uint8_t *end = m->codes + m->code_bytes;
    const int is_long = m->code_bytes >= LONG_STREAM;
    const __m512i high = table_avx512(m->high), low = table_avx512(m->low);
    uint8_t edge[MOST_LINES * 64];
    const trellis_group group = group_at(m, row);
    float out[GROUP] = {0};
    for (size_t run = 0; run < runs_of(m->columns); run++) {
        const size_t last = (run + 1) * RUN < m->columns ? (run + 1) * RUN : m->columns;
        __m512i sums[GROUP], higher[GROUP];
#pragma clang loop unroll(full)
        for (int r = 0; r < GROUP; r++) sums[r] = higher[r] = _mm512_setzero_si512();
        for (size_t c = run * RUN; c < last; c += 64) {
            const trellis_block block = block_at(PAIR, 64, &group, m->columns, c, edge);
            __m512i lines[MOST_LINES];
            lines_avx512(PAIR, block, lines);
            const __m512i x_high = _mm512_load_si512(x.numbers + c);
            const __m512i x_low = _mm512_load_si512(x.numbers + padded(m->columns) + c);
#pragma clang loop unroll(full)
            for (int r = 0; r < GROUP; r++) {
                const __m512i w = values_avx512(PAIR, phase, lines, r, high, low);
                sums[r] = _mm512_dpbusd_epi32(sums[r], w, x_low);
                if (BYTES == 2) higher[r] = _mm512_dpbusd_epi32(higher[r], w, x_high);
            }
            for (int i = 0; i < LINES(PAIR); i++) fetch_ahead(group.codes + i * m->columns + c, end, is_long, 3072);
        }
        __m512i halves[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            const __m512i a = both_avx512(BYTES, sums[i], higher[i]);
            const __m512i b = both_avx512(BYTES, sums[i + 4], higher[i + 4]);
            halves[i] = _mm512_add_epi32(_mm512_shuffle_i64x2(a, b, 0x44), _mm512_shuffle_i64x2(a, b, 0xee));
        }
        int32_t all[GROUP];
        put_sums_avx512(halves, all);
        add_run(m, &x, run, all, out);
    }
    put_rows(GROUP, m, row, group.rows, out, y);
}

INLINE void token_avx512(const int PAIR, const int BYTES, const bp_trellis *m, const uint8_t *prepared, bp_part part, float *y) {
    for (size_t row = part.first; row < part.end; row += GROUP) {
        if (PHASE(PAIR, row)) group_avx512(PAIR, 4, BYTES, m, prepared, row, y);
        else group_avx512(PAIR, 0, BYTES, m, prepared, row, y);
    }
}

// A panel: for each 32 columns the weights of rows 0, 4, 1, 5, 2, 6, 3 and 7, so that a vector holds two
// rows, and sums need half the additions across it.
INLINE void decode_avx512(const int PAIR, const int phase, const bp_trellis *m, const trellis_group *group, size_t first,
                          size_t width, void *panel) {
    const __m512i high = table_avx512(m->high), low = table_avx512(m->low);
    uint8_t edge[MOST_LINES * 64];
    for (size_t c = 0; c < width; c += 64) {
        __m512i lines[MOST_LINES];
        lines_avx512(PAIR, block_at(PAIR, 64, group, m->columns, first + c, edge), lines);
#pragma clang loop unroll(full)
        for (int r = 0; r < GROUP; r++) {
            const __m512i w = values_avx512(PAIR, phase, lines, r, high, low);
            __m256i *to = (__m256i *)panel + GROUP * (c / 32) + r % 4 * 2 + r / 4;
            _mm256_store_si256(to, _mm512_castsi512_si256(w));
            _mm256_store_si256(to + GROUP, _mm512_extracti64x4_epi64(w, 1));
        }
    }
}

INLINE void bytes_sums_avx512(const int BYTES, const bp_trellis *m, const __m512i *panel, const uint8_t *x,
                              size_t width, int32_t sums[GROUP]) {
    __m512i low[4], high[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) low[i] = high[i] = _mm512_setzero_si512();
#pragma clang loop unroll_count(2)
    for (size_t c = 0; c < width; c += 32, panel += 4) {
        const uint8_t *at = x + c;
        const __m512i x_high = _mm512_broadcast_i64x4(_mm256_load_si256((const __m256i *)at));
        const __m512i x_low = _mm512_broadcast_i64x4(_mm256_load_si256((const __m256i *)(at + padded(m->columns))));
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            const __m512i w = _mm512_load_si512(panel + i);
            low[i] = _mm512_dpbusd_epi32(low[i], w, x_low);
            if (BYTES == 2) high[i] = _mm512_dpbusd_epi32(high[i], w, x_high);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) low[i] = both_avx512(BYTES, low[i], high[i]);
    put_sums_avx512(low, sums);
}

INLINE void sums_of_avx512(const bp_trellis *m, const void *panel, const uint8_t *x, size_t width, int32_t sums[GROUP]) {
    if (m->act_bytes == 2) bytes_sums_avx512(2, m, panel, x, width, sums);
    else bytes_sums_avx512(1, m, panel, x, width, sums);
}

void bp_trellis_token_avx512(const bp_trellis *m, const uint8_t *prepared, bp_part part, float *y) {
#define WIDE(pair) token_avx512(pair, 2, m, prepared, part, y)
#define NARROW(pair) token_avx512(pair, 1, m, prepared, part, y)
    if (m->act_bytes == 2) FOR_PAIR_BITS(m->pair_bits, WIDE)
    else FOR_PAIR_BITS(m->pair_bits, NARROW)
}

void bp_trellis_batch_avx512(const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y) {
#define BATCH_OF(pair) trellis_batch(pair, m, prepared, tokens, part, y, 1, decode_avx512, sums_of_avx512)
    FOR_PAIR_BITS(m->pair_bits, BATCH_OF)
}

#pragma clang attribute pop
#endif
