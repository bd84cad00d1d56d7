// What the study of windows needs in C: the best paths of sequences for any window, and products with one token for several ways to look
// weights up. By AVX2; compiled by windows.py.
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include "../../Sources/CKernels/avx2/trellis_avx2.c"

#define EXPORT __attribute__((visibility("default")))

#pragma clang attribute push(__attribute__((target(AVX2_FEATURES))), apply_to = function)

// MARK: Paths, as Sources/CKernels/trellis_path.c finds them for windows of 8 bits

enum { MOST_WINDOWS = 4096, RENORMALIZE = 8 };

// Takes `steps` weights from `start` on, counted around the sequence, into account.
INLINE void search(const int L, const int K, const float *table, const float *x, size_t count, size_t start,
                   size_t steps, float *costs, uint8_t *choices) {
    const size_t ways = (size_t)1 << K, before = (size_t)1 << (L - K);
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    static __m256 least[MOST_WINDOWS / 16];
    for (size_t t = 0; t < steps; t++, choices += before) {
        const __m256 target = _mm256_set1_ps(x[(start + t) % count]);
        for (size_t m = 0; m < before; m += 8) {
            __m256 cost = _mm256_loadu_ps(costs + m);
            __m256i way = _mm256_setzero_si256();
#pragma clang loop unroll(full)
            for (size_t b = 1; b < ways; b++) {
                const __m256 other = _mm256_loadu_ps(costs + b * before + m), less = _mm256_cmp_ps(other, cost, _CMP_LT_OQ);
                way = _mm256_blendv_epi8(way, _mm256_set1_epi32((int)b), _mm256_castps_si256(less));
                cost = _mm256_blendv_ps(cost, other, less);
            }
            least[m / 8] = cost;
            const __m256i words = _mm256_packs_epi32(way, way), bytes = _mm256_packs_epi16(words, words);
            const int32_t halves[2] = {_mm256_extract_epi32(bytes, 0), _mm256_extract_epi32(bytes, 4)};
            memcpy(choices + m, halves, 8);
        }
        for (size_t m = 0; m < before / 8; m++)
#pragma clang loop unroll(full)
            for (size_t b = 0; b < ways; b++) {
                const size_t s = 8 * (m * ways + b);
                const __m256i from = _mm256_srli_epi32(_mm256_add_epi32(_mm256_set1_epi32((int)(8 * b)), lanes), K);
                const __m256 rest = _mm256_sub_ps(target, _mm256_loadu_ps(table + s));
                _mm256_storeu_ps(costs + s, _mm256_add_ps(_mm256_permutevar8x32_ps(least[m], from), _mm256_mul_ps(rest, rest)));
            }
        if (t % RENORMALIZE == RENORMALIZE - 1) {
            float best = INFINITY;
            for (size_t s = 0; s < before * ways; s++) best = costs[s] < best ? costs[s] : best;
            for (size_t s = 0; s < before * ways; s++) costs[s] -= best;
        }
    }
}

INLINE size_t trace_back(const int L, const int K, const uint8_t *choices, size_t from, size_t to, size_t window, uint16_t *windows) {
    for (size_t t = to; t-- > from;) {
        const size_t through = window >> K;
        if (windows) windows[t] = (uint16_t)window;
        window = through + ((size_t)choices[(t << (L - K)) + through] << (L - K));
    }
    return window;
}

// The windows of the best path that bites its tail: the closing bits from 16 windows on both sides of the seam.
INLINE void path(const int L, const int K, const float *table, const float *x, size_t count, uint8_t *choices, uint16_t *windows) {
    const size_t all = (size_t)1 << L, before = all >> K, seam = 16 * (size_t)L / K;
    static float costs[MOST_WINDOWS];
    for (size_t s = 0; s < all; s++) costs[s] = 0;
    search(L, K, table, x, count, (seam / count + 1) * count - seam, 2 * seam, costs, choices);
    size_t best = 0;
    for (size_t s = 1; s < all; s++)
        if (costs[s] < costs[best]) best = s;
    const size_t closing = trace_back(L, K, choices, seam, 2 * seam, best, 0) & (before - 1);
    for (size_t s = 0; s < all; s++) costs[s] = (s & (before - 1)) == closing ? 0 : INFINITY;
    search(L, K, table, x, count, 0, count, costs, choices);
    best = closing;
    for (size_t s = closing; s < all; s += before)
        if (costs[s] < costs[best]) best = s;
    trace_back(L, K, choices, 0, count, best, windows);
}

