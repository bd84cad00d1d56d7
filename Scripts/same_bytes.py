#!/usr/bin/env python3
"""Makes the same table, plan and packed model with 1, 2 and 4 threads and with every instruction set of the machine, and says what
differs.

Usage: same_bytes.py [--report FILE] [DIRECTORY ...]     (without directories: the models of the fixtures)

Threads must not change a byte. Instruction sets add FP32 numbers in orders of their own, so that losses may differ in their last
digits; the table says by how much at most, in how many cells by more than a 100,000th, and whether the plan is the same all the same.
Where errors are fed back (the default), a choice that is nearly a tie may fall the other way and change all that come after it;
`--fit greedy` has no feedback, and is compared too.
"""
import argparse, hashlib, json, os, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("BITPLAN", os.path.join(ROOT, ".build/release/bitplan"))
DATA = {"tatoeba-en-de": ["plan.en", "plan.de"], "sst2-bert": ["sst2.plan.tsv"], "marian-native": ["plan.en", "plan.de"]}
SCHEMES = "bcq1..4,int4,tcq2"


def run(arguments, isa=None):
    environment = {key: value for key, value in os.environ.items() if key != "BITPLAN_ISA"} | ({"BITPLAN_ISA": isa} if isa else {})
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"bitplan {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1:]}")


def files(directory):
    """SHA-256 of every file."""
    return {os.path.relpath(os.path.join(folder, name), directory): hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest()
            for folder, _, names in os.walk(directory) for name in names}


def make(model, data, work, threads, isa, fit=None):
    os.makedirs(work)
    text = ["--data", *data, "--limit", "12", "--no-store"]
    options = [*text, "--threads", str(threads)]
    table, plan = f"{work}/table.json", f"{work}/plan.json"
    fitting = ["--fit", fit] if fit else []
    run(["sweep", model, *options, *fitting, "--schemes", SCHEMES, "--no-groups", "--output", table], isa)
    run(["plan", table, "--size", "8x" if "native" not in model else "3x", "--model", model, *options, "--effort", "12", "--output", plan], isa)
    run(["quantize", model, "--plan", plan, *text, "--output", f"{work}/packed"], isa)
    return json.load(open(table)), json.load(open(plan)), files(work)


def main():
    parser = argparse.ArgumentParser(usage="same_bytes.py [--report FILE] [DIRECTORY ...]")
    parser.add_argument("--report")
    parser.add_argument("directories", nargs="*")
    arguments = parser.parse_args()
    failed, rows = False, []
    for model in arguments.directories or [os.path.join(ROOT, "Fixtures", name) for name in DATA]:
        name = os.path.basename(model.rstrip("/"))
        data = [os.path.join(ROOT, "Fixtures/data", file) for file in DATA[name]]
        with tempfile.TemporaryDirectory() as top:
            table, plan, bytes_ = make(model, data, f"{top}/2", 2, None)
            for threads in (1, 4):
                _, _, other = make(model, data, f"{top}/{threads}", threads, None)
                differing = sorted(path for path in bytes_ if other.get(path) != bytes_[path])
                failed |= bool(differing)
                rows.append((name, f"{threads} threads against 2", "0" if not differing else "-", "0" if not differing else "-", "yes" if not differing else "NO", "all" if not differing else f"not {differing}"))
                print(*rows[-1], sep=" | ", flush=True)
            for fit in (None, "greedy"):
                if fit:
                    table, plan, bytes_ = make(model, data, f"{top}/{fit}", 2, None, fit)
                for isa in ("avx512", "avx2", "portable"):
                    try:
                        other_table, other_plan, other = make(model, data, f"{top}/{isa}-{fit}", 2, isa, fit)
                    except RuntimeError as error:
                        missing = "does not have" in str(error)
                        print(f"{name}, {isa}: {'not on this machine' if missing else error}", flush=True)
                        failed |= not missing
                        continue
                    cells, others = ({(cell["row"], cell["scheme"]): cell["measurement"]["klNats"] for cell in one["bySublayer"]}
                                     for one in (table, other_table))
                    relative = {key: abs(others[key] - kl) / max(abs(kl), 1e-12) for key, kl in cells.items()}
                    worst = max(relative, key=relative.get)
                    same = other_plan["sublayers"] == plan["sublayers"]
                    differing = [key for key, scheme in plan["sublayers"].items() if other_plan["sublayers"].get(key) != scheme]
                    packed = all(other.get(path) == digest for path, digest in bytes_.items() if path.startswith("packed/model"))
                    rows.append((name, f"{isa} against the widest" + (f", `--fit {fit}`" if fit else ""),
                                 f"{relative[worst]:.1e} ({worst[0]} under {worst[1]})" if relative[worst] else "0",
                                 f"{sum(value > 1e-5 for value in relative.values())} of {len(relative)}",
                                 "yes" if same else f"no: {', '.join(differing)}", "model.safetensors" if packed else "none"))
                    print(*rows[-1], sep=" | ", flush=True)
    if arguments.report:
        lines = ["| model | runs compared | largest relative difference of a cell's KL | cells beyond 1e-5 | same plan | same bytes |", "|---|---|---:|---:|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        path = os.path.join(ROOT, arguments.report)
        text = open(path).read() if os.path.exists(path) else "<!-- bytes -->\n<!-- /bytes -->\n"
        start, end = text.index("<!-- bytes -->") + len("<!-- bytes -->\n"), text.index("<!-- /bytes -->")
        with open(path, "w") as file:
            file.write(text[:start] + "\n".join(lines) + "\n" + text[end:])
    sys.exit(1 if failed else 0)


main()
