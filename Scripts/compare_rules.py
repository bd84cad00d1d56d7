#!/usr/bin/env python3
"""The rules of other planners beside `bitplan plan`, at equal bytes, as a Markdown report.

needs: pip install numpy sentencepiece transformers 'torch==2.13.0+cpu', where weight error, first order and
       threshold are not among the rules NumPy alone; MiniLM from SHARED/tools/fetch_minilm.py;
       BITPLAN names the program (.build/release/bitplan)

What was computed stays in the directory --work, by content, and is not computed again; the report is written
anew after each budget.
"""
import argparse
import json
import os
import pathlib
import shlex
import sys

from rules import Missing, Refused
from rules.allocation import Table, chung, least_cost, sensimix, threshold, uniform
from rules.models import CALIBRATIONS, NAMES, model
from rules.tables import OURS, Cell, report, verdict
from rules.work import Work

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = {
    OURS: "`bitplan plan`: the search in context, as users get it",
    "uniform": "the largest candidate that fits in all rows",
    "Chung": "bits by kind in the proportions of Chung et al. 2020, scaled to the largest that fits",
    "SensiMix": "feed-forward sublayers of upper layers at the first candidate, all else at a higher one, "
                "split where the bytes end",
    "weight error": "least squared error of the weights, weighted by the mean square of what each column "
                    "reads (llama.cpp's importance matrix)",
    "output error": "least tr(dW H dW'), `bitplan sweep --signal output`",
    "Fisher": "least output error times half the curvature of KL, `bitplan sweep --signal fisher` (ModelOpt)",
    "first order": "least sum of abs(g dW), g the gradient of cross-entropy in the model at that scheme "
                   "(auto-round)",
    "threshold": "the higher of two neighbouring candidates above a threshold of g (W_low - W_high) per "
                 "weight, g the gradient of KL (mlx-lm)",
}
METHOD = """\
All rules choose from the same candidates for the same rows and see the same planning data; no plan is larger
than the budget. bitplan encodes every plan the same way, with codes calibrated on the same text, and measures
it on data that no rule has seen: KL to full precision and the task's metric, each with its difference from
ours on the same items and the 95% interval of that difference.

Weight error, first order and threshold score codes that are fitted without calibration, as those tools score
plain rounding. Biases and norms are FP16 in every rule but ours, which chooses for itself.
""".splitlines()


