// AVX2: 32 columns a vector. Nibbles of the streams, at any bit of a byte, look up in both tables; a weight
// is one addition, and its products with bytes of activations never saturate, for weights stay below 127.
#include "../trellis.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

// The four bits from bit `start` on of the lines one after the other, highest bit first.
INLINE __m256i nibble_avx2(const __m256i *lines, const int start) {
    const __m256i mask = _mm256_set1_epi8(15);
    const int at = start % 8;
    __m256i byte = lines[start / 8];
    if (at > 4) {
        // The middle of two lines as a byte.
        const __m256i low = _mm256_and_si256(_mm256_srli_epi16(lines[start / 8 + 1], 4), mask);
        byte = _mm256_or_si256(_mm256_slli_epi16(_mm256_and_si256(byte, mask), 4), low);
    }
    return _mm256_and_si256(_mm256_srli_epi16(byte, at > 4 ? 8 - at : 4 - at), mask);
}

INLINE void lines_avx2(const int PAIR, trellis_block block, __m256i *lines) {
    lines[0] = _mm256_loadu_si256((const __m256i *)block.before);
#pragma clang loop unroll(full)
    for (int i = 0; i < LINES(PAIR); i++) lines[i + 1] = _mm256_loadu_si256((const __m256i *)(block.at + i * block.stride));
}

INLINE __m256i table_avx2(const uint8_t *entries) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)entries));
}

// Row r of a group.
INLINE __m256i values_avx2(const int PAIR, const int phase, const __m256i *lines, const int r, __m256i high,
                           __m256i low) {
    const int end = END(PAIR, phase, r);
    return _mm256_add_epi8(_mm256_shuffle_epi8(high, nibble_avx2(lines, end - 8)),
                           _mm256_shuffle_epi8(low, nibble_avx2(lines, end - 4)));
}

// The sums of eight vectors.
INLINE __m256i sums_avx2(const __m256i *v) {
    __m256i pairs[4], fours[2];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++)
        pairs[i] = _mm256_add_epi32(_mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
                                    _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
#pragma clang loop unroll(full)
    for (int i = 0; i < 2; i++)
        fours[i] = _mm256_add_epi32(_mm256_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]),
                                    _mm256_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(fours[0], fours[1], 0x20),
                            _mm256_permute2x128_si256(fours[0], fours[1], 0x31));
}

// The rows of a group.
INLINE void group_avx2(const int PAIR, const int phase, const int BYTES, const bp_trellis *m, const uint8_t *prepared,
                       size_t row, float *y) {
    const trellis_activations x = activations_at(prepared, m->columns);
    const uint8_t *end = m->codes + m->code_bytes;
    const int is_long = m->code_bytes >= LONG_STREAM;
    const __m256i high = table_avx2(m->high), low = table_avx2(m->low);
    const __m256i ones = _mm256_set1_epi16(1), higher = _mm256_set1_epi16(256);
    uint8_t edge[MOST_LINES * 32];
    const trellis_group group = group_at(m, row);
    float out[GROUP] = {0};
    for (size_t run = 0; run < runs_of(m->columns); run++) {
        const size_t last = (run + 1) * RUN < m->columns ? (run + 1) * RUN : m->columns;
        __m256i sums[GROUP];
#pragma clang loop unroll(full)
        for (int r = 0; r < GROUP; r++) sums[r] = _mm256_setzero_si256();
        for (size_t c = run * RUN; c < last; c += 32) {
            const trellis_block block = block_at(PAIR, 32, &group, m->columns, c, edge);
            __m256i lines[MOST_LINES];
            lines_avx2(PAIR, block, lines);
            const __m256i x_low = _mm256_load_si256((const __m256i *)(x.numbers + padded(m->columns) + c));
            const __m256i x_high = _mm256_load_si256((const __m256i *)(x.numbers + c));
#pragma clang loop unroll(full)
            for (int r = 0; r < GROUP; r++) {
                const __m256i w = values_avx2(PAIR, phase, lines, r, high, low);
                sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(_mm256_maddubs_epi16(w, x_low), ones));
                if (BYTES == 2)
                    sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(_mm256_maddubs_epi16(w, x_high), higher));
            }
            if (c % 64 == 0)
                for (int i = 0; i < LINES(PAIR); i++) fetch_ahead(group.codes + i * m->columns + c, end, is_long, 3072);
        }
        int32_t all[GROUP];
        _mm256_storeu_si256((__m256i *)all, sums_avx2(sums));
        add_run(m, &x, run, all, out);
    }
    put_rows(GROUP, m, row, group.rows, out, y);
}

