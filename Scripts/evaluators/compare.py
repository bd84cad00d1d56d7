#!/usr/bin/env python3
"""Holds transformers_evaluator.py against bitplan's own engine: the same sweep by both, cell by cell.

    python3 Scripts/evaluators/compare.py [--bitplan PROGRAM] [--shared DIRECTORY] [--work DIRECTORY]

Prints the Markdown table of Reports/evaluators.md. A cell deviates by the share that its KL by the evaluator is off that by the
engine; cells below 1e-6 nats a prediction, where single precision decides, are counted apart. Exits with 1 where a cell is off by
more than 1%.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "Fixtures"
SCHEMES = ("bcq1,bcq2,bcq3:g64:fp16,int4,int4:asym,int8:g32:fp16,nf4,nf4:dq,pq:b8:k64,"
           "tcq2,tcq3:h,emb3:r1,index8,sign,sign:mean,bitlinear,w8a8")
LEAST = 1e-6


def sweeps(shared):
    """Name, model, data and how many items."""
    yield "tatoeba-en-de", FIXTURES / "tatoeba-en-de", [FIXTURES / "data/plan.en", FIXTURES / "data/plan.de"], 6
    yield "sst2-bert", FIXTURES / "sst2-bert", [FIXTURES / "data/sst2.plan.tsv"], 12
    if (shared / "models/wikitext-lm").exists():
        yield "wikitext-lm", shared / "models/wikitext-lm", [shared / "models/wikitext-lm/data/valid.txt"], 3


def cells(table):
    found = json.loads(table.read_text())
    return {(cell["row"], cell["scheme"]): cell["measurement"]["klNats"]
            for part in ("bySublayer", "byType") for cell in found[part]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bitplan", default=str(ROOT / ".build/release/bitplan"))
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "bitplan-evaluators")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    print("| model | items | cells | largest deviation | where | median | cells below 1e-6 nats | other cells |")
    print("|---|---:|---:|---:|---|---:|---:|---:|")
    worst = 0.0
    for name, model, data, limit in sweeps(arguments.shared):
        tables = arguments.work / f"{name}.engine.json", arguments.work / f"{name}.evaluator.json"
        files = [*map(str, data)]
        common = [arguments.bitplan, "sweep", "--schemes", SCHEMES, "--no-store", "--output"]
        evaluator = [sys.executable, str(ROOT / "Scripts/evaluators/transformers_evaluator.py"), str(model),
                     "--data", *files, "--limit", str(limit), "--threads", "2"]
        subprocess.run([*common, str(tables[0]), str(model), "--fit", "greedy", "--limit", str(limit), "--data", *files],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*common, str(tables[1]), "--evaluator", " ".join(f"'{word}'" for word in evaluator)],
                       check=True, stdout=subprocess.DEVNULL)
        ours, theirs = map(cells, tables)
        others = len(ours.keys() ^ theirs.keys())
        both = [key for key in ours if key in theirs and max(ours[key], theirs[key]) >= LEAST]
        off = sorted((abs(theirs[key] / ours[key] - 1), key) for key in both)
        small = len(ours.keys() & theirs.keys()) - len(both)
        largest, where = off[-1]
        worst = max(worst, largest, 1.0 if others else 0.0)
        print(f"| {name} | {limit} | {len(both)} | {100 * largest:.3f}% | {where[0]} {where[1]} | "
              f"{100 * off[len(off) // 2][0]:.4f}% | {small} | {others} |", flush=True)
    sys.exit(worst > 0.01)
