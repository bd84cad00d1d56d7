#!/usr/bin/env python3
"""Kills commands (SIGKILL) at random times, a hundred times each, and says what is left.

Usage: kill.py [--times N] [--processes P] [--seed S] [--report FILE] [COMMAND ...]     (without commands: all but run)

After each kill no output is half-written: it is not there, or has the bytes of an undisturbed run. The next run goes on with the same
workspace and store. After the last kill the command runs to its end and leaves the bytes of an undisturbed run, and nothing that killed
ones have left half-written. With --processes, so many run at a time on one store, each with outputs of its own, and one of them is killed.
Linux and macOS.
"""
import argparse, os, random, shutil, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from commands import COMMANDS, ROOT, halves, prepare, result, run, start


def check(name, directory, undisturbed, when):
    for path, content in result(name, directory).items():
        if ".part" not in path and undisturbed.get(path) != content:
            return f"{name}: {path} has other bytes {when}"
    return None


def forget(directory):
    """Removes what was finished, so that there is something to do again; what was not stays."""
    directory = os.path.join(directory, "out")
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        path = os.path.join(directory, name)
        if ".part" not in name:
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def main():
    parser = argparse.ArgumentParser(usage="kill.py [--times N] [--processes P] [--seed S] [--report FILE] [COMMAND ...]")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report")
    parser.add_argument("commands", nargs="*")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    top = tempfile.mkdtemp(prefix="bitplan-kill-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    rows, wrong = [], []
    try:
        clean = os.path.join(top, "clean")
        prepare(clean)
        for name in arguments.commands or [name for name in COMMANDS if name != "run"]:
            work = os.path.join(top, name)
            shutil.copytree(clean, work)
            began = time.time()
            code, _, lines = run(name, work)
            seconds = time.time() - began
            if code:
                sys.exit(f"kill: {name} fails undisturbed: {lines}")
            undisturbed = result(name, work)
            shutil.rmtree(work)
            # One workspace for each process; their store is one file.
            places = [os.path.join(top, f"{name}{place}") for place in range(arguments.processes)]
            for place in places:
                shutil.copytree(clean, place)
                if place != places[0]:
                    os.symlink(os.path.join(places[0], "store.sqlite"), os.path.join(place, "store.sqlite"))
            killed = finished = 0
            tries = 0
            while killed < arguments.times and tries < 4 * arguments.times:
                tries += 1
                running = [start(name, place) for place in places]
                for process in running:
                    process.stdin.close()
                victim = chance.randrange(len(places))
                time.sleep(chance.uniform(0, seconds))
                if running[victim].poll() is None:
                    running[victim].send_signal(signal.SIGKILL)
                    killed += 1
                for process, place in zip(running, places):
                    error = process.stderr.read()
                    process.stdout.close()
                    process.wait(60)
                    if process.returncode not in (0, -signal.SIGKILL):
                        wrong.append(f"{name}: exit code {process.returncode}: {error[-300:]}")
                        print("WRONG " + wrong[-1], flush=True)
                    if process.returncode == 0:
                        finished += 1
                    problem = check(name, place, undisturbed, f"after {killed} kills")
                    if problem:
                        wrong.append(problem)
                        print("WRONG " + problem, flush=True)
                    # Finished work would leave nothing to disturb.
                    if process.returncode == 0:
                        forget(place)
            same = True
            for place in places:
                if name != "tune":
                    forget(place)
                code, _, lines = run(name, place)
                if halves(place):
                    wrong.append(f"{name}: half-written files stay: {halves(place)}")
                    print("WRONG " + wrong[-1], flush=True)
                if code or result(name, place) != undisturbed:
                    same = False
                    wrong.append(f"{name}: run after {killed} kills: exit code {code}, {'other files' if not code else lines[-1:]}")
                    print("WRONG " + wrong[-1], flush=True)
            rows.append((name, arguments.processes, killed, finished, same))
            print(f"{name}, {arguments.processes} at a time: {killed} kills, {finished} finished, then {'the same bytes' if same else 'OTHER BYTES'}", flush=True)
            for place in places:
                shutil.rmtree(place)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    if arguments.report:
        report(os.path.join(ROOT, arguments.report), rows, wrong, arguments.processes)
    sys.exit(1 if wrong else 0)


def report(path, rows, wrong, processes):
    mark = f"kills {processes}"
    lines = ["| command | processes on one store | kills | runs that finished between them | bytes of the run after | otherwise |", "|---|---:|---:|---:|---|---:|"]
    for name, count, killed, finished, same in rows:
        mine = sum(line.startswith(name + ":") for line in wrong)
        lines.append(f"| {name} | {count} | {killed} | {finished} | {'as undisturbed' if same else 'others'} | {mine} |")
    lines += [f"- {line}" for line in wrong]
    text = open(path).read() if os.path.exists(path) else ""
    if f"<!-- {mark} -->" not in text:
        text += f"<!-- {mark} -->\n<!-- /{mark} -->\n"
    begin, end = text.index(f"<!-- {mark} -->") + len(f"<!-- {mark} -->\n"), text.index(f"<!-- /{mark} -->")
    # Rows of commands that were not run this time stay.
    kept = [line for line in text[begin:end].splitlines()
            if line.startswith("| ") and not line.startswith("| command") and line.split()[1] not in [row[0] for row in rows]]
    lines[2:2] = kept
    with open(path, "w") as file:
        file.write(text[:begin] + "\n".join(lines) + "\n" + text[end:])


main()
