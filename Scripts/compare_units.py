#!/usr/bin/env python3
"""Plans whose units are sublayers, single matrices or blocks of rows, at equal bytes, as a Markdown report.

needs: pip install numpy safetensors sentencepiece transformers 'torch==2.13.0+cpu'; BITPLAN names the program
       (.build/release/bitplan)

What was computed stays in the directory --work, by content, and is not computed again.
"""
import argparse
import os
import pathlib
import shlex
import sys

from rules import Refused
from rules.blocks import ROWS, UNITS, Matrices, mixed, row_losses, write_checkpoint
from rules.models import model
from rules.tables import METRICS, advantage, difference_text
from rules.work import Work

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMES = ["tatoeba-en-de", "wikitext-lm"]
SCHEMES = [f"bcq{bits}:fp16" for bits in range(1, 5)]
METHOD = f"""\
Binary codes of 1 to 4 bits ({', '.join(SCHEMES)}), within the bytes of the uniform models of 2 and of 3 bits. Codes are
calibrated on a text of its own, KL (nats a prediction) and the metric are measured on data
that neither that nor planning saw; differences are paired, item by item, with their 95% intervals.
""".splitlines()
PLANNED = """\
## Units that planning has

`bitplan sweep --unit`, then `bitplan plan` with as many measurements in context for both. Single matrices are three
times the cells to sweep (785 for 257 of the translation model, 353 for 113 of the language model, with the default
candidates), for what the table says, so whole sublayers stay the default.
""".splitlines()
CANDIDATES = {",".join(SCHEMES): "Binary codes alone:", "auto": "The default candidates, within the same bytes:"}
TRIAL = f"""\
## Blocks of rows, a trial

Codes that are calibrated on one side (`--fit calibrated`) are fitted to each row by itself, so rows of uniform
models can be mixed. Every row's loss is taken from the Fisher information (`Scripts/rules/blocks.py`), summed
over sublayers, matrices or blocks of {ROWS} rows, and the exact optimum of these sums is measured, once, as a
checkpoint in FP32. Bytes are those it would be stored in; a block has a byte more for its scheme. The
embedding is a unit of its own in all three: blocks of it are the clusters that `emb` is.
""".splitlines()


class Trial:
    """One model: its data, its tables, and plans of each unit."""

    def __init__(self, work, name, options):
        self.work, self.name = work, name
        self.model = model(name, options.shared.resolve(), work.directory)
        text = self.model.calibration()
        limit = options.limit or self.model.planning.limit
        self.limit = limit
        planning = ["--data", *self.model.planning.files, "--limit", limit]
        self.text = ["--data", *text.files, "--limit", options.text_limit or text.limit]
        self.planning = planning + ["--calibration", *text.files,
                                    "--calibration-limit", options.text_limit or text.limit]
        check = options.check_limit or self.model.checking.limit
        self.checking = ["--data", *self.model.checking.files, "--limit", check]
        self.effort = ["--effort", options.effort]
        self.unkeyed = ["--threads", options.threads, "--store", work.directory / "measurements.sqlite"]
        self.note = (f"{name}: planned on {limit:,} items of {self.model.planning}, calibrated on "
                     f"{options.text_limit or text.limit:,} of {text}, measured on {check:,} of "
                     f"{self.model.checking}.")

    def sweep(self, unit, schemes):
        return self.work.bitplan(
            "sweep", self.model.directory, *self.planning, "--schemes", schemes, "--unit", unit, "--no-groups",
            unkeyed=self.unkeyed)

    def evaluated(self, directory, against):
        """What `bitplan evaluate` says of a model, its difference from another one included."""
        arguments = ["--against", against] if against else []
        result = self.work.json(
            "evaluate", directory, *self.checking, "--reference", self.model.directory, "--no-own",
            "--timed", "0", *arguments, "--json", unkeyed=self.unkeyed, writes_output=False)
        return {"against": None} | result

    def planned(self, budget, schemes):
        """Unit to result, of the units that `bitplan plan` has, from these candidates."""
        results, first = {}, None
        for unit in UNITS[:2]:
            plan = self.work.bitplan(
                "plan", self.sweep(unit, schemes), "--size", f"{budget}B", "--model", self.model.directory,
                *self.planning, *self.effort, unkeyed=self.unkeyed)
            packed = self.work.bitplan(
                "quantize", self.model.directory, "--plan", plan, *self.text, unkeyed=self.unkeyed[2:])
            results[unit] = self.evaluated(packed, first)
            first = first or packed
        return results

    def uniform(self, scheme):
        """The packed model with codes of one scheme that are calibrated on one side, and what it has."""
        packed = self.work.bitplan(
            "quantize", self.model.directory, "--preset", scheme, "--fit", "calibrated", *self.text,
            unkeyed=self.unkeyed[2:])
        return packed, self.work.json("inspect", packed, "--json", writes_output=False)

    def prepare_blocks(self):
        """Decodes the uniform models and takes the losses of their rows."""
        from rules.decoding import tensors, weights

        inspected = self.work.json("inspect", self.model.directory, "--json", writes_output=False)
        uniform = {scheme: self.uniform(scheme) for scheme in SCHEMES}
        self.matrices = Matrices(inspected, {scheme: packed["bytes"] for scheme, (_, packed) in uniform.items()})
        shapes = self.matrices.shapes
        self.weights = {scheme: weights(packed, contents["parts"], dict.fromkeys(shapes, scheme), shapes)
                        for scheme, (packed, contents) in uniform.items()}
        stored = dict(tensors(self.model.directory / "model.safetensors"))
        originals = {name: stored[name].reshape(shape) for name, shape in shapes.items()}
        self.losses = row_losses(
            self.model.directory, self.model.planning.files, self.limit, originals, self.weights)

    @property
    def budgets(self):
        """Bytes of the uniform models of 2 and of 3 bits."""
        return [self.uniform(scheme)[1]["bytes"] for scheme in SCHEMES[1:3]]

    def blocks(self, budget):
        """Unit to result and, of it, how many units there are and what they have."""
        results, before = {}, None
        for unit in UNITS:
            weights, size, count, shares = mixed(self.matrices, unit, self.losses, self.weights, budget)
            parts = [ROOT / "Scripts/rules/blocks.py", self.model.directory, budget, unit, self.limit,
                     *self.text, self.work.program]
            checkpoint = self.work.result(
                f"checkpoint-{unit}", parts, lambda path: write_checkpoint(self.model.directory, weights, path))
            results[unit] = self.evaluated(checkpoint, before) | {
                "bytes": size, "units": count, "shares": shares}
            before = checkpoint
        return results


