"""Squared error of trellis codes on normal numbers by window, tables and segment, and what a product with one token takes by the way that
weights are looked up."""
import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
# Bits of a window, and how they are cut to look up in tables whose entries are added; None: one free table.
SUMS = {8: [4, 4], 10: [5, 5], 12: [6, 6]}
SIXTEENS = {10: [2, 4, 4], 12: [4, 4, 4]}
STARTS = {8: 8, 10: 3, 12: 1}
ITERATIONS = 12
pointer = ctypes.c_void_p


def compiled():
    folder = tempfile.mkdtemp()
    target = pathlib.Path(folder) / "windows.so"
    subprocess.run(["clang", "-O3", "-shared", "-fPIC", "-I", ROOT / "Sources/CKernels/include", "-o", target,
                    pathlib.Path(__file__).with_suffix(".c")], check=True)
    library = ctypes.CDLL(target)
    library.seconds.restype = ctypes.c_double
    return library


C = compiled()


def windows(bits, k, table, sequences):
    """The windows of the best paths of sequences (count, length)."""
    table, sequences = np.ascontiguousarray(table, np.float32), np.ascontiguousarray(sequences, np.float32)
    found = np.empty(sequences.shape, np.uint16)
    C.find_paths(bits, k, pointer(table.ctypes.data), pointer(sequences.ctypes.data),
                 ctypes.c_size_t(sequences.shape[0]), ctypes.c_size_t(sequences.shape[1]), pointer(found.ctypes.data))
    return found


def error(bits, k, table, sequences):
    return float(np.mean((sequences - table[windows(bits, k, table, sequences)]) ** 2))


def digits(cut):
    """Which numbers of all tables a window's level is the sum of: (windows, tables)."""
    all_windows, places, first, shift = np.arange(1 << sum(cut)), [], 0, sum(cut)
    for bits in cut:
        shift -= bits
        places.append(first + (all_windows >> shift & (1 << bits) - 1))
        first += 1 << bits
    return np.stack(places, 1)


def trained(bits, k, cut, random, train, choose):
    """The numbers of the tables: best paths and least squares by turns; the best of several starts."""
    places = digits(cut or [bits])
    count, best = places.max() + 1, (np.inf, None)
    rows = np.zeros((1 << bits, count), np.float32) if cut else None
    if cut:
        np.put_along_axis(rows, places, 1, 1)
    for _ in range(STARTS[bits] if cut else 1):
        numbers = random.standard_normal(count) / len(places[0]) ** 0.5
        for _ in range(ITERATIONS):
            paths = windows(bits, k, numbers[places].sum(1), train).reshape(-1)
            counts, totals = np.bincount(paths, minlength=1 << bits), np.bincount(paths, train.reshape(-1), 1 << bits)
            if cut:
                left = rows.T @ (rows * counts[:, None]) + 0.01 * np.eye(count)
                numbers = np.linalg.solve(left, rows.T @ totals + 0.01 * numbers)
            else:
                numbers = (totals + 0.01 * numbers) / (counts + 0.01)
        found = error(bits, k, numbers[places].sum(1), choose)
        if found < best[0]:
            best = found, numbers
    return best[1]


def whole(bits, k, cut, numbers, choose):
    """Numbers as bytes whose sums fit 7 bits: by several steps, the best one. -> whole numbers, levels"""
    places, edges = digits(cut), np.cumsum([0] + [1 << b for b in cut])
    tables = [numbers[a:b] for a, b in zip(edges, edges[1:])]
    most, best = 126 // len(cut), (np.inf,)
    for stretch in np.arange(1.0, 1.3, 0.05):
        step = max(np.ptp(table) for table in tables) / most * stretch
        units = np.concatenate([np.round((table - table.min()) / step) for table in tables])
        levels = step * units[places].sum(1) + sum(table.min() for table in tables)
        found = error(bits, k, levels, choose)
        if found < best[0]:
            best = found, units.astype(np.uint8), levels
    return best[1], best[2]


def scheme_table(pair):
    """The levels of the scheme's own table for so many bits of two weights."""
    text = (ROOT / "Sources/Tensors/TrellisTables.swift").read_text()
    found = re.findall(r"high: \[(.*?)\],\s+low: \[(.*?)\],\s+offset: (.*?), step: (.*?)\)", text)[pair - 2]
    high, low = (np.array(numbers.split(","), int) for numbers in found[:2])
    return float(found[3]) * ((high[:, None] + low[None, :]).reshape(-1) - float(found[2]))


def tables(keep):
    """The levels of every kind of table by "K/bits/kind", trained once and kept in the file `keep`."""
    if keep.exists():
        return dict(np.load(keep))
    result = {}
    for k in range(1, 5):
        result[f"{k}/8/scheme"] = scheme_table(2 * k)
        for bits in SUMS:
            random = np.random.default_rng(100 * k + bits)
            train, choose = random.standard_normal((200, 256)), random.standard_normal((200, 256))
            for kind, cut in [("two", SUMS[bits]), ("sixteens", SIXTEENS.get(bits))]:
                if cut and (bits, kind) != (8, "two"):
                    units, levels = whole(bits, k, cut, trained(bits, k, cut, random, train, choose), choose)
                    result[f"{k}/{bits}/{kind}"], result[f"{k}/{bits}/{kind}/units"] = levels, units
            more = random.standard_normal((800, 256)) if bits == 12 else train
            result[f"{k}/{bits}/free"] = trained(bits, k, None, random, more, choose)
            print(f"trained: {k} bits, windows of {bits}", flush=True, file=sys.stderr)
    np.savez(keep, **result)
    return result


