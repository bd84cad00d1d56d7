"""NumPy twins of bitplan's schemes, as `--fit greedy` encodes them: a matrix in, what its codes stand for out.

Written after the papers and the documentation of the schemes (Sources/Bitplan/Bitplan.docc/Schemes.md), not after the encoders:
the two check each other. Arithmetic is in double precision; scales are rounded to the type that they are stored in. The paths of
trellis codes are those that Scripts/torch/bitplan_torch finds, which needs PyTorch.
"""
import pathlib
import re
import sys

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


def asymmetric(matrix, bits, group, kind):
    """s = (max - min) / (2^bits - 1), z = round(-min / s); codes 0 to 2^bits - 1 stand for s (code - z). A constant is exact."""
    highest, exact = 2 ** bits - 1, 2.0 ** 23 if kind == "fp32" else 2000

    def fit(runs):
        low, high = runs.min(1, keepdims=True), runs.max(1, keepdims=True)
        # A range that is narrow and far from zero gets a wider step, so that its zero point is exact.
        step = np.maximum((high - low) / highest, np.maximum(np.abs(low), np.abs(high)) / exact)
        scale = stored(np.where(high > low, step, np.where(low == 0, 1, np.abs(low))), kind)
        zero = np.where(high > low, np.rint(-low / scale), -np.sign(low))
        return scale * (np.clip(np.rint(runs / scale) + zero, 0, highest) - zero)
    return fit(matrix.reshape(1, -1)).reshape(matrix.shape) if group == "tensor" else grouped(
        matrix, group or matrix.shape[1], fit)


def blocks_of(flat, size):
    """Runs of `size` numbers, the last one filled up with zeros: (runs, size)."""
    return np.pad(flat, (0, -flat.size % size)).reshape(-1, size)


def normal_float(matrix, block, doubly):
    """Blocks of numbers of the whole matrix: the nearest of 16 levels times the largest magnitude. Doubly quantized, these less
    their mean are 127ths of the largest of 256 of them; codes are chosen before."""
    blocks = blocks_of(matrix.reshape(-1), block)
    largest = stored(np.abs(blocks).max(1, keepdims=True), "fp32")
    codes = np.searchsorted((NF4[:-1] + NF4[1:]) / 2, blocks / np.where(largest > 0, largest, 1), side="left")
    codes[largest[:, 0] == 0] = 7
    if doubly:
        mean = stored(largest.mean(keepdims=True), "fp32")
        rest = (largest - mean).reshape(-1)
        scale = stored(np.abs(blocks_of(rest, 256)).max(1, keepdims=True), "fp32")
        units = np.clip(np.rint(127 * blocks_of(rest, 256) / np.where(scale > 0, scale, 1)), -127, 127)
        largest = stored((scale * units / 127).reshape(-1)[:rest.size, None] + mean, "fp32")
    return (NF4[codes] * largest).reshape(-1)[:matrix.size].reshape(matrix.shape)


def indices(matrix):
    """255 steps from the least number to the greatest."""
    low, high = matrix.min(), matrix.max()
    return low + (high - low) / 255 * np.rint((matrix - low) * (255 / (high - low))) if high > low else matrix


def signs(matrix, centre=0.0):
    """+1 above the centre, else -1."""
    return np.where(matrix > centre, 1.0, -1.0)


