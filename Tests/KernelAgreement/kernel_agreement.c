// Compares the kernels of one instruction set with the portable ones, for machines that only an emulator has:
// integer sums bit for bit, FP32 sums within rounding, at sizes where blocks, words and segments end early;
// and a token in a batch with the same token alone, bit for bit.
//
//     kernel_agreement                                    names the widest set of the machine
//     kernel_agreement SET                                compares all schemes
//     kernel_agreement SET SCHEME ROWS COLUMNS TIMES      multiplies one token so many times, to be counted
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckernels.h"

static const char *const sets[] = {"portable", "avx2", "avx512", "amx", "neon", "neondot", "neoni8mm"};

typedef enum { HALVES, SIGNS, BITLINEAR, CODES, LEVELS, PRODUCT_CODES, TRELLIS, XNOR } family;

typedef struct {
    const char *name;
    family family;
    // Bits of a weight, for trellis codes those of two; columns that share scales (or make a subvector), 0
    // for all.
    size_t bits, group;
    int is_signed, act_bytes, is_exact;
} scheme;

static const scheme schemes[] = {
    {"fp16", HALVES, 16, 0, 0, 0, 0},       {"bcq1", SIGNS, 1, 0, 0, 0, 1},          {"bcq2", SIGNS, 2, 0, 0, 0, 1},
    {"bcq3", SIGNS, 3, 0, 0, 0, 1},         {"bcq4", SIGNS, 4, 0, 0, 0, 1},          {"bcq5", SIGNS, 5, 0, 0, 0, 1},
    {"bcq8", SIGNS, 8, 0, 0, 0, 1},         {"bcq2:g64", SIGNS, 2, 64, 0, 0, 1},     {"bcq3:g20", SIGNS, 3, 20, 0, 0, 1},
    {"bitlinear", BITLINEAR, 1, 0, 0, 0, 1}, {"int2", CODES, 2, 0, 0, 2, 1},         {"int3", CODES, 3, 0, 0, 2, 1},
    {"int4", CODES, 4, 0, 0, 2, 1},         {"int5", CODES, 5, 0, 0, 2, 1},          {"int6", CODES, 6, 0, 0, 2, 1},
    {"int7", CODES, 7, 0, 0, 2, 1},         {"int8", CODES, 8, 0, 0, 2, 1},          {"int4:g64", CODES, 4, 64, 0, 2, 1},
    {"int5:g20", CODES, 5, 20, 0, 2, 1},    {"index8", CODES, 8, 0, 1, 2, 1},        {"w8a8", CODES, 8, 0, 1, 1, 1},
    {"nf4", LEVELS, 4, 64, 0, 0, 1},        {"nf4:b32", LEVELS, 4, 32, 0, 0, 1},     {"nf4:b320", LEVELS, 4, 320, 0, 0, 1},
    {"pq:b8:k256", PRODUCT_CODES, 8, 8, 0, 0, 0},
    {"pq:b4:k16", PRODUCT_CODES, 4, 4, 0, 0, 0}, {"tcq1", TRELLIS, 2, 0, 0, 2, 1},   {"tcq2", TRELLIS, 4, 0, 0, 2, 1},
    {"tcq3", TRELLIS, 6, 0, 0, 2, 1},       {"tcq4", TRELLIS, 8, 0, 0, 2, 1},        {"tcq2@8", TRELLIS, 4, 0, 0, 1, 1},
    {"tcq1.5", TRELLIS, 3, 0, 0, 2, 1},     {"tcq2.5", TRELLIS, 5, 0, 0, 2, 1},      {"tcq3.5", TRELLIS, 7, 0, 0, 2, 1},
    {"sign", XNOR, 1, 0, 0, 0, 1},
};

enum { MOST_TOKENS = 35 };
static const size_t shapes[][2] = {{1, 1},    {3, 5},    {16, 32},  {63, 65},  {64, 64},  {65, 31},
                                   {130, 257}, {17, 1000}, {96, 544}, {257, 96}, {5, 0}};
static const size_t batches[] = {1, 2, 3, 5, 7, 18, MOST_TOKENS};

static uint64_t state = 88172645463325252u;

static uint32_t random_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state * 2685821657736338717u >> 32);
}

