#!/usr/bin/env python3
"""How far the proxies of a sweep order its cells as measuring does: Spearman's rank correlation with the measured table.

usage: compare_signals.py MODEL OUT [--fit FIT] [--schemes LIST] [--limit N] -- SOURCE REFERENCE

Runs `bitplan sweep` once for every signal, leaves the tables and a Markdown table in OUT. Between schemes every proxy looks good, since
fewer bits lose more everywhere; within a scheme it has to know the sublayers.
"""
import argparse
import json
import os
import pathlib
import subprocess
import time


def ranks(values):
    """Average ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            result[place] = (start + end - 1) / 2
        start = end
    return result


def spearman(x, y):
    a, b = ranks(x), ranks(y)
    mean = (len(a) - 1) / 2
    a, b = [v - mean for v in a], [v - mean for v in b]
    return sum(p * q for p, q in zip(a, b)) / (sum(p * p for p in a) * sum(q * q for q in b)) ** 0.5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--fit", default="calibrated")
    parser.add_argument("--schemes", default="bcq1..4,int4:g64,nf4")
    parser.add_argument("--limit", default="200")
    parser.add_argument("data", nargs="+")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    bitplan = os.environ.get("BITPLAN", ".build/release/bitplan")

    losses, seconds = {}, {}
    for signal in ["measured", "weight", "output", "fisher"]:
        table = options.out / f"{signal}.json"
        start = time.time()
        subprocess.run(
            [bitplan, "sweep", options.model, "--signal", signal, "--fit", options.fit, "--schemes", options.schemes,
             "--no-store", "--limit", options.limit, "--output", table, "--data", *options.data],
            check=True, stdout=subprocess.DEVNULL)
        seconds[signal] = time.time() - start
        cells = json.loads(table.read_text())["bySublayer"]
        losses[signal] = {(c["scheme"], c["row"]): c["measurement"]["klNats"] for c in cells}

    measured = losses["measured"]
    schemes = list(dict.fromkeys(scheme for scheme, _ in measured))
    lines = ["| signal | seconds | all cells | " + " | ".join(schemes) + " |", "|---" * (len(schemes) + 3) + "|"]
    for signal in ["weight", "output", "fisher"]:
        row = [spearman(list(measured.values()), [losses[signal][key] for key in measured])]
        for scheme in schemes:
            keys = [key for key in measured if key[0] == scheme]
            row.append(spearman([measured[key] for key in keys], [losses[signal][key] for key in keys]))
        lines.append(f"| {signal} | {seconds[signal]:.1f} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    lines.append(f"| measured | {seconds['measured']:.1f} |" + " |" * (len(schemes) + 1))
    text = "\n".join(lines) + "\n"
    (options.out / "agreement.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