def centred_signs(matrix, groups):
    """Signs of what groups of rows have above their mean, times their mean magnitude."""
    edges = [len(matrix) * g // groups for g in range(groups + 1)]
    rows = [matrix[first:last] for first, last in zip(edges, edges[1:]) if last > first]
    return np.concatenate([stored(np.abs(part).mean(keepdims=True), "fp32") * signs(part, part.mean()) for part in rows])


def clustered_codes(matrix, codes, ratio, frequencies):
    """Rows by falling frequency, once being as good as never, cut in clusters that each have `ratio` times the rows of the one before.

    codes: for each cluster what its rows become, in their own order.
    """
    counts = np.ones(len(matrix)) if frequencies is None else np.maximum(1, np.asarray(frequencies))
    weights = np.cumsum(float(ratio) ** np.arange(len(codes)))
    edges = np.floor(len(matrix) * weights / weights[-1] + 0.5).astype(int)
    result = np.empty_like(matrix)
    for quantize, rows in zip(codes, np.split(np.argsort(-counts, kind="stable"), edges[:-1])):
        if len(rows):
            result[np.sort(rows)] = quantize(matrix[np.sort(rows)])
    return result


def trellis_segments(codes, parts):
    """What segments of as many rows become, (segments, rows, columns), none of which knows of the others: scales start at the root
    mean squares of rows; the best path of every column and the scales by least squares follow each other in three rounds, and as
    long as the error falls below 0.9 of the last one's; the best round is taken."""
    import torch

    def half(values):
        return torch.tensor(stored(values.numpy(), "fp16"))

    def beside(values):
        return values.permute(1, 0, 2).flatten(1).float()
    levels, scales = codes.table.double(), half(parts.square().mean(2, keepdim=True).sqrt())
    result, least = torch.zeros_like(parts), torch.full((len(parts),), torch.inf, dtype=torch.float64)
    live = torch.arange(len(parts))
    for done in range(16):
        part = parts[live]
        paths = codes.paths(beside(part), beside(scales[live].expand_as(part))).long()
        chosen = levels[paths].view(part.shape[1], len(live), -1).permute(1, 0, 2)
        cross, square = (chosen * part).sum(2, keepdim=True), chosen.square().sum(2, keepdim=True)
        solved = half((cross / square.clamp(min=1e-300)).clamp(max=65504))
        scales[live] = torch.where((cross > 0) & (square > 0), solved, scales[live])
        last, error = least[live], (part - scales[live] * chosen).square().sum((1, 2))
        better = error < last
        result[live[better]] = (scales[live] * chosen)[better]
        least[live] = torch.minimum(error, last)
        if done >= 2:
            live = live[least[live] <= 0.9 * last]
        if not len(live):
            break
    return result


def trellis_codes(matrix, pair, rotates):
    """Two successive rows have `pair` bits. Segments of 256 rows, the last one of the rest, by paths of levels down the columns."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "torch"))
    import torch
    from bitplan_torch.trellis import TrellisCodes
    (rows, columns), whole = matrix.shape, len(matrix) // 256 * 256
    none = {"codes": torch.zeros(rows * pair // 16 + 2, columns, dtype=torch.uint8), "scales": torch.ones(rows)}
    codes = TrellisCodes(rows, columns, none, pair, False, rotates)
    weights = codes.rotated(torch.tensor(matrix, dtype=torch.float32)).double()
    found = [trellis_segments(codes, part).flatten(0, 1)
             for part in [weights[:whole].reshape(-1, 256, columns), weights[whole:][None]] if part.numel()]
    weights = torch.cat(found)
    return (weights if codes.signs is None else codes.hadamard(weights) * codes.signs.double()).numpy()


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
                           for part in np.array_split(points, max(1, len(points) // 2048))])


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


def activations(scheme):
    """How a scheme quantizes what its matrix is multiplied with, by bitplan_torch's names; None where it does not."""
    name, *options = scheme.split(":")
    if name == "pq":
        return "w8a8" if "a8" in options else None
    return name if name in ("sign", "bitlinear", "w8a8") else None


def apply(matrix, scheme, frequencies=None):
    """What a matrix becomes under a scheme, by the scheme's text form.

    frequencies: how often each row is looked up, where rows are tokens.
    Raises `Refused` for a scheme that has no twin here.
    """
    matrix = np.asarray(matrix, np.float64)
    name, *options = scheme.split(":")
    kind = "fp16" if "fp16" in options else "fp32"
    numbers = {o[0]: int(o[1:]) for o in options if o[1:].isdigit()}
    group = "tensor" if "tensor" in options else numbers.get("g")
    stem, digits = name.rstrip("0123456789"), name[len(name.rstrip("0123456789")):]
    words = {o for o in options if not o[1:].isdigit()}

    def has(known_words, known_numbers=""):
        return words <= set(known_words) and set(numbers) <= set(known_numbers)
    if scheme in ("fp32", "fp16"):
        return stored(matrix, scheme)
    if stem == "bcq" and digits and has({"fp16"}, "g"):
        return binary_codes(matrix, int(digits), group, kind)
    if stem == "emb" and digits and has({"fp16"}, "r"):
        codes = [lambda rows, bits=bits: binary_codes(rows, bits, None, kind) for bits in range(int(digits), 0, -1)]
        return clustered_codes(matrix, codes, numbers.get("r", 1), frequencies)
    if stem == "int" and digits and has({"fp16", "tensor", "asym"}, "g"):
        return (asymmetric if "asym" in words else symmetric)(matrix, int(digits), group, kind)
    if name == "nf4" and has({"dq"}, "b"):
        return normal_float(matrix, numbers.get("b", 64), "dq" in words)
    if name == "pq" and has({"int8", "fp16", "a8"}, "bk") and {"b", "k"} <= set(numbers):
        return product_codes(matrix, numbers["b"], numbers["k"], "int8" if "int8" in words else "fp16")
    if (ends := re.fullmatch(r"tcq([1-4](?:\.5)?)-([1-4](?:\.5)?)", name)) and has(set(), "r"):
        first, last = (int(2 * float(bits)) for bits in ends.groups())
        codes = [lambda rows, pair=pair: trellis_codes(rows, pair, False) for pair in range(first, last - 1, -2)]
        return clustered_codes(matrix, codes, numbers.get("r", 1), frequencies)
    if re.fullmatch(r"tcq[1-4](\.5)?", name) and name != "tcq4.5" and has({"c", "h"}):
        return trellis_codes(matrix, int(2 * float(name[3:])), "h" in words)
    if scheme == "index8":
        return indices(matrix)
    if scheme == "w8a8":
        return symmetric(matrix, 8, None, "fp32")
    if name == "sign" and has({"mean"}):
        return signs(matrix) * (stored(np.abs(matrix).mean(keepdims=True), "fp32") if "mean" in words else 1)
    if name == "bitlinear" and all(o.isdigit() for o in options) and len(options) < 2:
        return centred_signs(matrix, int(options[0]) if options else 1)
    raise Refused(f"scheme '{scheme}' has no twin in quantizers.py")