// About normal.
static float random_number(void) {
    float sum = 0;
    for (int i = 0; i < 4; i++) sum += (float)(random_bits() >> 8) / (1 << 24);
    return 2 * sum - 4;
}

// Zeroed, on 64 bytes, with some readable ones behind.
static void *memory(size_t bytes) {
    const size_t all = (bytes + 256) / 64 * 64;
    void *out = aligned_alloc(64, all);
    if (!out) exit(1);
    return memset(out, 0, all);
}

// Zeroed, of exactly so many bytes, at an address that is odd for their type: what a mapped file may give.
// For codes `unit` is 1, for FP32 numbers 4. The sanitizers see what is read or written outside.
static void *exact(size_t bytes, size_t unit) {
    uint8_t *out = malloc(bytes + 16 + unit);
    if (!out) exit(1);
    // free() finds where the memory began in front of it.
    memset(out, 0, bytes + 16 + unit);
    out[15 + unit] = (uint8_t)(16 + unit);
    return out + 16 + unit;
}

static void release_exact(void *memory) {
    uint8_t *out = memory;
    free(out - out[-1]);
}

static float *random_lanes(size_t rows, size_t width) {
    float *from = exact(rows * width * sizeof(float), 4), *out = exact((rows + 15) / 16 * 16 * width * sizeof(float), 4);
    for (size_t i = 0; i < rows * width; i++) from[i] = random_number();
    bp_lanes(from, rows, width, out);
    release_exact(from);
    return out;
}

typedef struct {
    const scheme *scheme;
    size_t rows, columns, groups, count, code_bytes;
    bp_segment *segments;
    uint8_t *codes, *turned, *opening;
    float *scales, *offsets, *book;
} matrix;

static size_t code_bytes(const scheme *s, size_t rows, size_t columns) {
    size_t bytes = 0;
    switch (s->family) {
    case HALVES: return sizeof(uint16_t) * bp_panels_count(rows, columns);
    case CODES: return rows * ((columns * s->bits + 7) / 8);
    case LEVELS: return rows * columns / 2;
    case PRODUCT_CODES: return (rows * (columns / s->group) * s->bits + 7) / 8;
    case TRELLIS:
        for (size_t r = 0; r < rows; r += BP_TRELLIS_ROWS)
            bytes += ((rows - r < BP_TRELLIS_ROWS ? rows - r : BP_TRELLIS_ROWS) * s->bits / 2 + 7) / 8 * columns;
        return bytes;
    default: return rows * s->bits * ((columns + 7) / 8);
    }
}

static matrix random_matrix(const scheme *s, size_t rows, size_t columns) {
    if (s->family == LEVELS || s->family == PRODUCT_CODES) columns = (columns + s->group - 1) / s->group * s->group;
    matrix m = {.scheme = s, .rows = rows, .columns = columns, .code_bytes = code_bytes(s, rows, columns)};
    m.groups = s->group && columns ? (columns + s->group - 1) / s->group : 1;
    m.count = bp_segments(columns, s->group, 0);
    m.segments = exact(m.count * sizeof *m.segments, 4);
    bp_segments(columns, s->group, m.segments);
    // Panels are packed into memory of our own; all other codes are used where they lie in a file.
    m.codes = s->family == HALVES ? exact(m.code_bytes, 2) : exact(m.code_bytes, 1);
    for (size_t i = 0; i < m.code_bytes; i++) m.codes[i] = (uint8_t)random_bits();
    // Halves from 1/8 to 2, so that sums are of one size.
    for (size_t i = 0; s->family == HALVES && i < m.code_bytes / 2; i++)
        ((uint16_t *)m.codes)[i] = (uint16_t)(0x3000 + (((uint16_t *)m.codes)[i] & 0x8fff));
    m.scales = random_lanes(rows, m.groups * (s->family == SIGNS || s->family == BITLINEAR ? s->bits : 1));
    m.offsets = random_lanes(rows, m.groups);
    m.book = exact(256 * 8 * sizeof(float), 4);
    for (size_t i = 0; i < 256 * 8; i++) m.book[i] = random_number();
    m.opening = exact(columns, 1);
    m.turned = exact(m.code_bytes, 1);
    if (s->family == SIGNS || s->family == BITLINEAR) bp_signs_turn(m.codes, s->bits, rows, columns, m.turned);
    if (s->family == TRELLIS) bp_trellis_opening(m.codes, s->bits, rows, columns, m.opening);
    return m;
}