#define LENGTHS(L)                                                                                \
    case L:                                                                                       \
        for (size_t i = 0; i < sequences; i++, x += count, windows += count) switch (K) {         \
            case 1: path(L, 1, table, x, count, choices, windows); break;                         \
            case 2: path(L, 2, table, x, count, choices, windows); break;                         \
            case 3: path(L, 3, table, x, count, choices, windows); break;                         \
            default: path(L, 4, table, x, count, choices, windows);                               \
            }                                                                                     \
        break;

// The windows of L bits of the best paths of sequences (sequences, count), alike.
EXPORT void find_paths(int L, int K, const float *table, const float *x, size_t sequences, size_t count, uint16_t *windows) {
    const size_t most = 32 * (size_t)L > count ? 32 * (size_t)L : count;
    uint8_t *choices = malloc(most << (L - K));
    switch (L) {
        LENGTHS(8)
        LENGTHS(10)
        LENGTHS(12)
    }
    free(choices);
}

// MARK: Products of one token

// Lines before a group's first: windows of 12 bits reach back two bytes.
enum { EARLIER = 2 };

// Weights by sums of tables of 16 (two or three), of 32 and of 64.
enum { SIXTEENS = 0, THREE_SIXTEENS = 1, THIRTY_TWOS = 2, SIXTY_FOURS = 3 };

// `bits` bits (5 or 6) from bit `start` on.
INLINE __m256i field(const __m256i *lines, const int start, const int bits) {
    const int at = start % 8, end = at + bits;
    const __m256i mask = _mm256_set1_epi8((char)((1 << bits) - 1)), line = lines[start / 8];
    if (end <= 8) return _mm256_and_si256(_mm256_srli_epi16(line, 8 - end), mask);
    const __m256i upper = _mm256_and_si256(_mm256_slli_epi16(line, end - 8), _mm256_set1_epi8((char)(0xff << (end - 8))));
    const __m256i lower = _mm256_and_si256(_mm256_srli_epi16(lines[start / 8 + 1], 16 - end), _mm256_set1_epi8((char)(0xff >> (16 - end))));
    return _mm256_and_si256(_mm256_or_si256(upper, lower), mask);
}

// An entry of 32 or 64: one of each 16, chosen by the index's higher bits.
INLINE __m256i entry32(const __m256i *table, __m256i index) {
    return _mm256_blendv_epi8(_mm256_shuffle_epi8(table[0], index), _mm256_shuffle_epi8(table[1], index), _mm256_slli_epi16(index, 3));
}

INLINE __m256i entry64(const __m256i *table, __m256i index) {
    return _mm256_blendv_epi8(entry32(table, index), entry32(table + 2, index), _mm256_slli_epi16(index, 2));
}

INLINE __m256i weights(const int K, const int WAY, const __m256i *lines, const int r, const __m256i *tables) {
    const int end = 8 * EARLIER + (r + 1) * K;
    switch (WAY) {
    case SIXTEENS:
        return _mm256_add_epi8(_mm256_shuffle_epi8(tables[0], nibble_avx2(lines, end - 8)), _mm256_shuffle_epi8(tables[1], nibble_avx2(lines, end - 4)));
    case THREE_SIXTEENS:
        return _mm256_add_epi8(
            _mm256_add_epi8(_mm256_shuffle_epi8(tables[0], nibble_avx2(lines, end - 12)), _mm256_shuffle_epi8(tables[1], nibble_avx2(lines, end - 8))),
            _mm256_shuffle_epi8(tables[2], nibble_avx2(lines, end - 4)));
    // pshufb wants the index's bits 4 to 6 or none: any, as it reads the low four alone where bit 7 is clear.
    case THIRTY_TWOS:
        return _mm256_add_epi8(entry32(tables, field(lines, end - 10, 5)), entry32(tables + 2, field(lines, end - 5, 5)));
    default:
        return _mm256_add_epi8(entry64(tables, field(lines, end - 12, 6)), entry64(tables + 4, field(lines, end - 6, 6)));
    }
}

