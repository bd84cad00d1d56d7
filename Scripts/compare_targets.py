#!/usr/bin/env python3
"""Which KL tells the loss of a translation metric better: KL on references, or KL on the model's own translations?

usage: compare_targets.py MODEL OUT [--plans DIR] [--count N] [--fit FIT] [--schemes LIST] [--metric NAME] [--limit N]
                          [--text FILE...] [--text-limit N] --data SOURCE REFERENCE

Encodes plans, evaluates each on the data (which should be others than those that plans were made on) and prints Markdown: both KL and
the metric of every plan, and Spearman's rank correlation of each KL with the loss of the metric, with 95% bootstrap intervals over the
plans. The plans are the files of DIR; without it they are made here: a uniform plan of every scheme, the presets, and random mixtures of
two or three schemes by seed, until there are N. A plan that the model has no room for is an error. Evaluations stay in OUT and are not
made twice.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys

from compare_signals import spearman

BITPLAN = os.environ.get("BITPLAN", ".build/release/bitplan")
PRESETS = ["chung", "chung:4", "chung:8"]


def bitplan(*arguments):
    """What a command prints as JSON; its one line of error ends the script."""
    done = subprocess.run([BITPLAN, *map(str, arguments), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip() or f"bitplan {arguments[0]} ended with {done.returncode}")
    return json.loads(done.stdout)


def made_plans(options):
    """Names, and the arguments of `quantize` that say what each plan is."""
    inspected = bitplan("inspect", options.model)
    # Biases and norms have no codes: FP16, as in uniform plans.
    names = [sublayer["name"] for sublayer in inspected["layout"]["sublayers"] if sublayer["name"] != "Vectors"]
    schemes = options.schemes.split(",")
    fit = ["--fit", options.fit]
    plans = [(f"uniform {scheme}", ["--preset", scheme, *fit]) for scheme in schemes]
    plans += [(f"preset {preset}", ["--preset", preset, *fit]) for preset in PRESETS]
    for seed in range(max(0, options.count - len(plans))):
        generator = random.Random(seed)
        chosen = generator.sample(schemes, min(len(schemes), generator.choice([2, 3])))
        plan = {
            "model": inspected["model"], "fit": options.fit,
            "sublayers": {name: generator.choice(chosen) for name in names} | {"Vectors": "fp16"},
        }
        file = options.out / f"mixture-{seed}.plan.json"
        file.write_text(json.dumps(plan, indent=1))
        plans.append((f"mixture {seed}", ["--plan", file]))
    return plans


def evaluated(options, name, quantizing):
    """The evaluation of a plan; of the model itself where there is nothing to quantize."""
    result = options.out / f"{name.replace(' ', '-').replace(':', '-')}.evaluation.json"
    if not result.exists():
        model = options.model
        if quantizing:
            model = options.out / "packed"
            text = ["--data", *options.text] if options.text else []
            text += ["--limit", options.text_limit] if options.text and options.text_limit else []
            bitplan("quantize", options.model, *quantizing, *text, "--store", options.out / "own.sqlite", "--output", model)
        limit = ["--limit", options.limit] if options.limit else []
        evaluation = bitplan(
            "evaluate", model, "--reference", options.model, "--timed", "0", "--store", options.out / "own.sqlite", *limit,
            "--data", *options.data)
        if "klOwn" not in evaluation or options.metric not in evaluation:
            sys.exit(f"{options.model}: expected a translation model and a reference file, whose KL on own outputs and "
                     f"'{options.metric}' can be measured")
        result.write_text(json.dumps(evaluation))
        if quantizing:
            shutil.rmtree(model)
    return json.loads(result.read_text())


def interval(values):
    """The middle 95% of values."""
    cuts = statistics.quantiles(values, n=40, method="inclusive")
    return f"{cuts[0]:.3f} to {cuts[-1]:.3f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--plans", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--fit", default="greedy")
    parser.add_argument("--schemes", default="bcq1,bcq2,bcq3,bcq4,int4:g64,nf4")
    parser.add_argument("--metric", default="bleu")
    parser.add_argument("--limit")
    parser.add_argument("--text", nargs="+", default=[])
    parser.add_argument("--text-limit")
    parser.add_argument("--data", nargs=2, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.plans:
        plans = [(file.name.removesuffix(".json"), ["--plan", file]) for file in sorted(options.plans.glob("*.json"))]
    else:
        plans = made_plans(options)
    if len(plans) < 3:
        sys.exit(f"plans: expected at least 3 (20 or more to tell anything), got {len(plans)}")

    full = evaluated(options, "full precision", [])[options.metric]
    rows = []
    print(f"| plan | bytes | KL on references | KL on own translations | {options.metric} | loss |\n|---|---|---|---|---|---|")
    for name, quantizing in plans:
        result = evaluated(options, name, quantizing)
        loss = full - result[options.metric]
        rows.append((result["kl"], result["klOwn"], loss))
        print(f"| {name} | {result['bytes']:,} | {result['kl']:.4f} | {result['klOwn']:.4f} | {result[options.metric]:.2f} | {loss:.2f} |",
              flush=True)

    def correlations(rows):
        """Those of KL on references and of KL on own translations with the loss."""
        references, own, losses = zip(*rows)
        return spearman(references, losses), spearman(own, losses)

    generator = random.Random(0)
    resampled = []
    while len(resampled) < 10_000:
        sample = generator.choices(rows, k=len(rows))
        # A sample of one plan alone has no ranks.
        if all(len(set(column)) > 1 for column in zip(*sample)):
            resampled.append(correlations(sample))
    references, own = correlations(rows)
    print(f"\n{len(rows)} plans, {options.metric} of the model in full precision {full:.2f}; rank correlation with the loss of "
          f"{options.metric}:\n\n| KL | Spearman | 95% interval |\n|---|---|---|")
    print(f"| on references | {references:.3f} | {interval([r for r, _ in resampled])} |")
    print(f"| on own translations | {own:.3f} | {interval([o for _, o in resampled])} |")
    print(f"| own less references | {own - references:+.3f} | {interval([o - r for r, o in resampled])} |")


if __name__ == "__main__":
    main()
