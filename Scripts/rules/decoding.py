"""The weights of a packed model as NumPy arrays, decoded apart from bitplan: its formats written again."""
import json
import math
import pathlib
import re
import struct
import sys

import numpy as np

from . import Refused

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "Scripts"))
from decode_codes import integers, signs  # noqa: E402

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I8": "i1", "U8": "u1"}
NORMAL_FLOAT = [
    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
]


def binary(parts, rows, columns, bits, group):
    """sum_i alpha_i b_i by row and group of columns."""
    alphas = parts["alphas"].reshape(rows, -1, bits).astype(np.float32)
    groups = np.arange(columns) // (group or columns)
    planes = signs(parts["signs"].tobytes(), bits, rows, columns)
    return sum(planes[i] * alphas[:, groups, i] for i in range(bits)).astype(np.float32)


def clustered(parts, rows, columns, codes):
    """Rows in clusters, `codes` being for each what decodes its parts, (parts, rows)."""
    decoded_rows = np.empty((rows, columns), np.float32)
    for i, decode in enumerate(codes):
        members = np.flatnonzero(parts["cluster"] == i)
        own = {name.removesuffix(f".{i}"): part for name, part in parts.items() if name.endswith(f".{i}")}
        decoded_rows[members] = decode(own, len(members))
    return decoded_rows


def symmetric(parts, rows, columns, bits, group):
    """scale (code - 2^(bits - 1))."""
    codes = integers(parts["codes"].tobytes(), bits, rows, columns) - (1 << (bits - 1))
    units = np.arange(columns) // (group or columns)
    return codes.astype(np.float32) * parts["scales"].reshape(rows, -1).astype(np.float32)[:, units]


def normal_float(parts, rows, columns, block, is_double):
    """A level times the scale of its block of consecutive weights."""
    if block % 32 == 0 and columns % block == 0:
        codes = integers(parts["codes"].tobytes(), 4, rows, columns).reshape(-1)
    else:
        codes = np.stack([parts["codes"] & 15, parts["codes"] >> 4], 1).reshape(-1)[:rows * columns]
    scales = parts["scales"].astype(np.float64)
    if is_double:
        steps = parts["scaleScales"].astype(np.float64)[np.arange(len(scales)) // 256]
        scales = steps * scales / 127 + parts["scaleMean"].astype(np.float64)
    levels = np.array(NORMAL_FLOAT, np.float32)[codes]
    return (levels * scales.astype(np.float32)[np.arange(rows * columns) // block]).reshape(rows, columns)


def trellis_table(pair):
    """The 256 levels of codes of so many bits a pair of weights, from the tables that the program is built with."""
    text = (ROOT / "Sources/Tensors/TrellisTables.swift").read_text()
    numbers = re.findall(r"high: \[([^]]*)\],\s*low: \[([^]]*)\],\s*offset: ([\d.]+), step: ([\d.]+)", text)
    high, low, offset, step = numbers[pair - 2]
    high, low = (np.array(half.split(","), np.float32) for half in (high, low))
    window = np.arange(256)
    return np.float32(step) * (high[window >> 4] + low[window & 15] - np.float32(offset))


def trellis(parts, rows, columns, pair):
    """scale times the level of the last 8 bits of the column's stream, which bites its tail; 256 rows a segment."""
    codes, table, start, decoded = parts["codes"].reshape(-1, columns), trellis_table(pair), 0, []
    for first in range(0, rows, 256):
        count = min(256, rows - first)
        end = start + -(-(count * pair // 2) // 8)
        stream = np.unpackbits(codes[start:end], axis=0)[:count * pair // 2]
        places = (np.arange(1, count + 1) * pair // 2 - 8)[:, None] + np.arange(8)
        windows = np.tensordot(1 << np.arange(7, -1, -1), stream[places % len(stream)], (0, 1))
        decoded.append(table[windows])
        start = end
    return np.concatenate(decoded) * parts["scales"].astype(np.float32)[:, None]


def decoded(scheme, parts, rows, columns):
    """(rows, columns) of a matrix from its stored parts.

    Raises `Refused` for a scheme that is none of the default candidates' families.
    """
    if match := re.fullmatch(r"bcq(\d)(?::g(\d+))?(:fp16)?", scheme):
        return binary(parts, rows, columns, int(match[1]), int(match[2] or 0))
    if match := re.fullmatch(r"int(\d)(?::g(\d+))?(:fp16)?", scheme):
        return symmetric(parts, rows, columns, int(match[1]), int(match[2] or 0))
    if match := re.fullmatch(r"nf4(?::b(\d+))?(:dq)?", scheme):
        return normal_float(parts, rows, columns, int(match[1] or 64), bool(match[2]))
    if match := re.fullmatch(r"emb(\d):r\d+(:fp16)?", scheme):
        return clustered(parts, rows, columns, [
            lambda own, count, bits=bits: binary(own, count, columns, bits, None) for bits in range(int(match[1]), 0, -1)])
    if match := re.fullmatch(r"tcq([1-4](?:\.5)?)-([1-4](?:\.5)?):r\d+", scheme):
        first, last = (int(2 * float(bits)) for bits in match.groups())
        return clustered(parts, rows, columns, [
            lambda own, count, pair=pair: trellis(own, count, columns, pair) for pair in range(first, last - 1, -2)])
    if match := re.fullmatch(r"tcq([1-4](?:\.5)?)", scheme):
        return trellis(parts, rows, columns, int(2 * float(match[1])))
    raise Refused(f"scheme {scheme}: expected bcq, int, nf4, emb or tcq, whose codes these rules can decode")


def tensors(file):
    """Yields name and elements, in one row, of every tensor of a file of safetensors."""
    data = file.read_bytes()
    length, = struct.unpack_from("<Q", data)
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            if entry["dtype"] not in TYPES:
                raise Refused(f"{file}: {name}: expected one of {', '.join(TYPES)}, got {entry['dtype']}")
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            yield name, np.frombuffer(data[start:end], TYPES[entry["dtype"]])


def weights(packed, parts, schemes, shapes):
    """Tensor to (rows, columns).

    packed: a packed directory; parts: those that `bitplan inspect --json` lists of it; schemes: tensor to
    scheme; shapes: tensor to (rows, columns).
    """
    stored, by_tensor = dict(tensors(packed / "model.safetensors")), {}
    for part in parts:
        tensor = next((t for t in shapes if part["name"].startswith(t + ".")), None)
        values = stored[part["type"]][part["offset"]:][:math.prod(part["shape"])]
        by_tensor.setdefault(tensor, {})[part["name"][len(tensor or "") + 1:]] = values
    return {tensor: decoded(schemes[tensor], by_tensor[tensor], *shape) for tensor, shape in shapes.items()}
