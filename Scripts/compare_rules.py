#!/usr/bin/env python3
"""The rules of other planners beside `bitplan plan`, at equal bytes, as a Markdown report.

usage: compare_rules.py --work DIR [--output Reports/rules.md] [--models NAME,...] [--budgets 1.5,2,2.5] [--limit N] [--check-limit N]
                        [--schemes LIST] [--effort N] [--shared ../shared]
needs: pip install numpy sentencepiece transformers 'torch==2.13.0+cpu'; MiniLM from SHARED/tools/fetch_minilm.py; BITPLAN names the program
       (.build/release/bitplan)

All rules choose from the same candidates for the same rows, at most the same bytes, and see the same planning data; bitplan encodes every
plan the same way, with codes calibrated on the planning data, and measures it on other data: KL to full precision and the task's metric,
each with the paired difference from bitplan's plan and its 95% interval. A budget of 1.5 lies halfway between the uniform plans of the
first and the second candidate. What was computed stays in DIR, by content, and is not computed again.
"""
import argparse
import datetime
import json
import os
import pathlib
import shlex
import subprocess
import sys

from rules.allocation import Infeasible, Table, chung, least_cost, sensimix, threshold, uniform
from rules.work import Failed, Work

ROOT = pathlib.Path(__file__).resolve().parent.parent
METRICS = ["bleu", "accuracy", "spearman", "perplexity"]
OURS = "bitplan plan"
RULES = [
    (OURS, "the search in context, as users get it"),
    ("uniform", "the largest candidate that fits in all rows"),
    ("Chung", "bits by kind in the proportions of Chung et al. 2020, scaled to the largest that fits"),
    ("SensiMix", "feed-forward sublayers of upper layers at the first candidate, all else at a higher one, split where the bytes end"),
    ("llama.cpp", "least squared weight error, weighted by the mean square of what each column reads (importance matrix)"),
    ("output error", "least tr(dW H dW'), `bitplan sweep --signal output`"),
    ("Fisher (ModelOpt)", "least output error times half the curvature of KL, `bitplan sweep --signal fisher`"),
    ("first order (auto-round)", "least sum of |g dW|, g the gradient of cross-entropy in the model at that scheme"),
    ("threshold (mlx-lm)", "the higher of two candidates above a threshold of g (W_low - W_high) per weight, g the gradient of KL"),
]


class Model:
    """A model with the data that its plans are made on and the data that they are checked on."""

    def __init__(self, directory, planning, checking, limit, effort=None):
        self.directory, self.planning, self.checking = directory, planning, checking
        self.limit, self.effort = limit, effort


