"""Results kept by content, so that a run that was stopped goes on where it was."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from . import Missing, Refused


class Work:
    """A directory of results; the name of each carries a digest of everything that it was made from.

    With `is_kept` nothing new is made: what is not there raises `Missing`.
    """

    def __init__(self, directory, program, is_kept=False):
        self.directory, self.program, self.is_kept = pathlib.Path(directory), pathlib.Path(program), is_kept
        self.directory.mkdir(parents=True, exist_ok=True)
        self._digests = {}

    def digest(self, path):
        """SHA-256 of a file, or of the names and contents of a directory's files."""
        if path not in self._digests:
            hasher = hashlib.sha256()
            for file in [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file()):
                hasher.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
                with open(file, "rb") as stream:
                    while block := stream.read(1 << 20):
                        hasher.update(block)
            self._digests[path] = hasher.hexdigest()
        return self._digests[path]

    def result(self, name, parts, produce):
        """The path of a result; `produce(path)` makes the file or directory where it is not there.

        A path in `parts` counts by content.
        """
        parts = [self.digest(part) if isinstance(part, pathlib.Path) else str(part) for part in parts]
        path = self.directory / f"{name}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}"
        if not path.exists():
            if self.is_kept:
                raise Missing(f"{name}: was not computed before")
            new = path.with_suffix(f".{os.getpid()}")
            produce(new)
            os.replace(new, path)
        return path

    def bitplan(self, command, *arguments, unkeyed=(), writes_output=True):
        """What `bitplan COMMAND ARGUMENTS` writes to --output, or else prints.

        unkeyed: arguments that do not change the result.
        """
        def produce(path):
            line = [self.program, command, *arguments, *unkeyed]
            line += ["--output", path] if writes_output else []
            print("+", *line, file=sys.stderr, flush=True)
            done = subprocess.run([str(word) for word in line], capture_output=True, text=True)
            if done.returncode != 0:
                if path.is_dir():
                    shutil.rmtree(path)
                raise Refused(f"bitplan {command}: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
            if not writes_output:
                path.write_text(done.stdout, encoding="utf-8")

        return self.result(command, [self.program, command, *arguments], produce)

    def json(self, *arguments, **options):
        return json.loads(self.bitplan(*arguments, **options).read_text(encoding="utf-8"))
