#!/usr/bin/env python3
"""Trellis codes: windows and segments, rotation, what plans take them, and what encoding takes. Prints the parts of Reports/trellis.md.

usage: measure_trellis.py OUT windows|rotation|latency|encoding...

OUT keeps what was measured: a second run goes on from it. In the environment: BITPLAN, BITPLAN_BENCH, SHARED (../shared), MINILM and BERGAMOT
(models as ../shared/tools/fetch_minilm.py and fetch_bergamot.py lay them out; without them their rows are left out). Needs NumPy, and for
`windows` clang and AVX2.
"""
import collections
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "Scripts/trellis"))
import models  # noqa: E402

out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 2 else sys.exit(__doc__)
out.mkdir(parents=True, exist_ok=True)
bitplan = os.environ.get("BITPLAN", str(ROOT / ".build/release/bitplan"))
shared = pathlib.Path(os.environ.get("SHARED", "../shared"))
minilm, bergamot = (pathlib.Path(os.environ[name]) if name in os.environ else None for name in ("MINILM", "BERGAMOT"))
tatoeba, heavy = ROOT / "Fixtures/tatoeba-en-de", out / "heavy"
plan_text = [ROOT / "Fixtures/data/plan.en", ROOT / "Fixtures/data/plan.de"]
check_text = [shared / "models/tatoeba-en-de/data/test.en", shared / "models/tatoeba-en-de/data/test.de"]


