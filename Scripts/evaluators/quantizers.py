"""NumPy twins of bitplan's schemes, as `--fit greedy` encodes them: a matrix in, what its codes stand for out.

Written after the papers and the documentation of the schemes (Sources/Bitplan/Bitplan.docc/Schemes.md), not after the encoders:
the two check each other. Arithmetic is in double precision; scales are rounded to the type that they are stored in.
"""
import numpy as np

from bitplan_evaluator import Refused

# The values of NF4 (Dettmers et al. 2023).
NF4 = np.array([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0])


def stored(values, kind):
    """Values as they are stored: "fp16" or "fp32"."""
    return values.astype(np.float16 if kind == "fp16" else np.float32).astype(np.float64)


def grouped(matrix, group, function):
    """`function` of runs of `group` columns of a row, (runs, columns) at a time; a row's last run may be shorter."""
    rows, columns = matrix.shape
    result = np.empty_like(matrix)
    group = min(group, columns)
    whole = columns // group * group
    result[:, :whole] = function(matrix[:, :whole].reshape(-1, group)).reshape(rows, whole)
    if whole < columns:
        result[:, whole:] = function(matrix[:, whole:])
    return result


def binary_codes(matrix, bits, group, kind):
    """Planes of signs, each with the mean magnitude of what those before left over (Guo et al. 2017, algorithm 1)."""
    def fit(runs):
        rest, total = runs.copy(), np.zeros_like(runs)
        for _ in range(bits):
            signs = np.where(rest >= 0, 1.0, -1.0)
            alpha = stored(np.abs(rest).mean(1, keepdims=True), kind)
            rest -= alpha * signs
            total += alpha * signs
        return total
    return grouped(matrix, group or matrix.shape[1], fit)


def symmetric(matrix, bits, group, kind):
    """s = max |w| / Q, Q = 2^(bits - 1) - 1; the nearest integer of -Q to Q, half to even."""
    levels = 2 ** (bits - 1) - 1

    def fit(runs):
        scale = stored(np.abs(runs).max(1, keepdims=True) / levels, kind)
        scale = np.where(scale > 0, scale, 1)
        return scale * np.clip(np.rint(runs / scale), -levels, levels)
    return fit(matrix.reshape(1, -1)).reshape(matrix.shape) if group == "tensor" else grouped(
        matrix, group or matrix.shape[1], fit)


def normal_float(matrix):
    """Blocks of 64 numbers of the whole matrix: the nearest of 16 levels times the largest magnitude."""
    flat = matrix.reshape(-1)
    blocks = np.zeros(-(-flat.size // 64) * 64)
    blocks[:flat.size] = flat
    blocks = blocks.reshape(-1, 64)
    largest = stored(np.abs(blocks).max(1, keepdims=True), "fp32")
    codes = np.searchsorted((NF4[:-1] + NF4[1:]) / 2, blocks / np.where(largest > 0, largest, 1), side="left")
    return (NF4[codes] * largest).reshape(-1)[:flat.size].reshape(matrix.shape)


class SplitMix64:
    """Uniform numbers of [0, 1) from a seed (Steele, Lea and Flood 2014)."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2 ** 64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2 ** 64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2 ** 64
        return ((z ^ (z >> 31)) >> 11) * 2.0 ** -53


def plus_plus(points, count, seed):
    """`count` of the points, each drawn in proportion to the squared distance from those before (k-means++)."""
    random = SplitMix64(seed)
    chosen, distances = [int(random.uniform() * len(points))], np.full(len(points), np.inf)
    while True:
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(1))
        if len(chosen) == count:
            return points[chosen]
        sums = np.cumsum(distances)
        chosen.append(min(int(np.searchsorted(sums, random.uniform() * sums[-1], side="right")), len(points) - 1))


def nearest(points, centres):
    """The index of the nearest centre of every point, the first of equals."""
    return np.concatenate([((centres * centres).sum(1) - 2 * part @ centres.T).argmin(1)
                           for part in np.array_split(points, max(1, len(points) // 65536))])


def product_codes(matrix, block, count, kind, iterations=25):
    """Runs of `block` columns replaced by the nearest of `count` centres: Lloyd's k-means from k-means++ on as many as 256 runs
    a centre, evenly spaced. The end of a row that is cut short is padded with zeros."""
    rows, columns = matrix.shape
    padded = np.zeros((rows, -(-columns // block) * block))
    padded[:, :columns] = matrix
    points = padded.reshape(-1, block)
    different, first = np.unique(points, axis=0, return_index=True)
    if len(different) <= count:
        centres = points[np.sort(first)]
    else:
        limit = min(256 * count, len(points))
        training = points[np.arange(limit) * len(points) // limit]
        centres = plus_plus(training, min(count, limit), 0)
        for _ in range(iterations):
            chosen = nearest(training, centres)
            errors = ((training - centres[chosen]) ** 2).sum(1)
            counts = np.bincount(chosen, minlength=len(centres))
            sums = np.stack([np.bincount(chosen, training[:, place], len(centres)) for place in range(block)], 1)
            moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
            empty = np.flatnonzero(counts == 0)
            moved[empty] = training[np.argsort(-errors, kind="stable")[:len(empty)]]
            moved = stored(moved, "fp32")
            if np.array_equal(moved, centres):
                break
            centres = moved
    if kind == "int8":
        scale = float(stored(np.abs(centres).max(keepdims=True) / 127, "fp32").flat[0]) or 1.0
        centres = np.clip(np.rint(centres / scale), -127, 127) * scale
    else:
        centres = stored(centres, "fp16")
    return centres[nearest(points, centres)].reshape(rows, -1)[:, :columns]


def apply(matrix, scheme):
    """What a matrix becomes under a scheme, by the scheme's text form.

    Raises `Refused` for a scheme that has no twin here.
    """
    matrix = np.asarray(matrix, np.float64)
    name, *options = scheme.split(":")
    kind = "fp16" if "fp16" in options else "fp32"
    group = next((int(o[1:]) for o in options if o[0] == "g" and o[1:].isdigit()), None)
    known = {o for o in options if o == "fp16" or (o[0] == "g" and o[1:].isdigit())}
    if scheme in ("fp32", "fp16"):
        return stored(matrix, scheme)
    if name[:3] == "bcq" and name[3:].isdigit() and set(options) <= known:
        return binary_codes(matrix, int(name[3:]), group, kind)
    if name[:3] == "int" and name[3:].isdigit() and set(options) <= known | {"tensor"}:
        return symmetric(matrix, int(name[3:]), "tensor" if "tensor" in options else group, kind)
    if scheme == "nf4":
        return normal_float(matrix)
    if name == "pq" and len(options) in (2, 3) and options[0][0] == "b" and options[1][0] == "k":
        return product_codes(matrix, int(options[0][1:]), int(options[1][1:]), (options + ["fp16"])[2])
    raise Refused(f"scheme '{scheme}' has no twin in quantizers.py")