def halves(file, directory):
    """The first and the second half of a file's lines, as files."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    paths = directory / f"plan-{file.name}", directory / f"check-{file.name}"
    for path, part in zip(paths, (lines[:len(lines) // 2], lines[len(lines) // 2:])):
        path.write_text("".join(part), encoding="utf-8")
    return [paths[0]], [paths[1]]


def known_models(shared, work):
    models, data = shared / "models", shared / "data"
    text = models / "tatoeba-en-de/data"
    wiki = models / "wikitext-lm/data"
    minilm = models / "minilm-l6"
    if not (minilm / "model.safetensors").exists():
        minilm = pathlib.Path.home() / ".cache/bitplan-models/minilm-l6"
    return {
        "tatoeba-en-de": lambda: Model(models / "tatoeba-en-de", [text / "val.en", text / "val.de"],
                                       [text / "test.en", text / "test.de"], 300),
        "sst2-bert": lambda: Model(models / "sst2-bert", *halves(data / "sst2.dev.tsv", work), 436),
        "wikitext-lm": lambda: Model(models / "wikitext-lm", [wiki / "valid.txt"], [wiki / "test.txt"], 100),
        "MiniLM": lambda: Model(minilm, *halves(data / "stsb.dev.tsv", work), 100, effort=120),
    }


class Comparison:
    """The rules on one model."""

    def __init__(self, work, model, options):
        self.work, self.model, self.options = work, model, options
        self.limit = options.limit or model.limit
        self.planning = ["--data", *model.planning, "--limit", self.limit]
        self.store = ["--store", work.directory / "measurements.sqlite"]
        self.sweeps = {signal: self.sweep(signal) for signal in ["measured", "output", "fisher"]}
        self.table = Table(json.loads(self.sweeps["measured"].read_text()))
        for signal in ["output", "fisher"]:
            if Table(json.loads(self.sweeps[signal].read_text())).cells.keys() != self.table.cells.keys():
                raise Failed(f"the table of {signal} has other rows than the measured one")
        self.scores = self.gradient_scores()

    def sweep(self, signal):
        return self.work.bitplan("sweep", self.model.directory, *self.planning, "--signal", signal, "--schemes",
                                 self.options.schemes, "--fit", "calibrated", unkeyed=self.store)

    def gradient_scores(self):
        def produce(path):
            from rules.gradients import scores

            print(f"+ gradients of {self.model.directory}", file=sys.stderr, flush=True)
            path.write_text(json.dumps(scores(str(self.model.directory), self.model.planning, self.limit,
                                              self.table.tensors, self.table.candidates)))

        source = pathlib.Path(__file__).resolve().parent / "rules/gradients.py"
        parts = [source, self.model.directory, *self.model.planning, self.limit, json.dumps(self.table.tensors), self.table.candidates]
        return json.loads(self.work.result("gradients", parts, produce).read_text())

    def assignments(self, budget):
        """Rule to scheme by row."""
        configuration = json.loads((self.model.directory / "config.json").read_text())
        is_decoder = any(name.endswith("ForCausalLM") for name in configuration.get("architectures") or [])
        table = self.table

        def scored(name):
            return {(row, scheme): cost for scheme, costs in self.scores[name].items() for row, cost in costs.items()}

        def signal(name):
            return Table(json.loads(self.sweeps[name].read_text())).losses

        choices = {
            OURS: lambda: self.searched(budget),
            "uniform": lambda: uniform(table, budget),
            "Chung": lambda: chung(table, budget, is_decoder),
            "SensiMix": lambda: sensimix(table, budget),
            "llama.cpp": lambda: least_cost(table, budget, scored("imatrix")),
            "output error": lambda: least_cost(table, budget, signal("output")),
            "Fisher (ModelOpt)": lambda: least_cost(table, budget, signal("fisher")),
            "first order (auto-round)": lambda: least_cost(table, budget, scored("firstOrder")),
            "threshold (mlx-lm)": lambda: threshold(table, budget, self.scores["threshold"]),
        }
        return {name: choices[name]() for name, _ in RULES}

    def searched(self, budget):
        effort = self.options.effort or self.model.effort
        plan = self.work.json("plan", self.sweeps["measured"], "--size", f"{budget}B", "--model", self.model.directory,
                              *self.planning, *(["--effort", effort] if effort else []), unkeyed=self.store)
        return plan["sublayers"]

    def packed(self, assignment):
        """The packed directory of an assignment."""
        plan = {"schemaVersion": 1, "model": self.table.model, "fit": "calibrated", "sublayers": assignment}
        text = json.dumps(plan, indent=1, sort_keys=True)
        path = self.work.result("rule", [text], lambda new: new.write_text(text))
        return self.work.bitplan("quantize", self.model.directory, "--plan", path, *self.planning)

    def compared(self, packed, other):
        """`packed` measured on the checking data and, where bitplan can, its paired differences from `other`."""
        limit = ["--limit", self.options.check_limit] if self.options.check_limit else []
        against = ["--against", other] if self.options.can_compare and packed != other else []
        return self.work.json("evaluate", packed, "--data", *self.model.checking, *limit, "--reference", self.model.directory,
                              "--timed", "0", *against, "--json", writes_output=False)

    def measured(self, budget):
        """Rule to what `bitplan evaluate --json` says of its plan."""
        packed = {name: self.packed(assignment) for name, assignment in self.assignments(budget).items()}
        results = {name: self.compared(directory, packed[OURS]) for name, directory in packed.items()}
        for name, directory in packed.items():
            if results[name]["bytes"] > budget:
                raise Failed(f"{name}: {results[name]['bytes']} bytes, expected at most {budget}")
            results[name]["isOurs"] = directory == packed[OURS]
        return results


def difference(result, key):
    """The paired difference from bitplan's plan as text, and its interval or None."""
    if result["isOurs"]:
        return "same plan", None
    found = (result.get("against") or {}).get(key)
    if not found:
        return "", None
    interval = found.get("interval")
    behind = f" [{interval[0]:+.4f}, {interval[1]:+.4f}]" if interval else ""
    return f"{found['value']:+.4f}{behind}", interval


