#!/usr/bin/env python3
"""Measures the parts of a sweep beside what `bitplan cost --sweep` says of them, for 1, 2 and 4 machines.

    ../shared/tools/make_shape_model.py ../shared/models/opus-mt-zh-en-shape ZH-EN
    python3 Scripts/measure_shards.py ZH-EN --data ../shared/data/newstest2019.zh-en.{zh,en} --work DIRECTORY > Reports/shards.md

The machines are this one, one part after the other. CPU seconds are those that the system counts of a part's process; memory is its
peak. Needs nothing beside Python.
"""
import argparse
import json
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def measured(command):
    """CPU seconds and peak bytes of a process that must succeed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: {errors.strip()}")
    return usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--limit", default="20", help="items of the data")
    parser.add_argument("--schemes", default="bcq2,int4,tcq3")
    parser.add_argument("--fit", default="greedy")
    parser.add_argument("--machines", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--bitplan", default=str(ROOT / ".build/release/bitplan"))
    parser.add_argument("--work", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    options = [arguments.model, "--schemes", arguments.schemes, "--fit", arguments.fit, "--limit", arguments.limit,
               "--threads", "2", "--data", *arguments.data]
    shown = " ".join([pathlib.Path(arguments.model).name, *options[1:-len(arguments.data)],
                      *(pathlib.Path(file).name for file in arguments.data)])
    print(f"""# Sweeps in parts: predicted and measured

`bitplan cost --sweep --machines N` beside `bitplan sweep --shard I/N`, by `python3 Scripts/measure_shards.py` ({time.strftime('%Y-%m-%d')}, two cores;
`{shown}`). CPU seconds are of all threads; memory is a part's peak; part 1/1 is the whole sweep.

| machines | part | cells | predicted, CPU s | measured, CPU s | off by | predicted peak, MB | measured peak, MB | predicted store, kB | measured store, kB |
|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|""")
    totals = []
    for machines in arguments.machines:
        said = subprocess.run([arguments.bitplan, "cost", *options, "--sweep", "--machines", str(machines), "--json"],
                              check=True, capture_output=True, text=True).stdout
        estimate = json.loads(said)
        sums = [0.0, 0.0]
        for part in estimate["parts"]:
            store = arguments.work / f"part.{part['shard'].replace('/', '.')}"
            for left in arguments.work.glob(f"{store.name}*"):
                left.unlink()
            seconds, peak = measured([arguments.bitplan, "sweep", *options, "--shard", part["shard"], "--store", str(store)])
            copy = store.with_suffix(".copy")
            subprocess.run([arguments.bitplan, "store", "merge", str(store), str(store), "--output", str(copy)],
                           check=True, stdout=subprocess.DEVNULL)
            predicted = sum(part["cpuSeconds"].values())
            sums = [sums[0] + predicted, sums[1] + seconds]
            print(f"| {machines} | {part['shard']} | {part['cells']} | {predicted:.1f} | {seconds:.1f} | {100 * (predicted / seconds - 1):+.0f}% "
                  f"| {estimate['peakMemoryBytes'] / 1e6:.0f} | {peak / 1e6:.0f} | {part['bytesSent'] / 1e3:.0f} "
                  f"| {copy.stat().st_size / 1e3:.0f} |", flush=True)
        moved = sum(estimate["bytesReceived"] + part["bytesSent"] for part in estimate["parts"])
        totals.append(f"{machines} machines: {sums[0]:.0f} and {sums[1]:.0f} CPU s, {moved / 1e6:.0f} MB moved")
    print(f"\nAll parts, predicted and measured: {'; '.join(totals)}.")
