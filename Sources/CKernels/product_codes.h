// Product codes: what the builds share. Codewords are few and rows are many: every codeword's product with a
// subvector of the activations is computed once, and each row adds those that its indices name. A sum runs
// through the subvectors in order, and a product through its numbers, whatever the number of tokens and rows.
#ifndef PRODUCT_CODES_H
#define PRODUCT_CODES_H
#include "lanes.h"

// Codewords at most; tokens side by side, and from how many on they are; subvectors whose products are in a
// near cache at a time, of one token and of tokens side by side.
enum { CODEWORDS = 256, SIDE_BY_SIDE = 16, FEWEST = 4, ALONE_AT_A_TIME = 16, SUBVECTORS_AT_A_TIME = 8 };

// `count` indices of a row from subvector j on: where they are bytes they are not copied.
INLINE const uint8_t *read_indices(const bp_product_codes m, size_t r, size_t j, size_t count, uint8_t *out) {
    size_t at = (r * m.per_row + j) * m.bits;
    if (m.bits == 8) return m.indices + at / 8;
    for (size_t i = 0; i < count; i++, at += m.bits) {
        unsigned window = m.indices[at / 8];
        if (at % 8 + m.bits > 8) window |= (unsigned)m.indices[at / 8 + 1] << 8;
        out[i] = (uint8_t)(window >> at % 8 & ((1u << m.bits) - 1));
    }
    return out;
}

// The products of all codewords with a subvector of one token: 16 codewords side by side.
INLINE void products_alone(const bp_product_codes m, const float *x, float *products) {
    for (size_t k = 0; k < m.codewords; k += 16) {
        v16 sum = SPLAT(0.0f);
        for (size_t i = 0; i < m.block; i++) sum += *(const v16 *)(m.book + i * m.codewords + k) * x[i];
        *(v16 *)(products + k) = sum;
    }
}

// Adds the products of `count` subvectors from j on to the sums of all rows.
INLINE void add_alone(const size_t count, const bp_product_codes m, size_t j, const float (*products)[CODEWORDS],
                      bp_part part, float *y) {
    uint8_t unpacked[ALONE_AT_A_TIME];
    for (size_t r = part.first; r < part.end; r++) {
        const uint8_t *index = read_indices(m, r, j, count, unpacked);
        float sum = y[r];
        for (size_t b = 0; b < count; b++) sum += products[b][index[b]];
        y[r] = sum;
    }
}

INLINE void multiply_alone(const bp_product_codes m, const float *x, bp_part part, float *y) {
    float products[ALONE_AT_A_TIME][CODEWORDS] __attribute__((aligned(64)));
    memset(y + part.first, 0, (part.end - part.first) * sizeof *y);
    for (size_t j = 0; j < m.per_row; j += ALONE_AT_A_TIME) {
        const size_t count = m.per_row - j < ALONE_AT_A_TIME ? m.per_row - j : ALONE_AT_A_TIME;
        for (size_t b = 0; b < count; b++) products_alone(m, x + (j + b) * m.block, products[b]);
        if (count == ALONE_AT_A_TIME) add_alone(ALONE_AT_A_TIME, m, j, products, part, y);
        else add_alone(count, m, j, products, part, y);
    }
}

// Adds some numbers of codeword k times those of the tokens.
INLINE void add_numbers(const size_t count, const bp_product_codes m, size_t i, size_t k, const v16 *x, v16 *sum) {
    for (size_t n = 0; n < count; n++) *sum += m.book[(i + n) * m.codewords + k] * x[i + n];
}

// The product of codeword k with a subvector of all tokens.
INLINE void product_of(const bp_product_codes m, size_t k, const v16 *x, v16 *product) {
    v16 sum = SPLAT(0.0f);
    size_t i = 0;
    for (; i + 8 <= m.block; i += 8) add_numbers(8, m, i, k, x, &sum);
    add_numbers(m.block - i, m, i, k, x, &sum);
    *product = sum;
}

// Adds the products of `count` subvectors from j on to the sums of all rows: those that rows share, or of
// each row its own.
INLINE void add_side_by_side(const size_t count, const int are_shared, const bp_product_codes m, size_t j, const v16 *x,
                             const v16 (*products)[CODEWORDS], bp_part part, v16 *sums) {
    uint8_t unpacked[SUBVECTORS_AT_A_TIME];
    for (size_t r = part.first; r < part.end; r++) {
        const uint8_t *index = read_indices(m, r, j, count, unpacked);
        v16 sum = sums[r - part.first];
        for (size_t b = 0; b < count; b++) {
            v16 product;
            if (are_shared) product = products[b][index[b]];
            else product_of(m, index[b], x + (j + b) * m.block, &product);
            sum += product;
        }
        sums[r - part.first] = sum;
    }
}

// x: (columns, 16). Rows that are fewer than the codewords share no products.
INLINE void multiply_side_by_side(const bp_product_codes m, const v16 *x, bp_part part, v16 (*products)[CODEWORDS],
                                  v16 *sums) {
    const int are_shared = part.end - part.first >= m.codewords;
    memset(sums, 0, (part.end - part.first) * sizeof *sums);
    for (size_t j = 0; j < m.per_row; j += SUBVECTORS_AT_A_TIME) {
        const size_t count = m.per_row - j < SUBVECTORS_AT_A_TIME ? m.per_row - j : SUBVECTORS_AT_A_TIME;
        for (size_t b = 0; are_shared && b < count; b++)
            for (size_t k = 0; k < m.codewords; k++) product_of(m, k, x + (j + b) * m.block, &products[b][k]);
        if (!are_shared) add_side_by_side(count, 0, m, j, x, products, part, sums);
        else if (count == SUBVECTORS_AT_A_TIME) add_side_by_side(SUBVECTORS_AT_A_TIME, 1, m, j, x, products, part, sums);
        else add_side_by_side(count, 1, m, j, x, products, part, sums);
    }
}

INLINE void product_codes(const bp_product_codes *m, const float *x, size_t tokens, bp_part part, float *scratch, float *y) {
    const size_t columns = m->per_row * m->block;
    size_t t = 0;
    while (tokens - t >= FEWEST) {
        const size_t count = tokens - t < SIDE_BY_SIDE ? tokens - t : SIDE_BY_SIDE;
        v16 *side_by_side = (v16 *)scratch, *products = side_by_side + columns;
        v16 *sums = products + SUBVECTORS_AT_A_TIME * CODEWORDS;
        for (size_t c = 0; c < columns; c++)
            for (size_t n = 0; n < SIDE_BY_SIDE; n++) scratch[c * SIDE_BY_SIDE + n] = n < count ? x[(t + n) * columns + c] : 0;
        multiply_side_by_side(*m, side_by_side, part, (v16 (*)[CODEWORDS])products, sums);
        for (size_t n = 0; n < count; n++)
            for (size_t r = part.first; r < part.end; r++)
                y[(t + n) * m->rows + r] = ((const float *)(sums + (r - part.first)))[n];
        t += count;
    }
    for (; t < tokens; t++) multiply_alone(*m, x + t * columns, part, y + t * m->rows);
}

DECLARE(void, bp_product_codes, const bp_product_codes *m, const float *x, size_t tokens, bp_part part, float *scratch, float *y);
#endif
