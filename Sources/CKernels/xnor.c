// Signs times signs: exclusive or, then population counts. Exact.
#include "xnor.h"

void bp_sign_bits(bp_isa isa, const float *x, size_t columns, size_t tokens, uint32_t *bits) {
    for (size_t t = 0; t < tokens; t++)
        DISPATCH(isa, bp_sign_bits_of, x + t * columns, columns, bits + t * ((columns + 31) / 32));
}

void bp_xnor_multiply(bp_isa isa, const uint8_t *signs, size_t rows, size_t columns, float scale, const uint32_t *bits,
                      size_t tokens, bp_part part, float *y) {
    const size_t height = bp_block_rows(1), row_bytes = (columns + 7) / 8, words = row_bytes / 4, width = row_bytes % 4;
    for (size_t r = part.first; r < part.end; r += height) {
        const size_t in_block = part.end - r < height ? part.end - r : height;
        const uint8_t *block = signs + 4 * words * r, *tails = signs + 4 * words * rows + width * r;
        for (size_t t = 0; t < tokens; t++) {
            const uint32_t *of_token = bits + t * ((columns + 31) / 32);
            float *out = y + t * rows + r;
            if (HAS_AVX2(isa) && in_block == 64 && !width) {
                const uint8_t *end = signs + rows * row_bytes;
                const int is_long = rows * row_bytes >= LONG_STREAM;
                if (HAS_AVX512(isa)) bp_xnor_block_avx512(block, end, is_long, words, of_token, columns, scale, out);
                else bp_xnor_block_avx2(block, end, is_long, words, of_token, columns, scale, out);
                continue;
            }
            for (size_t i = 0; i < in_block; i += 16) {
                uint32_t counts[16];
                const size_t lanes = in_block - i < 16 ? in_block - i : 16;
                const uint8_t *of_rows = block + 4 * i, *tail = tails + i * width;
                if (HAS_NEON(isa)) bp_xnor_rows_neon(of_rows, 4 * in_block, tail, width, words, lanes, of_token, counts);
                else DISPATCH(isa, bp_xnor_rows, of_rows, 4 * in_block, tail, width, words, lanes, of_token, counts);
                for (size_t lane = 0; lane < lanes; lane++)
                    out[i + lane] = scale * (float)((int32_t)columns - 2 * (int32_t)counts[lane]);
            }
        }
    }
}