static void release(matrix *m) {
    release_exact(m->segments);
    release_exact(m->codes);
    release_exact(m->turned);
    release_exact(m->opening);
    release_exact(m->scales);
    release_exact(m->offsets);
    release_exact(m->book);
}

static uint8_t *prepared;
static float *scratch;

static void multiply_part(bp_isa isa, const matrix *m, const float *x, size_t tokens, bp_part part, float *y) {
    static const uint8_t high[16] = {0, 5, 9, 14, 18, 21, 25, 30, 33, 37, 41, 46, 50, 55, 59, 63};
    static const uint8_t low[16] = {63, 3, 58, 8, 52, 12, 47, 17, 42, 22, 38, 27, 34, 29, 31, 1};
    static const int16_t levels[16] = {-2047, -1425, -1075, -808, -582, -378, -186, 0, 163, 329, 504, 692, 902, 1152, 1480, 2047};
    const scheme *s = m->scheme;
    const size_t rows = m->rows, columns = m->columns;
    switch (s->family) {
    case HALVES: bp_half_panels_multiply(isa, (const uint16_t *)m->codes, rows, columns, x, tokens, part, y, scratch); break;
    case SIGNS:
    case BITLINEAR:
        if (s->family == SIGNS) bp_sign_tables(isa, x, columns, tokens, m->segments, m->count, prepared);
        else bp_bitlinear_tables(isa, x, columns, tokens, m->segments, m->count, prepared);
        bp_signs_multiply(isa, bp_signs_are_turned(isa) ? m->turned : m->codes, s->bits, rows, columns, m->scales, m->groups, m->segments, m->count, prepared, tokens, part, y);
        break;
    case CODES: {
        const bp_codes weights = {m->codes,  s->bits, rows, columns, m->groups, m->scales, s->group ? m->offsets : 0,
                                  s->is_signed, s->act_bytes};
        bp_code_activations(isa, x, columns, tokens, s->act_bytes, m->segments, m->count, prepared);
        bp_codes_multiply(isa, &weights, m->segments, m->count, prepared, tokens, part, y);
        break;
    }
    case LEVELS: {
        const bp_levels weights = {m->codes, levels, rows, columns, m->groups, m->scales};
        bp_level_activations(isa, x, columns, tokens, m->segments, m->count, prepared);
        bp_levels_multiply(isa, &weights, m->segments, m->count, prepared, tokens, part, y);
        break;
    }
    case PRODUCT_CODES: {
        const bp_product_codes weights = {m->codes, s->bits, rows, columns / s->group, m->book, 256, s->group};
        float *sums = exact(bp_product_codes_scratch(&weights, part) * sizeof(float), 4);
        bp_product_codes_multiply(isa, &weights, x, tokens, part, sums, y);
        release_exact(sums);
        break;
    }
    case TRELLIS: {
        const bp_trellis weights = {m->codes, m->code_bytes, m->opening, s->bits, rows, columns, high, low, 62.7f, .02f,
                                    m->scales, s->act_bytes};
        bp_trellis_activations(isa, x, columns, tokens, s->act_bytes, prepared);
        bp_trellis_multiply(isa, &weights, prepared, tokens, part, y);
        break;
    }
    case XNOR:
        bp_sign_bits(isa, x, columns, tokens, (uint32_t *)prepared);
        bp_xnor_multiply(isa, m->codes, rows, columns, .5f, (const uint32_t *)prepared, tokens, part, y);
        break;
    }
}

// The portable code multiplies all rows at once, the others a part after the other.
static void multiply(bp_isa isa, const matrix *m, const float *x, size_t tokens, float *y) {
    const size_t height = isa == BP_PORTABLE ? m->rows : BP_PART_ROWS;
    for (size_t first = 0; first < m->rows; first += height) {
        const size_t end = m->rows - first < height ? m->rows : first + height;
        multiply_part(isa, m, x, tokens, (bp_part){first, end}, y);
    }
}

