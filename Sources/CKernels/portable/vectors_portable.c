// The vector functions by vector extensions.
#include "../gradient_functions.h"

DEFINE_VECTORS(portable)

DEFINE_GRADIENTS(portable)

void bp_merge_portable(const uint8_t *which, size_t n, size_t list, const float *from, float *out) {
    merge(which, n, list, from, out);
}
