#!/usr/bin/env python3
"""Goldens of the quantizers: small inputs and what NumPy makes of them in double precision, from the papers' formulas.

    python3 Scripts/goldens/quantizers.py Tests/QuantizersTests/Goldens

Needs NumPy. The formulas are written out plainly, row by row, and share nothing with the package.
"""
import json
import pathlib
import sys

import numpy as np

NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
       0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
       0.7229568362236023, 1.0]


def sign(x):
    return np.where(x >= 0, 1.0, -1.0)


def least_squares(row, planes):
    return np.linalg.lstsq(np.stack(planes, 1), row, rcond=None)[0]


def greedy(row, bits):
    rest, total = row.copy(), np.zeros_like(row)
    for _ in range(bits):
        plane = sign(rest)
        total = total + np.abs(rest).mean() * plane
        rest = row - total
    return total


def refined(row, bits):
    planes, total = [], np.zeros_like(row)
    for _ in range(bits):
        planes.append(sign(row - total))
        total = np.stack(planes, 1) @ least_squares(row, planes)
    return total


def alternating(row, bits, steps=15):
    planes, total = [], np.zeros_like(row)
    for _ in range(bits):
        planes.append(sign(row - total))
        total = np.stack(planes, 1) @ least_squares(row, planes)
    for _ in range(steps):
        alphas = least_squares(row, planes)
        choices = np.array([[1.0 if code >> i & 1 else -1.0 for i in range(bits)] for code in range(2 ** bits)])
        nearest = np.abs(row[:, None] - (choices @ alphas)[None]).argmin(1)
        planes = list(choices[nearest].T)
    return np.stack(planes, 1) @ least_squares(row, planes)


def symmetric(row, bits):
    largest = 2 ** (bits - 1) - 1
    scale = np.abs(row).max() / largest
    return np.clip(np.rint(row / scale), -largest, largest) * scale


def asymmetric(row, bits):
    scale = (row.max() - row.min()) / (2 ** bits - 1)
    zero = np.rint(-row.min() / scale)
    return (np.clip(np.rint(row / scale) + zero, 0, 2 ** bits - 1) - zero) * scale


def grouped(matrix, width, function):
    return np.stack([np.concatenate([function(row[i:i + width]) for i in range(0, len(row), width)])
                     for row in matrix])


def nf4(matrix, double):
    flat, levels = matrix.ravel(), np.array(NF4)
    blocks = [flat[i:i + 64] for i in range(0, len(flat), 64)]
    scales = np.array([np.abs(block).max() for block in blocks])
    codes = [np.abs(block[:, None] / scale - levels[None]).argmin(1) for block, scale in zip(blocks, scales)]
    if double:
        mean = scales.mean()
        parts = [scales[i:i + 256] - mean for i in range(0, len(scales), 256)]
        scales = mean + np.concatenate([np.rint(127 * part / np.abs(part).max()) / 127 * np.abs(part).max()
                                        for part in parts])
    return np.concatenate([levels[code] * scale for code, scale in zip(codes, scales)]).reshape(matrix.shape)


def index8(matrix):
    low, high = matrix.min(), matrix.max()
    return (np.rint((matrix - low) * 255 / (high - low)) - 128 + 128) * (high - low) / 255 + low


def bitlinear(matrix, groups):
    bounds = [len(matrix) * g // groups for g in range(groups + 1)]
    return np.concatenate([np.where(part > part.mean(), 1, -1) * np.abs(part).mean()
                           for part in (matrix[a:b] for a, b in zip(bounds, bounds[1:]))])


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(2026)
    matrix = draw.normal(size=(7, 83)) * draw.uniform(0.02, 0.2, size=(7, 1))
    matrix[3] = draw.standard_t(3, size=83)
    matrix = matrix.astype(np.float32).astype(np.float64)
    rows = lambda function, *args: np.stack([function(row, *args) for row in matrix])
    cases = {}
    for bits in (1, 2, 3, 4):
        cases[f"bcq{bits}", "greedy"] = rows(greedy, bits)
        cases[f"bcq{bits}", "refined"] = rows(refined, bits)
        cases[f"bcq{bits}", "alternating"] = rows(alternating, bits)
    cases["bcq2:g24", "greedy"] = grouped(matrix, 24, lambda part: greedy(part, 2))
    for bits in (2, 3, 4, 8):
        cases[f"int{bits}", "greedy"] = rows(symmetric, bits)
        cases[f"int{bits}:asym", "greedy"] = rows(asymmetric, bits)
    cases["int3:g24:asym", "greedy"] = grouped(matrix, 24, lambda part: asymmetric(part, 3))
    cases["int4:tensor", "greedy"] = symmetric(matrix.ravel(), 4).reshape(matrix.shape)
    cases["nf4", "greedy"] = nf4(matrix, False)
    cases["nf4:dq", "greedy"] = nf4(matrix, True)
    cases["index8", "greedy"] = index8(matrix)
    cases["sign:mean", "greedy"] = np.where(matrix > 0, 1, -1) * np.abs(matrix).mean()
    cases["bitlinear", "greedy"] = bitlinear(matrix, 1)
    cases["bitlinear:3", "greedy"] = bitlinear(matrix, 3)
    cases["w8a8", "greedy"] = rows(symmetric, 8)
    np.save(folder / "weights.npy", matrix.astype(np.float32))
    np.save(folder / "decoded.npy", np.concatenate(list(cases.values())).astype(np.float32))
    manifest = {
        "made by": "Scripts/goldens/quantizers.py",
        "weights.npy": "7 x 83",
        "decoded.npy": "7 rows for each case, in this order",
        "cases": [{"scheme": scheme, "fit": fit} for scheme, fit in cases],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(len(cases), "cases in", folder)


if __name__ == "__main__":
    main()
