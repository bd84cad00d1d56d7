#!/usr/bin/env python3
"""Makes each call of the file system fail, one after the other, in every command, and says what came of it.

Usage: inject.py [--step N] [--report FILE] [COMMAND ...]     (without commands: all)

For every command, call and error, the n-th such call on a file of the workspace fails, for n from 1 until a run has fewer. Each run
must end in one of two ways: the work is done, its files those of an undisturbed run; or one line names a file, the exit code is 1 and
nothing half-written is left. The command is then run again, undisturbed, on what is there, and must leave the same bytes. --step takes
every n-th call alone. Linux only (LD_PRELOAD).
"""
import argparse, collections, errno, os, shutil, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from commands import COMMANDS, PROGRAM, ROOT, contents, halves, prepare, result, run

# Calls, what they fail with, and whether all later ones fail too.
FAULTS = [("open", "EIO", 0), ("open", "ENOENT", 0), ("open", "EROFS", 1), ("open", "EMFILE", 1), ("read", "EIO", 0), ("read", "EIO", 1), ("write", "EIO", 0),
          ("write", "ENOSPC", 1), ("rename", "EIO", 0), ("rename", "ENOSPC", 1), ("fsync", "EIO", 0), ("mmap", "ENOMEM", 0), ("mmap", "ENOMEM", 1),
          ("ftruncate", "ENOSPC", 1)]


def build(directory):
    library = os.path.join(directory, "faults.so")
    swift = shutil.which("swift")
    clang = os.path.join(os.path.dirname(swift), "clang") if swift else "clang"
    subprocess.run([clang, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", os.path.join(ROOT, "Tests/Faults/faults.c"), "-ldl", "-o", library], check=True)
    return library


def judge(name, directory, before, undisturbed, output, code, text, lines):
    """What came of a disturbed run: `done` or `refused`, or what is wrong with it."""
    errors = [line for line in lines if line.startswith("bitplan: ") and not line.startswith("bitplan: note: ")]
    if code == 0:
        if result(name, directory) != undisturbed:
            return "exit code 0, other files than undisturbed"
        return "done" if text == output or name != "run" else "exit code 0, another output"
    if code != 1:
        return f"exit code {code}"
    if len(errors) != 1:
        return f"{len(errors)} error lines"
    if "/" not in errors[0] and "standard" not in errors[0]:
        return "no file named"
    if halves(directory):
        return f"half-written {halves(directory)[0]}"
    for path, content in result(name, directory).items():
        if path in undisturbed and content != undisturbed[path]:
            return f"other bytes in {path}"
    now = contents(directory)
    if any(now.get(path) != content for path, content in before.items() if not path.startswith("store.sqlite")):
        return "input files changed"
    return "refused"


def main():
    parser = argparse.ArgumentParser(usage="inject.py [--step N] [--report FILE] [COMMAND ...]")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--report")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("commands", nargs="*")
    arguments = parser.parse_args()
    top = tempfile.mkdtemp(prefix="bitplan-faults-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    table, wrong = collections.OrderedDict(), []
    try:
        library = build(top)
        clean = os.path.join(top, "clean")
        prepare(clean)
        before = contents(clean)
        work = os.path.join(top, "work")
        for name in arguments.commands or COMMANDS:
            shutil.copytree(clean, work)
            code, output, lines = run(name, work)
            undisturbed = result(name, work)
            shutil.rmtree(work)
            if code or (COMMANDS[name][1] and not undisturbed):
                sys.exit(f"inject: {name} fails undisturbed: {lines}")
            for call, error, lasts in FAULTS:
                counts = collections.Counter()
                table[name, call, error, lasts] = counts
                number = 1
                while True:
                    shutil.copytree(clean, work)
                    log = os.path.join(top, "log")
                    if os.path.exists(log):
                        os.remove(log)
                    code, text, lines = run(name, work, {
                        "LD_PRELOAD": library, "BITPLAN_FAULT_CALL": call, "BITPLAN_FAULT_PREFIX": work + "/", "BITPLAN_FAULT_NUMBER": str(number),
                        "BITPLAN_FAULT_ERROR": str(getattr(errno, error)), "BITPLAN_FAULT_LASTS": str(lasts), "BITPLAN_FAULT_LOG": log})
                    if not os.path.exists(log):
                        shutil.rmtree(work)
                        break
                    outcome = judge(name, work, before, undisturbed, output, code, text, lines)
                    if outcome in ("done", "refused"):
                        code, text, again = run(name, work)
                        if code:
                            outcome = f"run again: exit code {code}: {again[-1:]}"
                        elif result(name, work) != undisturbed:
                            outcome = "run again: other files than undisturbed"
                    if outcome in ("done", "refused"):
                        counts[outcome] += 1
                    else:
                        counts["wrong"] += 1
                        first = open(log).readline().strip().replace(work, "")
                        wrong.append(f"{name}: {error} at {first}: {outcome}: {' | '.join(lines)[-300:]}".replace(work, ""))
                        print("WRONG " + wrong[-1], flush=True)
                    if arguments.verbose and code:
                        print(f"{name} {call} {number}: {outcome}: {lines[-1:]}".replace(work, ""), flush=True)
                    shutil.rmtree(work)
                    number += arguments.step
                if arguments.report:
                    report(os.path.join(ROOT, arguments.report), table, wrong, arguments.step)
                print(f"{name}: {call} {error}{' and after' if lasts else ''}: " + (", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no such call"), flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    sys.exit(1 if wrong else 0)


def report(path, table, wrong, step):
    lines = [
        "| command | call | fails with | disturbed runs | work done all the same | one line, exit code 1, nothing half-written | otherwise |", "|---|---|---|---:|---:|---:|---:|"]
    for (name, call, error, lasts), counts in table.items():
        lines.append(f"| {name} | {call} | {error}{', and all after' if lasts else ''} | {sum(counts.values())} | {counts['done']} | {counts['refused']} | {counts['wrong']} |")
    lines += ["", f"{sum(sum(c.values()) for c in table.values()):,} disturbed runs, each run again undisturbed afterwards with the bytes of a run that was never disturbed; {len(wrong)} otherwise."
              + (f" Of the calls of a run, every {step}th failed: `inject.py --step {step}`." if step > 1 else "")]
    lines += [f"- {line}" for line in wrong]
    text = open(path).read() if os.path.exists(path) else "<!-- calls -->\n<!-- /calls -->\n"
    start, end = text.index("<!-- calls -->") + len("<!-- calls -->\n"), text.index("<!-- /calls -->")
    with open(path, "w") as file:
        file.write(text[:start] + "\n".join(lines) + "\n" + text[end:])


main()
