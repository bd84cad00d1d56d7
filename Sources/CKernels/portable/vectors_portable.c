// The vector functions by vector extensions.
#include "../gradient_functions.h"

DEFINE_VECTORS(portable)

DEFINE_GRADIENTS(portable)
