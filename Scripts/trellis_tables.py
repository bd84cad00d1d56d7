"""Trains the tables of trellis codes on normal numbers and writes Sources/Tensors/TrellisTables.swift.

    python3 Scripts/trellis_tables.py

A level is `high[s >> 4] + low[s & 15]`; codes have 2 to 8 bits a pair of weights. By turns, the package's own search finds the
best paths of random sequences and least squares finds the 32 numbers; of several starts the best is kept. The numbers are then rounded to whole ones in 0...63: of
several steps, the one with the least error, and each number in turn goes one up or down where that lowers the error.

Needs NumPy and clang, which comes with Swift. The same file on every run.
"""

import ctypes
import pathlib
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
KERNELS = ROOT / "Sources/CKernels"
ROWS = 256
STARTS, ITERATIONS = 30, 40
# Sequences to train on, to choose by and to report the error of.
TRAIN, CHOOSE, TEST = 400, 400, 2000


def library(folder):
    units = [KERNELS / "trellis_path.c", KERNELS / "dispatch.c", *KERNELS.glob("*/trellis_path_*.c"),
             *KERNELS.glob("*/trellis_coupled_*.c")]
    target = pathlib.Path(folder) / "search.so"
    subprocess.run(["clang", "-O3", "-shared", "-fPIC", "-I", KERNELS / "include", "-o", target, *units], check=True)
    return ctypes.CDLL(target)


def windows(search, pair, table, sequences):
    """The windows of the best paths of sequences (count, 256)."""
    table, sequences = np.ascontiguousarray(table, np.float32), np.ascontiguousarray(sequences, np.float32)
    factors, found = np.ones(ROWS, np.float32), np.empty(sequences.shape, np.uint8)
    pointer = ctypes.c_void_p
    for x, path in zip(sequences, found):
        search.bp_trellis_path(
            search.bp_best_isa(), ctypes.c_size_t(pair), pointer(table.ctypes.data), pointer(x.ctypes.data),
            pointer(factors.ctypes.data), ctypes.c_size_t(ROWS), pointer(path.ctypes.data))
    return found


def levels(high, low):
    return (np.asarray(high)[:, None] + np.asarray(low)[None, :]).reshape(-1)


def error(search, pair, table, sequences):
    return np.mean((sequences - table[windows(search, pair, table, sequences)]) ** 2)


def sums(paths, sequences):
    """How often each level occurs, and the sum of its weights."""
    return np.bincount(paths.reshape(-1), minlength=256), np.bincount(paths.reshape(-1), sequences.reshape(-1), 256)


def least_squares(counts, totals, old):
    rows = np.zeros((256, 32))
    rows[np.arange(256), np.arange(256) >> 4] = 1
    rows[np.arange(256), 16 + (np.arange(256) & 15)] = 1
    # A little ridge: adding to one half what is taken off the other changes nothing.
    left = rows.T @ (rows * counts[:, None]) + 0.01 * np.eye(32)
    return np.linalg.solve(left, rows.T @ totals + 0.01 * old)


def trained(search, pair, random, train, choose):
    best = np.inf, None
    for _ in range(STARTS):
        numbers = random.standard_normal(32) / 1.4
        for _ in range(ITERATIONS):
            table = levels(numbers[:16], numbers[16:])
            numbers = least_squares(*sums(windows(search, pair, table, train), train), numbers)
        found = error(search, pair, levels(numbers[:16], numbers[16:]), choose)
        if found < best[0]:
            best = found, numbers
    return best


def whole(numbers, step):
    high, low = numbers[:16], numbers[16:]
    offset = np.round(-2 * (high.min() + low.min()) / step) / 2
    return np.round((high - high.min()) / step), np.round((low - low.min()) / step), offset


def rounded(search, pair, numbers, train, choose):
    """-> error, high, low, offset, step"""
    span = max(np.ptp(numbers[:16]), np.ptp(numbers[16:])) / 63
    best = np.inf,
    for stretch in np.arange(1.0, 1.5, 0.02):
        high, low, offset = whole(numbers, span * stretch)
        step = fitted_step(search, pair, high, low, offset, span * stretch, train)
        found = error(search, pair, step * (levels(high, low) - offset), choose)
        if found < best[0]:
            best = found, high, low, offset, step
    return descended(search, pair, best, train, choose)


