// What gives AMX tiles their sizes, as the processor reads it; palette is 1.
#ifndef TILES_H
#define TILES_H
#include <stdint.h>

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration;
#endif
