"""Writes Tests/PlanFormatTests/Goldens/scheme_sizes.json: bytes of packed matrices by closed formulas, one a family.

The schemes are written down here by their parameters, apart from their text forms, so that nothing of ours is asked.
"""

import json
import pathlib

SHAPES = [(1, 1), (3, 5), (63, 65), (17, 200), (0, 8), (300, 20), (512, 2048)]
HALF = {True: 2, False: 4}


def ceil(value, divisor):
    return -(-value // divisor)


def full(size):
    return lambda rows, columns: rows * columns * size


def binary(bits, group=None, half=False):
    def size(rows, columns):
        groups = ceil(columns, group) if group else 1
        return bits * rows * (ceil(columns, 8) + HALF[half] * groups)

    return size


def clusters_of(codes, ratio):
    """`codes`: the size of each cluster's codes."""

    def size(rows, columns):
        weights = [float(ratio) ** i for i in range(len(codes))]
        # Boundaries to nearest, halves away from zero.
        bounds = [int(rows * sum(weights[: i + 1]) / sum(weights) + 0.5) for i in range(len(codes))]
        counts = [bounds[0]] + [bounds[i] - bounds[i - 1] for i in range(1, len(codes))]
        return rows + sum(size(count, columns) for size, count in zip(codes, counts))

    return size


def clustered(clusters, ratio, half=False):
    return clusters_of([binary(bits, None, half) for bits in range(clusters, 0, -1)], ratio)


def integer(bits, unit="row", asymmetric=False, half=False):
    def size(rows, columns):
        units = {"tensor": 1, "row": rows}.get(unit)
        if units is None:
            units = rows * ceil(columns, unit)
        return rows * ceil(columns * bits, 8) + units * HALF[half] * (1 + asymmetric)

    return size


def normal_float(block=64, double=False):
    def size(rows, columns):
        blocks = ceil(rows * columns, block)
        codes = ceil(rows * columns, 2)
        return codes + (blocks + 4 * ceil(blocks, 256) + 4 if double else 4 * blocks)

    return size


def product(block, centroids, int8=False):
    def size(rows, columns):
        bits = max(1, (centroids - 1).bit_length())
        book = centroids * block + 4 if int8 else 2 * centroids * block
        return ceil(rows * ceil(columns, block) * bits, 8) + book

    return size


def trellis(bits, column_scales=False):
    def size(rows, columns):
        streams = sum(ceil(int(min(256, rows - first) * bits), 8) for first in range(0, rows, 256))
        return streams * columns + 2 * rows + 2 * columns * column_scales

    return size


def signs(scales):
    return lambda rows, columns: rows * ceil(columns, 8) + 4 * scales


SCHEMES = {
    "fp32": full(4),
    "fp16": full(2),
    "bcq1": binary(1),
    "bcq3": binary(3),
    "bcq8": binary(8),
    "bcq2:g64": binary(2, 64),
    "bcq3:g20": binary(3, 20),
    "bcq2:fp16": binary(2, half=True),
    "bcq3:g64:fp16": binary(3, 64, True),
    "emb1:r1": clustered(1, 1),
    "emb4:r1": clustered(4, 1),
    "emb4:r4": clustered(4, 4),
    "emb3:r2:fp16": clustered(3, 2, True),
    "int2": integer(2),
    "int3": integer(3),
    "int4": integer(4),
    "int8": integer(8),
    "int5:tensor": integer(5, "tensor"),
    "int4:g24": integer(4, 24),
    "int3:asym": integer(3, asymmetric=True),
    "int4:fp16": integer(4, half=True),
    "int3:asym:fp16": integer(3, asymmetric=True, half=True),
    "int6:tensor:asym": integer(6, "tensor", True),
    "int4:g64:asym:fp16": integer(4, 64, True, True),
    "nf4": normal_float(),
    "nf4:dq": normal_float(double=True),
    "nf4:b32": normal_float(32),
    "nf4:b50:dq": normal_float(50, True),
    "pq:b4:k256": product(4, 256),
    "pq:b8:k16": product(8, 16),
    "pq:b8:k256:int8": product(8, 256, True),
    "pq:b8:k256:int8:a8": product(8, 256, True),
    "pq:b3:k5": product(3, 5),
    "pq:b9:k2": product(9, 2),
    "tcq1": trellis(1),
    "tcq2.5": trellis(2.5),
    "tcq3": trellis(3),
    "tcq2:c": trellis(2, True),
    "tcq4:h": trellis(4),
    "tcq4-2:r4": clusters_of([trellis(4), trellis(3), trellis(2)], 4),
    "tcq3.5-2.5:r1": clusters_of([trellis(3.5), trellis(2.5)], 1),
    "index8": lambda rows, columns: rows * columns + 8,
    "sign": signs(0),
    "sign:mean": signs(1),
    "bitlinear": signs(1),
    "bitlinear:4": signs(4),
    "w8a8": lambda rows, columns: rows * columns + 4 * rows,
}

if __name__ == "__main__":
    target = pathlib.Path(__file__).parents[2] / "Tests/PlanFormatTests/Goldens/scheme_sizes.json"
    target.parent.mkdir(exist_ok=True)
    lines = [f'  "{name}": {[size(*shape) for shape in SHAPES]}' for name, size in SCHEMES.items()]
    shapes = [list(shape) for shape in SHAPES]
    target.write_text(f'{{\n  "shapes": {shapes},\n' + ",\n".join(lines) + "\n}\n")
    json.loads(target.read_text())