class Comparison:
    """The rules on one model, its codes calibrated on a text of its own or on the planning data."""

    def __init__(self, work, model, calibration, options):
        self.work, self.model, self.options = work, model, options
        self.limit, self.check_limit = (
            limit or data.limit
            for limit, data in [(options.limit, model.planning), (options.check_limit, model.checking)])
        self.planning = ["--data", *model.planning.files, "--limit", self.limit]
        self.text, self.text_note, self.calibration = self.planning, "the same", []
        if calibration == "apart":
            text = model.calibration()
            self.text = ["--data", *text.files, "--limit", text.limit]
            self.text_note = f"{text.limit:,} items of {text}"
            self.calibration = ["--calibration", *text.files, "--calibration-limit", text.limit]
        self.store = ["--store", work.directory / "measurements.sqlite"]
        self.unkeyed = ["--threads", options.threads, *self.store]
        self.table = Table(self.sweep("measured"))
        configuration = json.loads((model.directory / "config.json").read_text(encoding="utf-8"))
        self.is_decoder = (configuration.get("architectures") or [""])[0].endswith("ForCausalLM")

    def note(self, checked):
        """What plans are made from, of which candidates, and on how many items they are checked, as text."""
        planned = self.sweep("measured")["provenance"]["sentences"]
        return (f"Planned on {planned:,} items of {self.model.planning}, calibrated on {self.text_note}, "
                f"checked on {checked:,} items of {self.model.checking}. "
                f"Candidates: {', '.join(self.table.schemes)}.")

    def sweep_file(self, signal, fit="calibrated"):
        return self.work.bitplan(
            "sweep", self.model.directory, *self.planning, *self.calibration, "--signal", signal,
            "--schemes", self.options.schemes, "--fit", fit, unkeyed=self.unkeyed)

    def sweep(self, *arguments):
        return json.loads(self.sweep_file(*arguments).read_text(encoding="utf-8"))

    def assignment(self, rule, budget):
        """Row to scheme."""
        table = self.table
        choices = {
            OURS: lambda: self.searched(budget),
            "uniform": lambda: uniform(table, budget),
            "Chung": lambda: chung(table, budget, self.is_decoder),
            "SensiMix": lambda: sensimix(table, budget),
            "weight error": lambda: least_cost(table, budget, self.scored("weight")),
            "output error": lambda: least_cost(table, budget, Table(self.sweep("output")).losses),
            "Fisher": lambda: least_cost(table, budget, Table(self.sweep("fisher")).losses),
            "first order": lambda: least_cost(table, budget, self.scored("firstOrder")),
            "threshold": lambda: threshold(table, budget, self.gradient_scores()["threshold"]),
        }
        return choices[rule]()

    def searched(self, budget):
        effort = ["--effort", self.options.effort] if self.options.effort else []
        plan = self.work.json(
            "plan", self.sweep_file("measured"), "--size", f"{budget}B", "--model", self.model.directory,
            *self.planning, *self.calibration, *effort, unkeyed=self.unkeyed)
        return plan["sublayers"]

    def scored(self, name):
        """(row, scheme) to score."""
        scores = self.gradient_scores()[name]
        return {(row, scheme): score for scheme, by_row in scores.items() for row, score in by_row.items()}

    def gradient_scores(self):
        def produce(path):
            try:
                from rules.gradients import scores
            except ImportError as error:
                raise Refused(f"rules that score in PyTorch: {error}") from error
            print(f"+ gradients of {self.model.directory}", file=sys.stderr, flush=True)
            found = scores(self.model.directory, self.model.planning.files, self.limit, self.table.tensors,
                           self.rounded_weights, self.table.schemes, self.table.candidates)
            path.write_text(json.dumps(found))

        sources = [ROOT / "Scripts/rules/gradients.py", ROOT / "Scripts/rules/decoding.py"]
        parts = [*sources, self.work.program, self.model.directory, *self.model.planning.files, self.limit,
                 json.dumps(self.table.tensors), self.table.schemes, self.table.candidates, *self.calibration]
        return json.loads(self.work.result("gradients", parts, produce).read_text())

    def rounded_weights(self, scheme):
        """Tensor to weights in the model that has a scheme in all rows, fitted without calibration.

        Raises `Refused` where what is decoded here errs otherwise than bitplan says.
        """
        from rules.decoding import weights

        assignment = self.table.uniform(scheme)
        packed = self.packed(assignment, "alternating")
        inspected = self.work.json("inspect", packed, "--json", writes_output=False)
        schemes = {name: assignment[row] for row, names in self.table.tensors.items() for name in names}
        found = weights(packed, inspected["parts"], schemes, self.table.shapes)
        self.check(found, assignment)
        return found

    def check(self, found, assignment):
        """Compares squared errors of decoded weights with those of `bitplan sweep --signal weight`."""
        from rules.decoding import tensors

        said = Table(self.sweep("weight", "alternating")).losses
        originals = dict(tensors(self.model.directory / "model.safetensors"))
        for row, names in self.table.tensors.items():
            errors = [originals[name] - found[name].reshape(-1) for name in names]
            total, expected = sum(float(error @ error) for error in errors), said[row, assignment[row]]
            if abs(total - expected) > 1e-3 * expected:
                raise Refused(f"{row} under {assignment[row]}: expected weights with a squared error of "
                              f"{expected:.6g}, as bitplan says, got {total:.6g} as they are decoded here")

    def packed(self, assignment, fit="calibrated"):
        """The packed directory of an assignment."""
        plan = {"schemaVersion": 1, "model": self.table.model, "fit": fit, "sublayers": assignment}
        text = json.dumps(plan, indent=1, sort_keys=True)
        path = self.work.result("rule", [text], lambda new: new.write_text(text))
        return self.work.bitplan(
            "quantize", self.model.directory, "--plan", path, *self.text, unkeyed=self.store)

    def measured(self, budget, rules):
        """Rule to what `bitplan evaluate --json` says of its plan; `against` is None where that is ours.

        Rules whose results are `Missing` are left out, ours raises it.
        """
        ours = self.packed(self.assignment(OURS, budget))
        results = {OURS: self.evaluated(ours)}
        for name in rules:
            try:
                packed = self.packed(self.assignment(name, budget))
                results[name] = self.evaluated(packed, *(["--against", ours] if packed != ours else []))
            except Missing:
                continue
            if results[name]["bytes"] > budget:
                raise Refused(f"{name}: {results[name]['bytes']} bytes, expected at most {budget}")
        return results

    def evaluated(self, packed, *against):
        result = self.work.json(
            "evaluate", packed, "--data", *self.model.checking.files, "--limit", self.check_limit,
            "--reference", self.model.directory, "--timed", "0", *against, "--json", unkeyed=self.unkeyed,
            writes_output=False)
        return {"against": None} | result


