// The best path of a sequence through a trellis code's windows (Viterbi), which bites its tail.
//
// A path whose last window has the low bits f starts from windows with these low bits, so one search finds
// the best path of one f. Which f is good shows a search over the weights around the seam alone: a window
// forgets its past after 8 bits, and the best path after a few times as many. For a short sequence all f are
// tried; some may have no path where it is shorter than a window.
#include "trellis_path.h"
#include <math.h>

// Before and behind the seam the closing bits are found from SEAM bits: 16 windows, from which errors are
// within a thousandth of those of a run over all weights. SHORT: weights of a short sequence.
enum { SEAM = 128, SHORT = 16 };

// Follows the choices back from the window behind the last weight; returns the window before the first.
static size_t trace_back(size_t pair, const uint8_t *second, const uint8_t *choices, size_t from, size_t to,
                         size_t window, uint8_t *windows) {
    for (size_t t = to; t-- > from;) {
        const size_t bits = BITS_OF(pair, second[t]), through = window >> bits;
        if (windows) windows[t] = (uint8_t)window;
        window = through + choices[t * BEFORE(pair) + through] * (TRELLIS_WINDOWS >> bits);
    }
    return window;
}

// The low bits of the last window of the best path over the weights around the seam.
static size_t closing_bits(bp_isa isa, size_t pair, const float *table, const float *targets, const float *factors,
                           size_t count) {
    float costs[TRELLIS_WINDOWS] = {0}, turned[2 * SEAM], scales[2 * SEAM];
    uint8_t choices[2 * SEAM * TRELLIS_WINDOWS / 2], second[2 * SEAM];
    // As many whole turns back as it takes to count up from there.
    const size_t seam = 2 * SEAM / pair, start = (seam / count + 1) * count - seam;
    for (size_t t = 0; t < 2 * seam; t++) {
        turned[t] = targets[(start + t) % count];
        scales[t] = factors[(start + t) % count];
        second[t] = (start + t) % count % 2;
    }
    DISPATCH(isa, bp_trellis_search, pair, second, table, turned, scales, 2 * seam, costs, choices);
    size_t best = 0;
    for (size_t s = 1; s < TRELLIS_WINDOWS; s++)
        if (costs[s] < costs[best]) best = s;
    return trace_back(pair, second, choices, seam, 2 * seam, best, 0) & (BEFORE(pair) - 1);
}

void bp_trellis_path(bp_isa isa, size_t pair_bits, const float table[256], const float *targets, const float *factors,
                     size_t count, uint8_t *windows) {
    const size_t before = BEFORE(pair_bits);
    float costs[TRELLIS_WINDOWS], least = INFINITY;
    uint8_t choices[BP_TRELLIS_ROWS * TRELLIS_WINDOWS / 2], path[BP_TRELLIS_ROWS], second[BP_TRELLIS_ROWS];
    memset(windows, 0, count);
    if (!count) return;
    for (size_t t = 0; t < count; t++) second[t] = t % 2;
    const int is_short = count <= SHORT;
    const size_t first = is_short ? 0 : closing_bits(isa, pair_bits, table, targets, factors, count);
    for (size_t closing = first; closing < (is_short ? before : first + 1); closing++) {
        for (size_t s = 0; s < TRELLIS_WINDOWS; s++) costs[s] = (s & (before - 1)) == closing ? 0 : INFINITY;
        DISPATCH(isa, bp_trellis_search, pair_bits, second, table, targets, factors, count, costs, choices);
        size_t best = closing;
        for (size_t s = closing; s < TRELLIS_WINDOWS; s += before)
            if (costs[s] < costs[best]) best = s;
        trace_back(pair_bits, second, choices, 0, count, best, path);
        float cost = costs[best] < INFINITY ? 0 : INFINITY;
        for (size_t t = 0; t < count; t++) {
            const float rest = targets[t] - factors[t] * table[path[t]];
            cost += rest * rest;
        }
        if (cost < least) {
            memcpy(windows, path, count);
            least = cost;
        }
    }
}

// What a path costs under the quadratic form; infinite where there is none.
static float coupled_cost(const float *table, const float *targets, const float *factors, const float *importance,
                          const float *coupling, size_t stride, size_t count, const uint8_t *path) {
    float asked[BP_TRELLIS_ROWS] = {0}, cost = 0;
    for (size_t t = 0; t < count; t++) {
        const float error = targets[t] - factors[t] * table[path[t]], rest = error + asked[t];
        cost += importance[t] * (rest * rest);
        for (size_t j = t + 1; j < count; j++) asked[j] += error * coupling[t * stride + j];
    }
    return cost;
}

void bp_trellis_coupled_path(bp_isa isa, size_t pair_bits, const float table[256], const float *targets,
                             const float *factors, const float *importance, const float *coupling, size_t stride,
                             size_t count, float *room, uint8_t *windows) {
    const size_t before = BEFORE(pair_bits);
    float costs[TRELLIS_WINDOWS], least = INFINITY, turned[BP_TRELLIS_ROWS], scales[BP_TRELLIS_ROWS];
    uint8_t choices[BP_TRELLIS_ROWS * TRELLIS_WINDOWS / 2], path[BP_TRELLIS_ROWS], second[BP_TRELLIS_ROWS];
    memset(windows, 0, count);
    if (!count) return;
    for (size_t t = 0; t < count; t++) second[t] = t % 2;
    for (size_t t = 0; t < count; t++) {
        const float root = sqrtf(importance[t]);
        turned[t] = root * targets[t];
        scales[t] = root * factors[t];
    }
    const int is_short = count <= SHORT;
    const size_t first = is_short ? 0 : closing_bits(isa, pair_bits, table, turned, scales, count);
    for (size_t closing = first; closing < (is_short ? before : first + 1); closing++) {
        for (size_t s = 0; s < TRELLIS_WINDOWS; s++) costs[s] = (s & (before - 1)) == closing ? 0 : INFINITY;
        DISPATCH(isa, bp_trellis_coupled_search, pair_bits, second, table, targets, factors, importance, coupling, stride,
                 count, room, costs, choices);
        size_t best = closing;
        for (size_t s = closing; s < TRELLIS_WINDOWS; s += before)
            if (costs[s] < costs[best]) best = s;
        if (!(costs[best] < INFINITY)) continue;
        trace_back(pair_bits, second, choices, 0, count, best, path);
        const float cost = coupled_cost(table, targets, factors, importance, coupling, stride, count, path);
        if (cost < least) {
            memcpy(windows, path, count);
            least = cost;
        }
    }
}
