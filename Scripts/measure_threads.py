#!/usr/bin/env python3
"""What a second thread gives a single sentence: seconds from a line to its answer, with one thread and with two in turn.

usage: measure_threads.py TEXT MODEL... [--lines 30] [--rounds 3] [--max-length 40]
needs: BITPLAN names the program (.build/release/bitplan)

`bitplan run` gets a line and answers it before it gets the next one. Prints Markdown: medians of the rounds' means, and the range of
the rounds' ratios. Ends with an error where answers differ.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("text")
ARGUMENTS.add_argument("models", nargs="+")
ARGUMENTS.add_argument("--lines", type=int, default=30)
ARGUMENTS.add_argument("--rounds", type=int, default=3)
ARGUMENTS.add_argument("--max-length", default="40")
OPTIONS = ARGUMENTS.parse_args()
LINES = pathlib.Path(OPTIONS.text).read_text().splitlines()[:OPTIONS.lines]


def answered(model, threads):
    """Seconds a line, and the answers."""
    command = [os.environ.get("BITPLAN", ".build/release/bitplan"), "run", model, "--threads", str(threads), "--max-length", OPTIONS.max_length]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as program:
        def answer(line):
            print(line, file=program.stdin, flush=True)
            return program.stdout.readline()
        answer(LINES[0])  # opens the model
        start = time.perf_counter()
        answers = [answer(line) for line in LINES]
        return (time.perf_counter() - start) / len(LINES), answers


print("| model | one thread, ms a sentence | two threads | times faster | in the rounds |\n|---|---:|---:|---:|---:|")
for model in OPTIONS.models:
    seconds, answers = {1: [], 2: []}, []
    for _ in range(OPTIONS.rounds):
        for threads in seconds:
            taken, given = answered(model, threads)
            seconds[threads].append(taken)
            answers.append(given)
    if any(given != answers[0] for given in answers):
        sys.exit(f"measure_threads: {model}: answers differ between threads")
    one, two = (statistics.median(seconds[threads]) for threads in (1, 2))
    ratios = [a / b for a, b in zip(seconds[1], seconds[2])]
    print(f"| {pathlib.Path(model).name} | {1000 * one:.0f} | {1000 * two:.0f} | {one / two:.2f} | {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)
