#!/usr/bin/env python3
"""Streams a million lines through `bitplan run` on the tiny model and says what memory it takes as lines go by.

Usage: measure_stream.py [LINES] [--report FILE]
"""
import argparse, os, subprocess, sys, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("BITPLAN", os.path.join(ROOT, ".build/release/bitplan"))


def resident(process):
    """Bytes in memory now."""
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    parser = argparse.ArgumentParser(usage="measure_stream.py [LINES] [--report FILE]")
    parser.add_argument("lines", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--report")
    arguments = parser.parse_args()
    process = subprocess.Popen([PROGRAM, "run", os.path.join(ROOT, "Fixtures/marian-native"), "--max-length", "4"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        block = 1000
        for first in range(0, arguments.lines, block):
            process.stdin.write("".join(f"the sky {number}\n" for number in range(first, min(first + block, arguments.lines))).encode())
        process.stdin.close()

    writer = threading.Thread(target=feed)
    writer.start()
    start, count, marks = time.time(), 0, []
    for _ in process.stdout:
        count += 1
        if count % (arguments.lines // 10) == 0 and count < arguments.lines:
            marks.append((count, resident(process)))
            print(f"{count:,} lines: {marks[-1][1] / 1e6:.1f} MB, {time.time() - start:.0f} s", flush=True)
    writer.join()
    if process.wait() or count != arguments.lines:
        sys.exit(f"measure_stream: exit code {process.returncode}, {count} of {arguments.lines} lines answered")
    growth = marks[-1][1] / marks[0][1]
    text = (f"{arguments.lines:,} lines through `bitplan run` on the tiny model: {marks[0][1] / 1e6:.1f} MB after {marks[0][0]:,} lines, "
            f"{marks[-1][1] / 1e6:.1f} MB after {marks[-1][0]:,}, {time.time() - start:.0f} seconds.")
    print(text)
    if arguments.report:
        path = os.path.join(ROOT, arguments.report)
        old = open(path).read() if os.path.exists(path) else "<!-- stream -->\n<!-- /stream -->\n"
        begin, end = old.index("<!-- stream -->") + len("<!-- stream -->\n"), old.index("<!-- /stream -->")
        with open(path, "w") as file:
            file.write(old[:begin] + text + "\n" + old[end:])
    sys.exit(0 if growth < 1.2 else 1)


main()
