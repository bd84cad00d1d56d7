#!/usr/bin/env python3
"""Whether the plan that is best before training is best behind it: neighbours of a plan, each trained for a short time.

usage: tuned_plans.py MODEL TABLE PLAN --data FILE... --held-out FILE... [--calibration FILE...] [--plans 12] [--steps 150]
                      [--recipe scales] [--work DIR]
needs: BITPLAN names the program (.build/release/bitplan)

A neighbour moves one to three sublayers of the plan to the next larger scheme of the table and others to the next smaller
one, by a seed, and stays within the plan's bytes. Each is fitted, measured and trained by `bitplan tune`, all in the same way.
What was trained stays in the work directory. Prints Markdown.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("model")
ARGUMENTS.add_argument("table")
ARGUMENTS.add_argument("plan")
ARGUMENTS.add_argument("--data", nargs="+", required=True)
ARGUMENTS.add_argument("--held-out", nargs="+", required=True)
ARGUMENTS.add_argument("--held-out-limit", default="200")
ARGUMENTS.add_argument("--calibration", nargs="+")
ARGUMENTS.add_argument("--calibration-limit", default="1000")
ARGUMENTS.add_argument("--plans", type=int, default=12)
ARGUMENTS.add_argument("--steps", default="150")
ARGUMENTS.add_argument("--recipe", default="scales")
ARGUMENTS.add_argument("--work", default=".build/tuned-plans")
OPTIONS = ARGUMENTS.parse_args()

table, plan = json.load(open(OPTIONS.table)), json.load(open(OPTIONS.plan))
sizes = {}
for cell in table["bySublayer"]:
    sizes.setdefault(cell["row"], {})[cell["scheme"]] = cell["bytes"]
rows = [row for row in plan["sublayers"] if row in sizes and row != "Vectors"]


def size(schemes):
    return sum(sizes[row][schemes[row]] for row in rows)


def step(row, scheme, direction):
    """The scheme of the same family that is next in bytes."""
    family = [s for s in sizes[row] if s[:3] == scheme[:3]]
    ordered = sorted(family, key=lambda s: sizes[row][s])
    place = ordered.index(scheme) + direction
    return ordered[place] if 0 <= place < len(ordered) else None


def neighbour(seed):
    chance = random.Random(seed)
    schemes = dict(plan["sublayers"])
    for row in chance.sample(rows, chance.randint(1, 3)):
        schemes[row] = step(row, schemes[row], 1) or schemes[row]
    others = chance.sample(rows, len(rows))
    while size(schemes) > size(plan["sublayers"]):
        row = others.pop()
        schemes[row] = step(row, schemes[row], -1) or schemes[row]
    return schemes


def trained(name, schemes):
    work = pathlib.Path(OPTIONS.work)
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"{name}.plan.json"
    json.dump({"model": plan["model"], "fit": plan["fit"], "sublayers": schemes}, open(file, "w"), indent=1, sort_keys=True)
    log = work / f"{name}.training.json"
    if not log.exists():
        command = [os.environ.get("BITPLAN", ".build/release/bitplan"), "tune", OPTIONS.model, "--plan", file, "--no-store",
                   "--data", *OPTIONS.data, "--held-out", *OPTIONS.held_out, "--held-out-limit", OPTIONS.held_out_limit,
                   "--calibration", *(OPTIONS.calibration or OPTIONS.data), "--calibration-limit", OPTIONS.calibration_limit,
                   "--recipe", OPTIONS.recipe, "--steps", OPTIONS.steps, "--output", work / name]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
    result = json.load(open(log))
    losses = [point["heldOut"] for point in result["points"]]
    return {"name": name, "bytes": result["bytes"], "before": losses[0], "after": min(losses)}


def ranks(values):
    order = sorted(range(len(values)), key=lambda i: values[i])
    return [order.index(i) for i in range(len(values))]


candidates = {"plan": plan["sublayers"]}
for seed in range(1000):
    if len(candidates) > OPTIONS.plans:
        break
    schemes = neighbour(seed)
    if schemes not in candidates.values():
        candidates[f"neighbour-{seed}"] = schemes
results = [trained(name, schemes) for name, schemes in candidates.items()]
before, after = ([r[key] for r in results] for key in ["before", "after"])
n = len(results)
squares = sum((a - b) ** 2 for a, b in zip(ranks(before), ranks(after)))
first, last = min(results, key=lambda r: r["before"]), min(results, key=lambda r: r["after"])
print(f"""# Plans after training

`Scripts/tuned_plans.py` makes this table: a plan and {n - 1} neighbours of its size, each trained for {OPTIONS.steps} steps by the recipe
`{OPTIONS.recipe}`; KL on held-out items before and behind it.

Rank correlation of KL before with KL after: {1 - 6 * squares / (n * (n * n - 1)):.3f}. Best before: {first['name']} ({first['before']:.4f} ->
{first['after']:.4f}); best after: {last['name']} ({last['before']:.4f} -> {last['after']:.4f}).

| plan | bytes | KL before | KL after | share won back | what differs |
|---|---:|---:|---:|---:|---|""")
for result in sorted(results, key=lambda r: r["after"]):
    schemes = candidates[result["name"]]
    changes = ", ".join(f"{row} {plan['sublayers'][row]} -> {schemes[row]}" for row in rows if schemes[row] != plan["sublayers"][row])
    print(f"| {result['name']} | {result['bytes']:,} | {result['before']:.4f} | {result['after']:.4f} "
          f"| {1 - result['after'] / result['before']:.0%} | {changes or '-'} |")
