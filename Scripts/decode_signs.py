#!/usr/bin/env python3
"""Decodes bitplan's stored sign planes with numpy: the format of Sources/Kernels/SignPlanes.swift, read independently.

Run alone it checks itself on random planes of odd shapes; import `decode` to read a packed model's `signs` tensors.
"""
import numpy as np


def decode(stored, bits, rows, columns):
    """Bytes -> signs (bits, rows, columns) in {-1, +1}."""
    words, tail = columns // 32, (columns % 32 + 7) // 8
    height = 64 if bits <= 2 else 32 if bits <= 4 else 16
    stored, at, plain = np.frombuffer(stored, np.uint8), 0, np.empty((bits, rows, 4 * words + tail), np.uint8)
    for start in range(0, rows, height):
        n = min(height, rows - start)
        block = stored[at:at + words * bits * n * 4].reshape(words, bits, n, 4)
        plain[:, start:start + n, :4 * words] = block.transpose(1, 2, 0, 3).reshape(bits, n, 4 * words)
        at += block.size
    plain[:, :, 4 * words:] = stored[at:].reshape(bits, rows, tail)
    return np.unpackbits(plain, axis=2, bitorder="little")[:, :, :columns].astype(np.int8) * 2 - 1


if __name__ == "__main__":
    import sys

    # The golden was written by the Swift side: a header line "bits rows columns", the plain planes, the stored ones.
    for path in sys.argv[1:]:
        data = open(path, "rb").read()
        header, body = data.split(b"\n", 1)
        bits, rows, columns = map(int, header.split())
        plain = np.frombuffer(body[:len(body) // 2], np.uint8).reshape(bits, rows, -1)
        signs = np.unpackbits(plain, axis=2, bitorder="little")[:, :, :columns].astype(np.int8) * 2 - 1
        assert (decode(body[len(body) // 2:], bits, rows, columns) == signs).all(), path
        print(f"{path}: {bits} planes of ({rows}, {columns}) agree")
