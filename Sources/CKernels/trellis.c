// Trellis codes times activations of 16 or 8 bits: a weight is `high[window >> 4] + low[window & 15]` less
// the offset, the window being the 8 bits of its column's stream that end with its symbol. Sums within a run
// of columns are exact integers and runs are added in one order, so all builds agree bit for bit.
#include "activations.h"
#include "trellis.h"

// Whether activations are multiplied as bytes. AVX2 does so where weights are decoded for one token alone.
#define USES_BYTES(isa, tokens) (HAS_AVX512(isa) || HAS_NEON(isa) || (HAS_AVX2(isa) && (tokens) == 1))

size_t bp_trellis_activations_size(size_t columns) { return activations_size(columns); }

static void put_bytes(const int16_t *q, size_t n, uint8_t *high, uint8_t *low) {
    for (size_t i = 0; i < n; i++) {
        high[i] = (uint8_t)((q[i] + 128) >> 8);
        low[i] = (uint8_t)q[i];
    }
}

static void put_numbers(const int16_t *q, size_t n, int16_t *to) {
    for (size_t c = 0; c < n; c += 32)
        for (size_t i = 0; i < 16; i++) {
            to[c + i] = q[c + 2 * i];
            to[c + 16 + i] = q[c + 2 * i + 1];
        }
}

void bp_trellis_activations(bp_isa isa, const float *x, size_t columns, size_t tokens, int act_bytes, uint8_t *out) {
    for (size_t t = 0; t < tokens; t++, x += columns, out += activations_size(columns)) {
        float *scales = (float *)(out + 2 * padded(columns));
        int32_t *sums = (int32_t *)(scales + runs_of(columns));
        const uint32_t top = act_bytes == 1 ? DISPATCH(isa, bp_top, x, columns) : 0;
        for (size_t run = 0; run < runs_of(columns); run++) {
            const size_t first = run * RUN, n = columns - first < RUN ? columns - first : RUN, width = padded(n);
            int16_t q[RUN] = {0};
            scales[run] = act_bytes == 1 ? bp_quantize_within(isa, x + first, n, top, 127, q)
                                         : bp_quantize(isa, x + first, n, 32639, q);
            int32_t sum = 0;
            for (size_t i = 0; i < width; i++) sum += q[i];
            sums[run] = sum;
            if (USES_BYTES(isa, tokens)) put_bytes(q, width, out + first, out + padded(columns) + first);
            else put_numbers(q, width, (int16_t *)out + first);
        }
    }
}

void bp_trellis_opening(const uint8_t *codes, size_t pair_bits, size_t rows, size_t columns, uint8_t *opening) {
    const size_t first = rows / BP_TRELLIS_ROWS * BP_TRELLIS_ROWS, length = (rows - first) * pair_bits / 2;
    const uint8_t *segment = codes + first * pair_bits / 16 * columns;
    for (size_t c = 0; c < columns; c++) {
        unsigned window = 0;
        // Bit by bit back from the end, and from the end again where the stream is shorter than a window.
        for (size_t i = 0; length && i < 8; i++) {
            const size_t bit = length - 1 - i % length;
            window |= (segment[bit / 8 * columns + c] >> (7 - bit % 8) & 1u) << i;
        }
        opening[c] = (uint8_t)window;
    }
}

void bp_trellis_windows(const bp_trellis *m, size_t row, uint8_t *windows) {
    const trellis_group group = group_at(m, row / GROUP * GROUP);
    const size_t end = END(m->pair_bits, PHASE(m->pair_bits, row), row % GROUP) - 8, line = (end - 1) / 8;
    // The window ends inside the byte of this line, and begins in the one before.
    const uint8_t *last = group.codes + line * m->columns, *before = line ? last - m->columns : group.before;
    for (size_t c = 0; c < m->columns; c++)
        windows[c] = (uint8_t)((before[c] << 8 | last[c]) >> (8 * (line + 1) - end));
}

void bp_trellis_multiply(bp_isa isa, const bp_trellis *m, const uint8_t *prepared, size_t tokens, bp_part part, float *y) {
    if (HAS_NEON_DOT(isa)) bp_trellis_batch_neon_dot(m, prepared, tokens, part, y);
    else if (HAS_NEON(isa)) bp_trellis_batch_neon(m, prepared, tokens, part, y);
    else if (HAS_AVX512(isa) && tokens == 1) bp_trellis_token_avx512(m, prepared, part, y);
    else if (HAS_AVX2(isa) && tokens == 1) bp_trellis_token_avx2(m, prepared, part, y);
    else DISPATCH(isa, bp_trellis_batch, m, prepared, tokens, part, y);
}
