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


def bits_of(pair, place):
    """Bits of a weight: two successive ones take `pair`, of an odd number the second one more."""
    return (pair + place % 2) // 2


def stream(symbols, pair):
    return "".join(format(symbol, f"0{bits_of(pair, place)}b") for place, symbol in enumerate(symbols))


def windows(symbols, pair):
    """The window of every weight: the last 8 bits of the stream, which repeats itself without end."""
    bits = stream(symbols, pair)
    ends = [(place + 1) * pair // 2 for place in range(len(symbols))]
    return [int("".join(bits[(end + i) % len(bits)] for i in range(-8, 0)), 2) for end in ends]


def search(x, factors, table, widths, closing=None):
    """The windows of the best path, whose last window has the low bits `closing`, and what it costs.

    `widths`: bits of every weight.
    """
    before = 256 >> widths[0]
    cost = np.zeros(256)
    if closing is not None:
        cost[np.arange(256) % before != closing] = np.inf
    choices = []
    for target, factor, bits in zip(x, factors, widths):
        ways = cost.reshape(-1, 256 >> bits)
        choices.append(ways.argmin(0))
        cost = np.repeat(ways.min(0), 1 << bits) + (target - factor * table) ** 2
    if closing is not None:
        cost[np.arange(256) % before != closing] = np.inf
    window, path, least = int(cost.argmin()), [], cost.min()
    for choice, bits in zip(reversed(choices), reversed(widths)):
        path.append(window)
        window = (window >> bits) + int(choice[window >> bits]) * (256 >> bits)
    return path[::-1], least


def encode(x, factors, table, pair):
    widths, half = [bits_of(pair, place) for place in range(len(x))], len(x) // 2
    before = 256 >> widths[0]
    if len(x) * pair < 16:
        candidates = range(before)
    else:
        turned = search(np.roll(x, -half), np.roll(factors, -half), table, widths[half:] + widths[:half])[0]
        candidates = [turned[len(x) - half - 1] % before]
    return min((search(x, factors, table, widths, closing) for closing in candidates), key=lambda found: found[1])


def packed(symbols, pair):
    bits = stream(symbols, pair)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


if __name__ == "__main__":
    random, cases = np.random.default_rng(17), []
    for pair, table in enumerate(tables(), 2):
        for count in COUNTS:
            x = random.standard_normal(count).round(3)
            factors = random.uniform(0.5, 1.5, count).round(3)
            path, cost = encode(x, factors, table, pair)
            symbols = [window % (1 << bits_of(pair, place)) for place, window in enumerate(path)]
            assert windows(symbols, pair) == path
            cases.append({
                "pairBits": pair, "targets": x.tolist(), "factors": factors.tolist(), "cost": round(cost, 7),
                "codes": packed(symbols, pair), "levels": [round(float(table[window]), 5) for window in path]})
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    pathlib.Path(sys.argv[1]).write_text(f"[\n{lines}\n]\n")
