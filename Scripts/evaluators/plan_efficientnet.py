#!/usr/bin/env python3
"""Plans EfficientNet-Lite0 by efficientnet_evaluator.py and holds the plans against uniform ones on images of other photographs.

    python3 -m venv venv && venv/bin/pip install -r Scripts/evaluators/requirements.txt
    venv/bin/python Scripts/evaluators/plan_efficientnet.py [--bitplan PROGRAM] [--work DIRECTORY] > Reports/efficientnet.md

Sweep and plans are measured on crops of every other photograph, what the report says on crops of those between. Plans may have as
many bytes as uniform int4, uniform int8, and their mean. What DIRECTORY has is not measured again.
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import torch

from bitplan_evaluator import ANSWERS
from efficientnet_evaluator import EfficientNetEvaluator

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCHEMES = "int4,int8,pq:b4:k256"
KINDS = ["Stem", "Depthwise", "Pointwise", "Classifier"]


def interval(values, seed=0):
    """Mean and the 95% percentile bootstrap interval of it over images."""
    random = np.random.RandomState(seed)
    means = np.sort([values[random.randint(0, len(values), len(values))].mean() for _ in range(2000)])
    return f"{values.mean():.4f} [{means[50]:.4f}, {means[-51]:.4f}]"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bitplan", default=str(ROOT / ".build/release/bitplan"))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "bitplan-efficientnet")
    parser.add_argument("--crops", type=int, default=10, help="images that are planned on")
    parser.add_argument("--check-crops", type=int, default=24, help="images that plans are compared on")
    parser.add_argument("--effort", type=int, default=80, help="most measurements in context of a plan")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "Scripts/evaluators/efficientnet_evaluator.py"), "--photographs", "even",
               "--crops", str(arguments.crops), "--threads", str(arguments.threads)]
    common = ["--evaluator", shlex.join(command), "--store", str(work / "store"), "--timeout", "3600"]

    def bitplan(*words):
        subprocess.run([arguments.bitplan, *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    bitplan("sweep", "--schemes", SCHEMES, "--no-groups", *common, "--output", work / "table.json")
    table = json.loads((work / "table.json").read_text())
    cells = {(cell["row"], cell["scheme"]): cell for cell in table["bySublayer"]}
    rows = {sublayer["name"]: sublayer["matrices"] for sublayer in table["layout"]["sublayers"]}
    fixed = table["layout"]["fixedBytes"]
    schemes = sorted({scheme for _, scheme in cells})
    size = {scheme: fixed + sum(cells[row, scheme]["bytes"] for row in rows) for scheme in schemes}
    plans = {f"uniform {scheme}": {row: scheme for row in rows} for scheme in schemes}
    for name, budget in [("plan in the bytes of int8", size["int8"]), ("plan between", (size["int4"] + size["int8"]) // 2),
                         ("plan in the bytes of int4", size["int4"])]:
        file = work / f"{budget}.plan.json"
        bitplan("plan", work / "table.json", "--size", f"{budget}B", "--effort", arguments.effort, *common, "--output", file)
        plans[name] = json.loads(file.read_text())["sublayers"]

    torch.set_num_threads(arguments.threads)
    check = EfficientNetEvaluator(arguments.check_crops, "odd")
    items = list(range(arguments.check_crops))
    full = fixed + 4 * sum(m["rows"] * m["columns"] for matrices in rows.values() for m in matrices)

    def line(name, plan):
        """A plan's row: bytes, KL and agreement on the images of the check, and what each kind of sublayer got."""
        chosen = {m["tensor"]: plan[row] for row, matrices in rows.items() for m in matrices}
        kl, _ = check.losses(chosen, items, "alone")
        same = (check.states[-1].argmax(1) == check.reference.argmax(1)).sum().item()
        bytes_ = fixed + sum(cells[row, scheme]["bytes"] for row, scheme in plan.items())
        got = []
        for kind in KINDS:
            its = [scheme for row, scheme in plan.items() if row.split(".")[0] == kind]
            got.append(", ".join(f"{its.count(s)} {s}" for s in schemes if s in its))
        return [name, f"{bytes_:,}", f"{full / bytes_:.2f}", interval(kl.numpy()), f"{same} of {len(items)}", *got]

    # What libraries print goes to standard error.
    print(f"""# EfficientNet-Lite0, measured by an evaluator

A vision model, which bitplan does not run: `Scripts/evaluators/efficientnet_evaluator.py` measures it in PyTorch
([how](../Sources/Bitplan/Bitplan.docc/Evaluators.md)). Candidates are {', '.join(f'`{s}`' for s in schemes)}, codes fitted greedily, of {len(rows)} sublayers:
the stem, a block's depthwise and its pointwise convolutions, the classifier. `Scripts/evaluators/plan_efficientnet.py` makes this page
(its head says how; it needs the packages of `Scripts/evaluators/requirements.txt`).

Swept and planned on {arguments.crops} crops of five photographs, compared on {arguments.check_crops} crops of four others, which scikit-image and scikit-learn ship. KL is that of the
predictions from those in full precision, nats an image, with a 95% bootstrap interval over images; "same class" counts images whose likeliest
class stays. The images have no labels: nothing is said of accuracy, and crops of four photographs are no test set.

| plan | bytes | times smaller | KL on other photographs | same class | {' | '.join(kind.lower() for kind in KINDS)} |
|---|---:|---:|---:|---:|{'---|' * len(KINDS)}""", file=ANSWERS)
    for name, plan in plans.items():
        print("| " + " | ".join(line(name, plan)) + " |", file=ANSWERS, flush=True)