KINDS = [("8", "scheme", "the scheme's: 16 + 16"), ("8", "free", "free: 256"), ("10", "two", "32 + 32"), ("10", "sixteens", "4 + 16 + 16"),
         ("10", "free", "free: 1,024"), ("12", "two", "64 + 64"), ("12", "sixteens", "16 + 16 + 16"), ("12", "free", "free: 4,096")]


def print_windows(found):
    test = np.random.default_rng(1).standard_normal((1000, 256))
    print("| window, bits | tables | 1 bit | 2 bits | 3 bits | 4 bits | encoding, us a weight at 3 bits |\n|---|---|---:|---:|---:|---:|---:|")
    base = None
    for bits, kind, name in KINDS:
        errors = []
        for k in range(1, 5):
            start = time.process_time()
            errors.append(error(int(bits), k, found[f"{k}/{bits}/{kind}"], test))
            if k == 3:
                taken = (time.process_time() - start) / test.size * 1e6
        base = base or errors
        cells = [f"{e:.5f} ({100 * (e / b - 1):+.1f}%)" if errors is not base else f"{e:.5f}" for e, b in zip(errors, base)]
        print(f"| {bits} | {name} | {' | '.join(cells)} | {taken:.2f} |", flush=True)


def print_segments(found):
    print("| window, bits | rows of a segment | 1 bit | 2 bits | 3 bits | 4 bits | encoding, us a weight at 3 bits |\n|---|---:|---:|---:|---:|---:|---:|")
    flat = np.random.default_rng(2).standard_normal(1 << 18)
    for bits, kind in [("8", "scheme"), ("12", "sixteens")]:
        for rows in (64, 128, 256, 512):
            cells = []
            for k in range(1, 5):
                start = time.process_time()
                cells.append(f"{error(int(bits), k, found[f'{k}/{bits}/{kind}'], flat.reshape(-1, rows)):.5f}")
                if k == 3:
                    taken = (time.process_time() - start) / flat.size * 1e6
            print(f"| {bits} | {rows} | {' | '.join(cells)} | {taken:.2f} |", flush=True)


# A row's way to look up in windows.c, what it is, its window and how that is cut.
WAYS = [(0, "16 + 16 (the scheme's)", [4, 4]), (1, "16 + 16 + 16", [4, 4, 4]), (2, "32 + 32", [5, 5]), (3, "64 + 64", [6, 6]),
        (8, "gathers of 256", None), (12, "gathers of 4,096", None)]


def expected(k, bits, levels, codes, rows, columns, x):
    """The sums of the first 8 rows, by plain NumPy."""
    lines = codes[:(k + 2) * columns].reshape(k + 2, columns)
    stream = np.unpackbits(lines, axis=0)
    sums = []
    for r in range(8):
        end = 16 + (r + 1) * k
        window = (1 << np.arange(bits)[::-1]) @ stream[end - bits:end].astype(int)
        sums.append(int(levels[window] @ x.astype(int)))
    return sums


def print_products():
    rows, columns, count = 2048, 512, 24
    random = np.random.default_rng(3)
    codes = random.integers(0, 256, (rows // 8 * 4 * count + 2) * columns, dtype=np.uint8)
    x, y = random.integers(-127, 128, columns, dtype=np.int8), np.empty(rows, np.int32)
    print("| tables | look-ups of 32 weights | 2 bits, G weights/s | 3 bits | 4 bits |\n|---|---|---:|---:|---:|")
    lookups = {0: "2 pshufb", 1: "3 pshufb", 2: "4 pshufb, 2 blends", 3: "8 pshufb, 6 blends", 8: "4 gathers", 12: "4 gathers"}
    speeds = {}
    for k in (2, 3, 4):
        for way, _, cut in WAYS:
            bits = sum(cut) if cut else way
            entries, table = np.zeros(128, np.uint8), np.zeros(4096, np.int32)
            if cut:
                places, units = digits(cut), random.integers(0, 126 // len(cut) + 1, sum(1 << b for b in cut))
                entries[:len(units)], levels = units, units[places].sum(1)
            else:
                table[:] = levels = random.integers(0, 127, 4096)
            arguments = [ctypes.c_int(k), ctypes.c_int(way), pointer(codes.ctypes.data), pointer(entries.ctypes.data), pointer(table.ctypes.data),
                         ctypes.c_size_t(rows), ctypes.c_size_t(columns)]
            ends = [pointer(x.ctypes.data), pointer(y.ctypes.data)]
            C.multiply(*arguments, *ends)
            assert list(y[:8]) == expected(k, bits, levels, codes, rows, columns, x), (k, way)
            seconds = C.seconds(*arguments, ctypes.c_size_t(count), ctypes.c_size_t(40), *ends)
            speeds[k, way] = rows * columns / seconds / 1e9
    for way, name, _ in WAYS:
        print(f"| {name} | {lookups[way]} | {speeds[2, way]:.1f} | {speeds[3, way]:.1f} | {speeds[4, way]:.1f} |")