def fitted_step(search, pair, high, low, offset, step, train):
    units = levels(high, low) - offset
    for _ in range(3):
        chosen = units[windows(search, pair, step * units, train)]
        step = np.sum(chosen * train) / np.sum(chosen * chosen)
    return float(np.float32(step))


def descended(search, pair, best, train, choose):
    """Whole numbers that fit the paths better, one step at a time; kept while new paths agree."""
    while True:
        found, high, low, offset, step = best
        counts, totals = sums(windows(search, pair, step * (levels(high, low) - offset), train), train)

        def fit(high, low):
            values = step * (levels(high, low) - offset)
            return np.sum(counts * values * values - 2 * totals * values)

        numbers = [high.copy(), low.copy()]
        for half in numbers:
            for index in range(16):
                for change in (-1, 1):
                    before = fit(*numbers)
                    if 0 <= half[index] + change <= 63:
                        half[index] += change
                        if fit(*numbers) >= before:
                            half[index] -= change
        new = fitted_step(search, pair, *numbers, offset, step, train)
        found = error(search, pair, new * (levels(*numbers) - offset), choose)
        if found >= best[0]:
            return best
        best = found, *numbers, offset, new


def swift(tables):
    def row(numbers):
        return "[" + ", ".join(str(int(number)) for number in numbers) + "]"

    cases = "".join(
        f"""        TrellisTable(
            high: {row(high)},
            low: {row(low)},
            offset: {float(offset)}, step: {np.float32(step)}),
"""
        for high, low, offset, step in tables)
    return f"""// Written by Scripts/trellis_tables.py.

/// The 256 levels of trellis codes of some bits a pair of weights, as sums of two tables of 16.
///
/// A window s of 8 bits stands for `step * (high[s >> 4] + low[s & 15] - offset)`, a number of about unit
/// variance. Numbers of both tables are at most 63, so that a sum fits 7 bits.
/// - Source: trained on normal numbers, best paths and least squares by turns, then rounded.
package struct TrellisTable: Sendable, Equatable {{
    /// By the window's high 4 bits: 16 numbers in 0...63.
    package let high: [UInt8]
    /// By its low 4 bits: 16 numbers in 0...63.
    package let low: [UInt8]
    /// What is taken off a sum of both: an integer or half an odd one.
    package let offset: Float
    /// The distance of neighbouring sums.
    package let step: Float

    /// The table of codes of `bits` bits a pair of weights, 2 to 8.
    package static func pairBits(_ bits: Int) -> TrellisTable {{ tables[bits - 2] }}

    /// The level of a window.
    package func value(_ window: UInt8) -> Float {{
        step * (Float(high[Int(window >> 4)] + low[Int(window & 15)]) - offset)
    }}

    /// The levels of all windows, 256 numbers.
    package var values: [Float] {{ (0...255).map(value) }}

    private static let tables: [TrellisTable] = [
{cases}    ]
}}
"""


if __name__ == "__main__":
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        search = library(folder)
        search.bp_best_isa.restype = ctypes.c_int
        for pair in range(2, 9):
            random = np.random.default_rng(pair // 2 if pair % 2 == 0 else 10 + pair)
            train, choose, test = (random.standard_normal((count, ROWS)) for count in (TRAIN, CHOOSE, TEST))
            real, numbers = trained(search, pair, random, train, choose)
            found, *table = rounded(search, pair, numbers, train, choose)
            high, low, offset, step = table
            last = error(search, pair, step * (levels(high, low) - offset), test)
            print(f"{pair / 2} bits: {real:.5f} with real numbers, {found:.5f} with whole ones, {last:.5f} on others", flush=True)
            tables.append(table)
    (ROOT / "Sources/Tensors/TrellisTables.swift").write_text(swift(tables))