// Sums of 8 rows at a time, activations of 8 bits; codes are lines of `columns` bytes, K a group, behind two that are read as well.
INLINE void products(const int K, const int WAY, const uint8_t *codes, const uint8_t *entries, size_t rows, size_t columns, const int8_t *x,
                     int32_t *y) {
    __m256i tables[8];
    for (int i = 0; i < 8; i++) tables[i] = table_avx2(entries + 16 * i);
    const __m256i ones = _mm256_set1_epi16(1);
    for (size_t row = 0; row < rows; row += 8, codes += K * columns) {
        __m256i sums[8];
        for (int r = 0; r < 8; r++) sums[r] = _mm256_setzero_si256();
        for (size_t c = 0; c < columns; c += 32) {
            __m256i lines[EARLIER + 5];
#pragma clang loop unroll(full)
            for (int i = 0; i < EARLIER + K; i++) lines[i] = _mm256_loadu_si256((const __m256i *)(codes + i * columns + c));
            const __m256i numbers = _mm256_loadu_si256((const __m256i *)(x + c));
#pragma clang loop unroll(full)
            for (int r = 0; r < 8; r++)
                sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(_mm256_maddubs_epi16(weights(K, WAY, lines, r, tables), numbers), ones));
        }
        _mm256_storeu_si256((__m256i *)(y + row), sums_avx2(sums));
    }
}

// The same by gathers from a free table of numbers, windows of L bits in lanes of 32.
INLINE void gathered(const int K, const int L, const uint8_t *codes, const int32_t *table, size_t rows, size_t columns, const int8_t *x, int32_t *y) {
    const __m256i mask = _mm256_set1_epi32((1 << L) - 1);
    for (size_t row = 0; row < rows; row += 8, codes += K * columns) {
        __m256i sums[8];
        for (int r = 0; r < 8; r++) sums[r] = _mm256_setzero_si256();
        for (size_t c = 0; c < columns; c += 8) {
            // The bytes of a column as a number: 24 bits that end with the row's window are in reach.
            __m256i bytes[EARLIER + 5];
#pragma clang loop unroll(full)
            for (int i = 0; i < EARLIER + K; i++) bytes[i] = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i * columns + c)));
            const __m256i numbers = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(x + c)));
#pragma clang loop unroll(full)
            for (int r = 0; r < 8; r++) {
                const int end = 8 * EARLIER + (r + 1) * K, last = (end - 1) / 8;
                const __m256i stream = _mm256_or_si256(
                    _mm256_or_si256(_mm256_slli_epi32(bytes[last - 2], 16), _mm256_slli_epi32(bytes[last - 1], 8)), bytes[last]);
                const __m256i window = _mm256_and_si256(_mm256_srli_epi32(stream, 8 * (last + 1) - end), mask);
                // Both fit 16 bits: the product of the pairs is that of the low halves.
                sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(_mm256_i32gather_epi32(table, window, 4), numbers));
            }
        }
        _mm256_storeu_si256((__m256i *)(y + row), sums_avx2(sums));
    }
}

#define ALL_K(call)          \
    switch (K) {             \
    case 1: call(1); break;  \
    case 2: call(2); break;  \
    case 3: call(3); break;  \
    default: call(4);        \
    }

// way: 0 to 3 as above; 8 and 12 are gathers from a free table of so many bits.
EXPORT void multiply(int K, int way, const uint8_t *codes, const uint8_t *entries, const int32_t *table, size_t rows, size_t columns, const int8_t *x,
                     int32_t *y) {
#define BY_TABLES(K)                                                                                           \
    switch (way) {                                                                                             \
    case SIXTEENS: products(K, SIXTEENS, codes, entries, rows, columns, x, y); break;                          \
    case THREE_SIXTEENS: products(K, THREE_SIXTEENS, codes, entries, rows, columns, x, y); break;              \
    case THIRTY_TWOS: products(K, THIRTY_TWOS, codes, entries, rows, columns, x, y); break;                    \
    case SIXTY_FOURS: products(K, SIXTY_FOURS, codes, entries, rows, columns, x, y); break;                    \
    case 8: gathered(K, 8, codes, table, rows, columns, x, y); break;                                          \
    default: gathered(K, 12, codes, table, rows, columns, x, y);                                               \
    }
    ALL_K(BY_TABLES)
}

// The least seconds of a product, over `rounds` turns through `count` matrices that lie one after the other.
EXPORT double seconds(int K, int way, const uint8_t *codes, const uint8_t *entries, const int32_t *table, size_t rows, size_t columns, size_t count,
                      size_t rounds, const int8_t *x, int32_t *y) {
    double least = INFINITY;
    const size_t size = rows / 8 * K * columns;
    for (size_t round = 0; round < rounds; round++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (size_t i = 0; i < count; i++) multiply(K, way, codes + i * size, entries, table, rows, columns, x, y);
        clock_gettime(CLOCK_MONOTONIC, &to);
        const double taken = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
        if (taken < least) least = taken;
    }
    return least / (double)count;
}

#pragma clang attribute pop
