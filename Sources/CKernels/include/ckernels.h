#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>

// Products over packed weights. Every function has a reference twin; fast paths are chosen at run time.

#endif
