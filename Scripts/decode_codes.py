#!/usr/bin/env python3
"""Reads bitplan's stored order of codes with numpy: Sources/Kernels/InterleavedRows.swift, written again independently.

`plain_order` undoes the interleaving of any part; `signs` and `integers` show two parts decoded to the end. Run alone it
checks the goldens that it is given: files of a line "planes rows row_bytes", the plain bytes, then the stored ones.
"""
import sys

import numpy as np


def plain_order(stored, planes, rows, row_bytes):
    """Stored bytes -> (planes, rows, row_bytes)."""
    words, tail = row_bytes // 4, row_bytes % 4
    height = 64 if planes <= 2 else 32 if planes <= 4 else 16
    stored, at, plain = np.frombuffer(stored, np.uint8), 0, np.empty((planes, rows, row_bytes), np.uint8)
    for start in range(0, rows, height):
        n = min(height, rows - start)
        block = stored[at:at + words * planes * n * 4].reshape(words, planes, n, 4)
        plain[:, start:start + n, :4 * words] = block.transpose(1, 2, 0, 3).reshape(planes, n, 4 * words)
        at += block.size
    plain[:, :, 4 * words:] = stored[at:].reshape(planes, rows, tail)
    return plain


def signs(stored, bits, rows, columns):
    """A `signs` part -> (bits, rows, columns) in {-1, +1}."""
    plain = plain_order(stored, bits, rows, -(-columns // 8))
    return np.unpackbits(plain, axis=2, bitorder="little")[:, :, :columns].astype(np.int8) * 2 - 1


def integers(stored, bits, rows, columns):
    """A `codes` part of an integer scheme -> (rows, columns) in 0 .. 2^bits - 1."""
    plain = plain_order(stored, 1, rows, -(-columns * bits // 8))[0]
    each = np.unpackbits(plain, axis=1, bitorder="little")[:, :columns * bits].reshape(rows, columns, bits)
    return (each.astype(np.int64) << np.arange(bits)).sum(2)


if __name__ == "__main__":
    for path in sys.argv[1:]:
        header, body = open(path, "rb").read().split(b"\n", 1)
        planes, rows, row_bytes = map(int, header.split())
        half = planes * rows * row_bytes
        assert plain_order(body[half:], planes, rows, row_bytes).tobytes() == body[:half], path
        print(f"{path}: {planes} planes of {rows} x {row_bytes} bytes agree")