def verdict(results):
    """How bitplan's plan stands, by KL: best, within noise of the best, or worse."""
    best = min(results, key=lambda name: results[name]["kl"])
    ours = results[OURS]["kl"]
    if results[best]["kl"] == ours:
        return "**best**"
    text, interval = difference(results[best], "klNats")
    if interval and interval[0] <= 0 <= interval[1]:
        return f"within noise of the best ({best}: {text})"
    return f"worse than {best}: {text or format(results[best]['kl'] - ours, '+.4f') + ', no interval'}"


def table_lines(budget, results):
    metric = next(name for name in METRICS if name in results[OURS])
    least = min(result["kl"] for result in results.values())
    lines = [f"| rule | bytes | KL, nats | less bitplan's, 95% | {metric} | less bitplan's, 95% |", "|---|---:|---:|---:|---:|---:|"]
    for name, _ in RULES:
        result = results[name]
        kl = f"{result['kl']:.4f}"
        cells = [name, f"{result['bytes']:,}", f"**{kl}**" if result["kl"] == least else kl]
        if name == OURS:
            cells += ["", f"{result[metric]:.4f}", ""]
        else:
            cells += [difference(result, "klNats")[0], f"{result[metric]:.4f}", difference(result, "metric")[0]]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def report(sections, budgets, options):
    """The whole Markdown; `sections`: model to level to (bytes, results)."""
    lines = ["# The rules of other planners at equal bytes", "",
             f"Made by `Scripts/compare_rules.py` on {datetime.date.today()}:", "",
             "```", "python3 " + " ".join(map(shlex.quote, sys.argv)), "```", "",
             f"Candidates: {options.schemes}. {__doc__.split(chr(10) * 2)[2].replace(chr(10), ' ')}", "",
             "| rule | how it chooses |", "|---|---|", *(f"| {name} | {text} |" for name, text in RULES), "",
             "Rules with gradients and llama.cpp's decode binary codes fitted without calibration, as those tools score plain rounding. "
             "Biases and norms are FP16 in every rule but bitplan's, which chooses for itself, where tables have a row for them.", ""]
    if not options.can_compare:
        lines += ["This program has no `bitplan evaluate --against`: there are no intervals.", ""]
    lines += ["## bitplan's plan beside the best rule, by KL", "",
              "| model | " + " | ".join(f"budget {level}" for level in budgets) + " |", "|---" * (len(budgets) + 1) + "|"]
    for model, levels in sections.items():
        cells = [verdict(levels[level][1]) if level in levels else "" for level in budgets]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    for model, levels in sections.items():
        for level, (budget, results) in levels.items():
            lines += ["", f"## {model}, {budget:,} bytes (budget {level})", "",
                      f"{results[OURS]['sentences']:,} items of checking data.", "", *table_lines(budget, results)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "Reports/rules.md")
    parser.add_argument("--models", default="tatoeba-en-de,sst2-bert,wikitext-lm,MiniLM")
    parser.add_argument("--budgets", default="1.5,2,2.5")
    parser.add_argument("--limit", type=int, help="items of planning data; the model's own default where not given")
    parser.add_argument("--check-limit", type=int, help="items of checking data; all where not given")
    parser.add_argument("--effort", type=int, help="as of bitplan plan")
    parser.add_argument("--schemes", default="bcq1:fp16,bcq2:fp16,bcq3:fp16,bcq4:fp16")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT / "../shared")
    options = parser.parse_args()

    program = pathlib.Path(os.environ.get("BITPLAN", ROOT / ".build/release/bitplan"))
    work = Work(options.work, program)
    help_text = subprocess.run([program, "evaluate", "--help"], capture_output=True, text=True, check=True).stdout
    options.can_compare = "--against" in help_text
    known = known_models(options.shared.resolve(), options.work)
    budgets = options.budgets.split(",")
    for name in options.models.split(","):
        if name not in known:
            parser.error(f"--models: expected some of {', '.join(known)}, got {name}")
    sections = {}
    for name in options.models.split(","):
        comparison = Comparison(work, known[name](), options)
        sections[name] = {}
        for level in budgets:
            budget = comparison.table.size(float(level))
            sections[name][level] = budget, comparison.measured(budget)
            print(f"{name}, budget {level}: {verdict(sections[name][level][1])}", file=sys.stderr, flush=True)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(report(sections, budgets, options), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (Failed, Infeasible, OSError, ValueError) as error:
        sys.exit(f"compare_rules: {error}")