INLINE void token_avx2(const int PAIR, const int BYTES, const bp_trellis *m, const uint8_t *prepared, bp_part part, float *y) {
    for (size_t row = part.first; row < part.end; row += GROUP) {
        if (PHASE(PAIR, row)) group_avx2(PAIR, 4, BYTES, m, prepared, row, y);
        else group_avx2(PAIR, 0, BYTES, m, prepared, row, y);
    }
}

INLINE void decode_avx2(const int PAIR, const int phase, const bp_trellis *m, const trellis_group *group, size_t first,
                        size_t width, void *panel) {
    const __m256i high = table_avx2(m->high), low = table_avx2(m->low);
    uint8_t edge[MOST_LINES * 32];
    for (size_t c = 0; c < width; c += 32) {
        __m256i lines[MOST_LINES];
        if (first + c < m->columns) lines_avx2(PAIR, block_at(PAIR, 32, group, m->columns, first + c, edge), lines);
        else memset(lines, 0, sizeof lines);
#pragma clang loop unroll(full)
        for (int r = 0; r < GROUP; r++) {
            const __m256i w = values_avx2(PAIR, phase, lines, r, high, low);
            __m256i *to = (__m256i *)((int16_t *)panel + r * RUN + c);
            _mm256_store_si256(to, _mm256_and_si256(w, _mm256_set1_epi16(255)));
            _mm256_store_si256(to + 1, _mm256_srli_epi16(w, 8));
        }
    }
}

// Of 16-bit numbers, whose products are added in pairs: half the instructions of bytes.
INLINE void sums_of_avx2(const bp_trellis *m, const void *panel, const uint8_t *x, size_t width, int32_t sums[GROUP]) {
    (void)m;
    __m256i all[GROUP];
#pragma clang loop unroll(full)
    for (int r = 0; r < GROUP; r++) all[r] = _mm256_setzero_si256();
    for (size_t c = 0; c < width; c += 16) {
        const __m256i numbers = _mm256_load_si256((const __m256i *)(x + 2 * c));
#pragma clang loop unroll(full)
        for (int r = 0; r < GROUP; r++) {
            const __m256i w = _mm256_load_si256((const __m256i *)((const int16_t *)panel + r * RUN + c));
            all[r] = _mm256_add_epi32(all[r], _mm256_madd_epi16(w, numbers));
        }
    }
    _mm256_storeu_si256((__m256i *)sums, sums_avx2(all));
}

void bp_trellis_token_avx2(const bp_trellis *m, const uint8_t *prepared, bp_part part, float *y) {
#define WIDE(pair) token_avx2(pair, 2, m, prepared, part, y)
#define NARROW(pair) token_avx2(pair, 1, m, prepared, part, y)
    if (m->act_bytes == 2) FOR_PAIR_BITS(m->pair_bits, WIDE)
    else FOR_PAIR_BITS(m->pair_bits, NARROW)
}

void bp_trellis_batch_avx2(const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y) {
#define BATCH_OF(pair) trellis_batch(pair, m, prepared, tokens, part, y, 2, decode_avx2, sums_of_avx2)
    FOR_PAIR_BITS(m->pair_bits, BATCH_OF)
}

#pragma clang attribute pop
#endif
