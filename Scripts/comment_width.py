#!/usr/bin/env python3
"""Comments keep the line width that .swift-format sets: says which lines do not, or wraps them anew.

Usage: comment_width.py [--fix] [PATH ...]     (without paths: Package.swift, Sources, Tests)

With --fix, paragraphs of whole-line comments that hold a line too long are filled anew. A comment behind code is only
reported, as are lines of code blocks and tables. A line of one word, such as an address, may be longer.
"""
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = json.loads((ROOT / ".swift-format").read_text())["lineLength"]
SUFFIXES = {".swift", ".c", ".h", ".cpp"}
COMMENT = re.compile(r"^(\s*)(///?)( *)(.*)$")
ITEM = re.compile(r"^(- |\* |\d+\. )")


def files(paths):
    for path in paths:
        if not path.exists():
            sys.exit(f"comment_width: {path}: no such file or folder")
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (f for f in found if f.suffix in SUFFIXES and ".build" not in f.parts)


def comment_start(line):
    """Where `//` begins outside string literals and addresses, or None."""
    quoted = False
    for i, character in enumerate(line):
        if character == '"' and (i == 0 or line[i - 1] != "\\"):
            quoted = not quoted
        elif not quoted and line.startswith("//", i) and (i == 0 or line[i - 1] != ":"):
            return i
    return None


def is_too_long(line):
    if len(line) <= WIDTH:
        return False
    start = comment_start(line)
    return start is not None and (line[:start].strip() != "" or len(line[start:].split()) > 2)


def pieces(lines):
    """Cuts a file into lists of lines: with True a paragraph of a comment, which may be filled anew, with False one other line."""
    paragraph, place, in_string, in_code = [], None, False, False
    for line in lines:
        comment = None if in_string else COMMENT.match(line)
        if line.count('"""') % 2:
            in_string = not in_string
        indent, marker, space, text = comment.groups() if comment else ("", "", "", "")
        in_code = comment is not None and in_code != text.startswith("```")
        is_table = text.startswith("|") and text.endswith("|")
        is_text = text != "" and not in_code and not is_table and not text.startswith(("```", "#", "swift-tools"))
        item = ITEM.match(text)
        # An item's further lines are indented as its text is; what else is indented has a layout of its own.
        if is_text and paragraph and not item and place == (indent, marker, len(space)):
            paragraph.append(line)
            continue
        if paragraph:
            yield paragraph, True
            paragraph = []
        if is_text and (item or len(space) <= 1):
            paragraph, place = [line], (indent, marker, len(space) + (len(item[0]) if item else 0))
        else:
            yield [line], False
    if paragraph:
        yield paragraph, True


def filled(paragraph):
    first = COMMENT.match(paragraph[0])
    item = ITEM.match(first[4])
    hang = " " * (len(first[3]) + (len(item[0]) if item else 0))
    words = [word for line in paragraph for word in COMMENT.match(line)[4].split()]
    lines, line = [], first[1] + first[2] + first[3] + words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = first[1] + first[2] + hang + word
        else:
            line += " " + word
    return lines + [line]


def main():
    arguments = sys.argv[1:]
    fix = "--fix" in arguments
    paths = [Path(a) for a in arguments if a != "--fix"]
    found = 0
    for path in files(paths or [ROOT / "Package.swift", ROOT / "Sources", ROOT / "Tests"]):
        lines = path.read_text().split("\n")
        if fix:
            wrapped = []
            for piece, is_text in pieces(lines):
                wrapped += filled(piece) if is_text and any(map(is_too_long, piece)) else piece
            if wrapped != lines:
                path.write_text("\n".join(wrapped))
                lines = wrapped
        for number, line in enumerate(lines, 1):
            if is_too_long(line):
                found += 1
                print(f"{path}:{number}: comment of {len(line)} columns, expected at most {WIDTH}")
    sys.exit(1 if found else 0)


main()