// Whether two results agree; says where not.
static int agree(const char *what, const matrix *m, size_t tokens, int is_exact, const float *y, const float *expected) {
    double error = 0, norm = 1e-30;
    for (size_t i = 0; i < tokens * m->rows; i++) {
        if (is_exact && memcmp(y + i, expected + i, sizeof(float))) {
            fprintf(stderr, "%s, %zu x %zu, %s: token %zu of %zu, row %zu: expected %.9g, got %.9g\n", m->scheme->name, m->rows,
                    m->columns, what, i / m->rows, tokens, i % m->rows, expected[i], y[i]);
            return 0;
        }
        error += pow(y[i] - expected[i], 2);
        norm += pow(expected[i], 2);
    }
    if (sqrt(error / norm) < 2e-6) return 1;
    fprintf(stderr, "%s, %zu x %zu, %s: %zu tokens: expected a relative error below 2e-6, got %g\n", m->scheme->name, m->rows,
            m->columns, what, tokens, sqrt(error / norm));
    return 0;
}

// Whether all agree; the first size that does not is said.
static int compare(bp_isa isa, const scheme *s) {
    int all_agree = 1;
    for (size_t i = 0; all_agree && i < sizeof shapes / sizeof *shapes; i++) {
        matrix m = random_matrix(s, shapes[i][0], shapes[i][1]);
        float *x = exact(MOST_TOKENS * m.columns * sizeof(float), 4), *y = exact(MOST_TOKENS * m.rows * sizeof(float), 4);
        float *portable = exact(MOST_TOKENS * m.rows * sizeof(float), 4), *alone = exact(m.rows * sizeof(float), 4);
        for (size_t k = 0; k < MOST_TOKENS * m.columns; k++) x[k] = random_number();
        multiply(BP_PORTABLE, &m, x, MOST_TOKENS, portable);
        for (size_t b = 0; all_agree && b < sizeof batches / sizeof *batches; b++) {
            multiply(isa, &m, x, batches[b], y);
            all_agree &= agree("against portable", &m, batches[b], s->is_exact, y, portable);
            const size_t last = batches[b] - 1;
            multiply(isa, &m, x + last * m.columns, 1, alone);
            all_agree &= agree("a token alone against its batch", &m, 1, 1, y + last * m.rows, alone);
        }
        release_exact(x);
        release_exact(y);
        release_exact(portable);
        release_exact(alone);
        release(&m);
    }
    return all_agree;
}

static void repeat(bp_isa isa, const scheme *s, size_t rows, size_t columns, size_t times) {
    matrix m = random_matrix(s, rows, columns);
    float *x = exact(m.columns * sizeof(float), 4), *y = exact(m.rows * sizeof(float), 4);
    for (size_t c = 0; c < m.columns; c++) x[c] = random_number();
    for (size_t i = 0; i < times; i++) multiply(isa, &m, x, 1, y);
    release_exact(x);
    release_exact(y);
    release(&m);
}

int main(int count, char **arguments) {
    if (count == 1) return puts(sets[bp_best_isa()]) < 0;
    int isa = -1;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (count > 1 && !strcmp(arguments[1], sets[i])) isa = (int)i;
    if (isa < 0 || (count != 2 && count != 6)) {
        fprintf(stderr, "kernel_agreement: expected an instruction set (portable, avx2, avx512, amx, neon, neondot, neoni8mm), and perhaps "
                        "a scheme, rows, columns and times\n");
        return 64;
    }
    prepared = memory(16 << 20);
    scratch = memory(BP_PANEL * (1 << 16) * sizeof(float));
    int all_agree = 1, found = 0;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (count == 2) {
            all_agree &= compare((bp_isa)isa, schemes + i);
        } else if (!strcmp(arguments[2], schemes[i].name)) {
            found = 1;
            repeat((bp_isa)isa, schemes + i, strtoul(arguments[3], 0, 10), strtoul(arguments[4], 0, 10), strtoul(arguments[5], 0, 10));
        }
    }
    if (count == 6) return found ? 0 : 64;
    if (!all_agree) return 1;
    printf("C kernels: %s agrees with portable for %zu schemes\n", sets[isa], sizeof schemes / sizeof *schemes);
    return 0;
}
