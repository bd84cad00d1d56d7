#!/usr/bin/env python3
"""Compares what --dry-run says of time and memory with what then happens, and writes a table.

Usage: measure_estimates.py [--report FILE]

Every command runs on the models of the fixtures, without a store, in a process of its own; CPU seconds and the largest resident set
are those that the system counts (getrusage). CPU seconds are compared, as another program may have the processors.
"""
import argparse, json, os, resource, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("BITPLAN", os.path.join(ROOT, ".build/release/bitplan"))
FIXTURES = os.path.join(ROOT, "Fixtures")
PAIRS = ["--data", f"{FIXTURES}/data/plan.en", f"{FIXTURES}/data/plan.de"]
LABELS = ["--data", f"{FIXTURES}/data/sst2.plan.tsv"]


def run(arguments):
    """JSON of standard output, CPU seconds, and the largest resident set in bytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as error:
        process = subprocess.Popen([PROGRAM, *arguments], stdout=output, stderr=error)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        error.seek(0)
        if status:
            sys.exit(f"measure_estimates: bitplan {' '.join(arguments)}: {error.read()[-500:]}")
        text = output.read()
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return text, usage.ru_utime + usage.ru_stime, memory


def main():
    parser = argparse.ArgumentParser(usage="measure_estimates.py [--report FILE]")
    parser.add_argument("--report")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        translation, classifier = f"{FIXTURES}/tatoeba-en-de", f"{FIXTURES}/sst2-bert"
        table, plan = f"{work}/table.json", f"{work}/plan.json"
        run(["sweep", translation, *PAIRS, "--limit", "20", "--schemes", "bcq2,bcq3,bcq4", "--no-store", "--output", table])
        run(["plan", table, "--size", "10x", "--output", plan])
        threads = ["--no-store", "--threads", "2"]
        commands = [
            ("sweep, translation, 60 items, 4 schemes", ["sweep", translation, *PAIRS, "--limit", "60", "--schemes", "bcq1..4", *threads, "--output", f"{work}/a.json"]),
            ("sweep, classifier, 100 items, greedy", ["sweep", classifier, *LABELS, "--schemes", "bcq1..4,int4", "--fit", "greedy", *threads, "--output", f"{work}/b.json"]),
            ("plan in context, 60 measurements", ["plan", table, "--size", "10x", "--model", translation, *PAIRS, "--limit", "60", "--effort", "60", *threads, "--output", f"{work}/c.json"]),
            ("tune, 20 steps", ["tune", translation, "--plan", plan, *PAIRS, "--limit", "100", "--steps", "20", *threads, "--output", f"{work}/tuned"]),
            ("auto, classifier, 60 items", ["auto", classifier, *LABELS, "--limit", "60", "--schemes", "bcq2,bcq3", "--size", "10x", "--effort", "40", *threads,
                      "--name", "n", "--reports", f"{work}/r", "--plans", f"{work}/p", "--output", f"{work}/packed"]),
        ]
        for name, command in commands:
            said = json.loads(run([*command, "--dry-run", "--json"])[0])
            _, seconds, memory = run(command)
            cpu = sum(said["cpuSeconds"].values()) if "cpuSeconds" in said else None
            rows.append((name, cpu, seconds, said["peakMemoryBytes"], memory))
            ratio = f"{cpu / seconds:.2f}" if cpu else "-"
            print(f"{name}: CPU seconds {cpu and round(cpu, 1)} said, {seconds:.1f} taken ({ratio}); memory {said['peakMemoryBytes'] / 1e6:.0f} MB said, "
                  f"{memory / 1e6:.0f} MB taken ({said['peakMemoryBytes'] / memory:.2f})", flush=True)
    if arguments.report:
        lines = ["| command | CPU seconds said | taken | ratio | peak memory said, MB | taken | ratio |", "|---|---:|---:|---:|---:|---:|---:|"]
        for name, cpu, seconds, said, memory in rows:
            lines.append(f"| {name} | {f'{cpu:.1f}' if cpu else '-'} | {seconds:.1f} | {f'{cpu / seconds:.2f}' if cpu else '-'} | {said / 1e6:.0f} | {memory / 1e6:.0f} | {said / memory:.2f} |")
        path = os.path.join(ROOT, arguments.report)
        text = open(path).read() if os.path.exists(path) else "<!-- estimates -->\n<!-- /estimates -->\n"
        start, end = text.index("<!-- estimates -->") + len("<!-- estimates -->\n"), text.index("<!-- /estimates -->")
        with open(path, "w") as file:
            file.write(text[:start] + "\n".join(lines) + "\n" + text[end:])


main()