def run(*arguments):
    result = subprocess.run([bitplan, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"measure_trellis: bitplan {' '.join(map(str, arguments))}: {result.stderr.strip()}")
    return result.stdout


def kept(name, make):
    """What `make` gives, from OUT where it was made before."""
    path = out / f"{name}.json"
    if not path.exists():
        value = make()
        path.write_text(json.dumps(value))
    return json.loads(path.read_text())


class Case:
    """A model, the text that codes are calibrated on, and the text that KL is measured on."""

    def __init__(self, name, model, text, check, *options):
        self.name, self.model, self.text, self.check, self.options = name, model, text, check, options

    def evaluation(self, directory):
        return json.loads(run("evaluate", directory, "--data", *self.check, *self.options, "--reference", self.model, "--timed", 0, "--no-own",
                              "--max-length", 40, "--no-store", "--json"))

    def packed(self, scheme, fit):
        """KL with all matrices under a scheme."""
        def make():
            directory = out / "packed"
            subprocess.run(["rm", "-rf", directory], check=True)
            run("quantize", self.model, "--preset", scheme, "--fit", fit, "--data", *self.text, "--limit", 300, "--no-store", "--output", directory)
            return self.evaluation(directory)
        return kept(f"{self.name}.{scheme.replace(':', '-')}.{fit}", make)["kl"]

    def rounded(self, name, function):
        """KL with function(matrix) in the place of every matrix."""
        def make():
            models.rounded(bitplan, self.model, function, out / "rounded")
            return self.evaluation(out / "rounded")
        return kept(f"{self.name}.{name}", make)["kl"]


def cases():
    if not heavy.exists():
        models.heavy_tailed(bitplan, tatoeba, heavy)
    yield Case("tatoeba-en-de", tatoeba, plan_text, check_text, "--limit", 500)
    yield Case("heavy tails", heavy, plan_text, check_text, "--limit", 200)
    if minilm:
        yield Case("MiniLM", minilm, [pairs(400, 300)], [pairs(0, 400)])
    if bergamot:
        yield Case("Bergamot en-pt", bergamot, [shared / "data/newstest2019.zh-en.en"], [shared / "data/ntrex.en", shared / "data/ntrex.pt-BR"],
                   "--limit", 300)


def pairs(first, count):
    """A part of STS-B's development set."""
    path = out / f"pairs.{first}.tsv"
    lines = (shared / "data/stsb.dev.tsv").read_text().splitlines(keepends=True)
    path.write_text("".join(lines[first:first + count]))
    return path


def number(value):
    return f"{value:.3g}"


def print_windows():
    import windows
    found = windows.tables(out / "tables.npz")
    windows.print_windows(found)
    print()
    windows.print_segments(found)
    print()
    windows.print_products()


def print_rotation():
    print("| model | scheme | fit | KL | with a rotation | change |\n|---|---|---|---:|---:|---:|")
    for case in cases():
        for scheme in ("tcq2", "tcq3", "tcq4"):
            row(case.name, scheme, "calibrated", case.packed(scheme, "calibrated"), case.packed(scheme + ":h", "calibrated"))
        if case.name == "Bergamot en-pt":
            continue
        for name, function in [("bcq2", models.binary(2)), ("bcq3", models.binary(3)), ("int3", models.integer(3)), ("int4", models.integer(4))]:
            row(case.name, name, "weights alone", case.rounded(name, function), case.rounded(name + "-h", models.rotated(function)))
        row(case.name, "tcq3", "weights alone", case.packed("tcq3", "alternating"), case.packed("tcq3:h", "alternating"))


def row(model, scheme, fit, plain, rotated):
    print(f"| {model} | {scheme} | {fit} | {number(plain)} | {number(rotated)} | {100 * (rotated / plain - 1):+.0f}% |", flush=True)


def print_latency():
    """What plans take of the default candidates, from the demo's table and a profile of this machine."""
    table, profile, plan = ROOT / "Reports/demo.sensitivity.json", out / "machine.json", out / "latency.plan.json"
    if not profile.exists():
        run("profile", "--output", profile, "--quick")
    types = ["Emb", "Enc_ee", "Enc_ffn", "Dec_dd", "Dec_ed", "Dec_ffn"]
    print(f"| limits | bytes | ms a sentence | KL | {' | '.join(types)} |\n|---|---:|---:|---:|{'---|' * len(types)}")
    for limits in ("14x", "12x", "10x", "8x", "1.3ms", "1.5ms", "1.7ms", "1.9ms", "10x 2.0ms", "10x 1.9ms", "10x 1.8ms", "10x 1.7ms"):
        run("plan", table, "--profile", profile, "--output", plan,
            *(argument for limit in limits.split() for argument in ("--latency" if limit.endswith("ms") else "--size", limit)))
        found = json.loads(plan.read_text())
        taken = collections.defaultdict(collections.Counter)
        for name, scheme in found["sublayers"].items():
            taken[name.split(".")[0]][scheme.removesuffix(":fp16")] += 1
        cells = [", ".join(scheme if len(taken[kind]) == 1 else f"{count} {scheme}" for scheme, count in sorted(taken[kind].items())) for kind in types]
        p = found["predicted"]
        print(f"| {limits.replace(' ', ', ')} | {p['bytes']:,} | {1000 * p['seconds']:.2f} | {number(p['klNats'])} | {' | '.join(cells)} |", flush=True)


def print_encoding():
    """What encoding a model takes."""
    if not minilm:
        sys.exit("measure_trellis: `encoding` needs MINILM")
    text = pairs(400, 300)
    print("| scheme | fit | wall seconds | CPU seconds |\n|---|---|---:|---:|")
    for fit in ("alternating", "calibrated"):
        def make(fit=fit):
            start, before = time.time(), os.times()
            run("quantize", minilm, "--preset", "tcq3", "--fit", fit, "--data", text, "--limit", 100, "--no-store", "--output", out / "encoded")
            after = os.times()
            return [time.time() - start, after.children_user + after.children_system - before.children_user - before.children_system]
        wall, cpu = kept(f"encoding.tcq3.{fit}", make)
        print(f"| tcq3 | {fit} | {wall:.1f} | {cpu:.1f} |", flush=True)


for part in sys.argv[2:]:
    name = f"print_{part}"
    if name not in globals():
        sys.exit(f"measure_trellis: '{part}' is no part: expected windows, rotation, latency or encoding")
    globals()[name]()
    print()
