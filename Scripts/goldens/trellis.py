#!/usr/bin/env python3
"""Goldens of trellis codes: sequences, the streams of their best paths and the levels that these stand for.

    python3 Scripts/goldens/trellis.py Tests/KernelsTests/Goldens/trellis.json

Needs NumPy. The search is written out plainly, in double precision, from Viterbi's recursion; it shares nothing with the package
but the tables, which are read from Sources/Tensors/TrellisTables.swift. A path closes as QTIP has it: the bits before its first
weight are those that a search over the sequence turned by half finds there. Sequences shorter than a window try all of them.
"""
import json
import pathlib
import re
import sys

import numpy as np

TABLES = pathlib.Path(__file__).parents[2] / "Sources/Tensors/TrellisTables.swift"
COUNTS = (1, 3, 7, 8, 64, 255, 256)


def tables():
    number = r"([\d.]+)"
    found = re.findall(r"high: \[(.*?)\],\s*low: \[(.*?)\],\s*offset: " + number + ", step: " + number, TABLES.read_text())
    for high, low, offset, step in found:
        high, low = (np.array([int(n) for n in numbers.split(",")]) for numbers in (high, low))
        yield float(step) * (high[:, None] + low[None, :] - float(offset)).reshape(-1)


def windows(symbols, bits):
    """The window of every weight: the last 8 bits of the stream, which repeats itself without end."""
    stream = "".join(format(symbol, f"0{bits}b") for symbol in symbols)
    return [int("".join(stream[(end + i) % len(stream)] for i in range(-8, 0)), 2)
            for end in range(bits, len(stream) + 1, bits)]


def search(x, factors, table, bits, closing=None):
    """The windows of the best path, whose last window has the low bits `closing`, and what it costs."""
    before = 256 >> bits
    cost = np.zeros(256)
    if closing is not None:
        cost[np.arange(256) % before != closing] = np.inf
    choices = []
    for target, factor in zip(x, factors):
        ways = cost.reshape(-1, before)
        choices.append(ways.argmin(0))
        cost = np.repeat(ways.min(0), 1 << bits) + (target - factor * table) ** 2
    if closing is not None:
        cost[np.arange(256) % before != closing] = np.inf
    window, path, least = int(cost.argmin()), [], cost.min()
    for choice in reversed(choices):
        path.append(window)
        window = (window >> bits) + int(choice[window >> bits]) * before
    return path[::-1], least


def encode(x, factors, table, bits):
    before, half = 256 >> bits, len(x) // 2
    if len(x) * bits < 8:
        candidates = range(before)
    else:
        turned = search(np.roll(x, -half), np.roll(factors, -half), table, bits)[0]
        candidates = [turned[len(x) - half - 1] % before]
    return min((search(x, factors, table, bits, closing) for closing in candidates), key=lambda found: found[1])


def packed(symbols, bits):
    stream = "".join(format(symbol, f"0{bits}b") for symbol in symbols)
    stream += "0" * (-len(stream) % 8)
    return [int(stream[start : start + 8], 2) for start in range(0, len(stream), 8)]


if __name__ == "__main__":
    random, cases = np.random.default_rng(17), []
    for bits, table in enumerate(tables(), 1):
        for count in COUNTS:
            x = random.standard_normal(count).round(3)
            factors = random.uniform(0.5, 1.5, count).round(3)
            path, cost = encode(x, factors, table, bits)
            symbols = [window % (1 << bits) for window in path]
            assert windows(symbols, bits) == path
            cases.append({
                "bits": bits, "targets": x.tolist(), "factors": factors.tolist(), "cost": round(cost, 7),
                "codes": packed(symbols, bits), "levels": [round(float(table[window]), 5) for window in path]})
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    pathlib.Path(sys.argv[1]).write_text(f"[\n{lines}\n]\n")
