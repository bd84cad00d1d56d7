#!/usr/bin/env python3
"""Writes Tests/KernelsTests/Goldens/interleaved-*.bin: plain bytes and the stored order that the format's text describes.

The order is made here element by element from that text, not with the reader in decode_codes.py nor with our C code.
"""
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2] / "Tests/KernelsTests/Goldens"
ROOT.mkdir(parents=True, exist_ok=True)
generator = np.random.default_rng(1)
for planes, rows, row_bytes in [(1, 1, 1), (1, 70, 9), (2, 130, 8), (3, 33, 7), (4, 64, 12), (5, 17, 5), (8, 40, 6)]:
    plain = generator.integers(0, 256, (planes, rows, row_bytes), np.uint8)
    height = 64 if planes <= 2 else 32 if planes <= 4 else 16
    stored = bytearray()
    for start in range(0, rows, height):
        for word in range(row_bytes // 4):
            for plane in range(planes):
                for row in range(start, min(start + height, rows)):
                    stored += plain[plane, row, 4 * word:4 * word + 4].tobytes()
    for plane in range(planes):
        for row in range(rows):
            stored += plain[plane, row, row_bytes // 4 * 4:].tobytes()
    path = ROOT / f"interleaved-{planes}x{rows}x{row_bytes}.bin"
    path.write_bytes(f"{planes} {rows} {row_bytes}\n".encode() + plain.tobytes() + bytes(stored))