def lines_of(trial, budget, results, names):
    """Rows of a table: every result with its difference from the one before."""
    marks = {1: " better", 0: "", -1: " worse"}
    for unit, result in results.items():
        metric = next(name for name in METRICS if name in result)
        texts = [trial.name, f"{budget:,}", names[unit], f"{result['bytes']:,}"]
        if "shares" in result:
            texts += [f"{result['units']:,}", " / ".join(f"{100 * s:.0f}%" for s in result["shares"].values())]
        for quantity in ["kl", metric]:
            text = difference_text(result, quantity) if result["against"] else ""
            texts += [f"{result[quantity]:#.4g}", text + marks[advantage(result, quantity)]]
        yield "| " + " | ".join(texts) + " |"


def summary(results, unit, what):
    """How often a unit gained in KL, and how much: one sentence."""
    found = [by_unit[unit] for by_unit in results]
    better = sum(advantage(result, "kl") > 0 for result in found)
    worse = sum(advantage(result, "kl") < 0 for result in found)
    shares = [result["against"]["klNats"]["value"] / (result["kl"] - result["against"]["klNats"]["value"])
              for result in found]
    changes = ", ".join(f"{100 * share:+.1f}%" for share in shares)
    return (f"{what}: KL {changes}; of {len(found)} cells {better} better and {worse} worse beyond noise, "
            f"{len(found) - better - worse} not told apart.")


def report(command, trials, planned, blocks):
    """The whole Markdown.

    planned: candidates to a list of (trial, budget, unit to result); blocks: such a list
    """
    names = {"sublayer": "sublayers", "matrix": "matrices", "rows": f"blocks of {ROWS} rows"}
    head = "| model | budget | units | bytes |"
    tail = " KL, nats | less the row above, 95% | metric | less the row above, 95% |"
    lines = ["# What a plan gives a scheme of its own", "", "```", command, "```", "", *METHOD, "",
             *(f"- {trial.note}" for trial in trials)]
    if planned:
        lines += ["", *PLANNED]
    for schemes, rows in planned.items():
        lines += ["", CANDIDATES[schemes], "", head + tail, "|---|---:|---|---:|---:|---:|---:|---:|"]
        for trial, budget, results in rows:
            lines += lines_of(trial, budget, results, names)
        found = [results for _, _, results in rows]
        lines += ["", summary(found, "matrix", "Matrices against sublayers")]
    if blocks:
        lines += ["", *TRIAL, "", f"{head} how many | weights with {' / '.join(SCHEMES)} |{tail}",
                  "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"]
        for trial, budget, results in blocks:
            lines += lines_of(trial, budget, results, names)
        found = [results for _, _, results in blocks]
        lines += ["", summary(found, "matrix", "Matrices against sublayers"), "",
                  summary(found, "rows", "Blocks of rows against matrices")]
    return "\n".join(lines) + "\n"


def positive(text):
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got '{text}'")
    return int(text)


def main(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "Reports/units.md")
    parser.add_argument("--model", choices=NAMES, action="append", help="the two where not given")
    parser.add_argument("--part", choices=["planned", "blocks"], action="append", help="both where not given")
    parser.add_argument("--effort", type=positive, default=30, help="as of bitplan plan")
    parser.add_argument("--limit", type=positive, help="items of planning data; the model's own if not given")
    parser.add_argument("--check-limit", type=positive, help="items of checking data, in the same way")
    parser.add_argument("--text-limit", type=positive, help="items that codes are calibrated on, in the same way")
    parser.add_argument("--threads", type=positive, default=os.cpu_count(), help="no result depends on them")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT / "../shared")
    options = parser.parse_args(arguments)
    words = ["Scripts/compare_units.py", "--work", "DIR"]
    for name in ["model", "part", "effort", "limit", "check_limit", "text_limit"]:
        value = getattr(options, name)
        if value != parser.get_default(name):
            for each in value if isinstance(value, list) else [value]:
                words += ["--" + name.replace("_", "-"), str(each)]
    work = Work(options.work, os.environ.get("BITPLAN", ROOT / ".build/release/bitplan"))
    trials = [Trial(work, name, options) for name in options.model or NAMES]
    parts = options.part or ["planned", "blocks"]
    planned, blocks = {}, []
    for trial in trials:
        if "blocks" in parts:
            trial.prepare_blocks()
        for budget in trial.budgets:
            if "blocks" in parts:
                blocks.append((trial, budget, trial.blocks(budget)))
            if "planned" in parts:
                for schemes in CANDIDATES:
                    planned.setdefault(schemes, []).append((trial, budget, trial.planned(budget, schemes)))
            print(f"{trial.name}, {budget} bytes: done", file=sys.stderr, flush=True)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            text = report(shlex.join(words), trials, planned, blocks)
            options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refused, OSError, ValueError) as error:
        sys.exit(f"compare_units: {error}")