def some_of(known):
    """Reads names separated by commas."""
    def read(text):
        names = text.split(",")
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}, got '{unknown}'")
        return names
    return read


def positive(text):
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got '{text}'")
    return int(text)


def option_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "Reports/rules.md")
    parser.add_argument("--models", type=some_of(NAMES), default=NAMES)
    parser.add_argument("--calibration", type=some_of(CALIBRATIONS), default=["apart"],
                        help="text that codes are calibrated on: apart from the planning data, or its own")
    parser.add_argument("--budgets", type=lambda text: [positive(size) for size in text.split(",")],
                        help="bytes of a packed model's file; the model's own three where not given")
    parser.add_argument("--rules", type=some_of(RULES), default=list(RULES), help="ours is always among them")
    parser.add_argument("--limit", type=positive, help="items of planning data; the model's own if not given")
    parser.add_argument("--check-limit", type=positive, help="items of checking data, in the same way")
    parser.add_argument("--effort", type=positive, help="as of bitplan plan")
    parser.add_argument("--schemes", default="auto", help="as of bitplan sweep")
    parser.add_argument("--threads", type=positive, default=os.cpu_count(), help="no result depends on them")
    parser.add_argument("--kept", action="store_true", help="report what was computed before")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT / "../shared")
    return parser


def command(parser, options):
    """The command that gives the same report: with the options that change it."""
    words = ["Scripts/compare_rules.py", "--work", "DIR"] + ["--kept"] * options.kept
    for name in ["models", "calibration", "budgets", "rules", "limit", "check_limit", "effort", "schemes"]:
        value = getattr(options, name)
        if value != parser.get_default(name):
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            words += ["--" + name.replace("_", "-"), text]
    return shlex.join(words)


def main(arguments):
    parser = option_parser()
    options = parser.parse_args(arguments)
    work = Work(options.work, os.environ.get("BITPLAN", ROOT / ".build/release/bitplan"), options.kept)
    rules = {name: text for name, text in RULES.items() if name == OURS or name in options.rules}
    cells, missing = [], []
    for name in options.models:
        for calibration in options.calibration:
            found = model(name, options.shared.resolve(), work.directory)
            title = name if calibration == "apart" else f"{name}, codes calibrated on the planning data"
            for budget in options.budgets or found.budgets:
                try:
                    comparison = Comparison(work, found, calibration, options)
                    results = comparison.measured(budget, rules)
                except Missing:
                    missing.append(f"{title}, {budget:,} bytes")
                else:
                    cells.append(Cell(title, budget, comparison.note(results[OURS]["sentences"]), results))
                    print(f"{title}, {budget} bytes: {verdict(results, 'kl')}", file=sys.stderr, flush=True)
                options.output.parent.mkdir(parents=True, exist_ok=True)
                text = report(cells, missing, rules, command(parser, options), METHOD)
                options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refused, OSError, ValueError) as error:
        sys.exit(f"compare_rules: {error}")
