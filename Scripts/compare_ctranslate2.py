#!/usr/bin/env python3
"""Tokens per second of CTranslate2 and of bitplan on the same sentences, in alternation, as a Markdown table.

Needs ctranslate2 and transformers (Scripts/requirements.txt). CTranslate2's model is converted from MODEL by its own converter; it
runs with its default settings on one thread: greedy, every translation forced to the same length.

usage: compare_ctranslate2.py MODEL PACKED SENTENCES [--count 16] [--length 40] [--batch 1 16] [--rounds 5]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def converted(model, quantization, directory):
    """The directory of CTranslate2's own conversion."""
    import ctranslate2

    target = pathlib.Path(directory) / quantization
    ctranslate2.converters.TransformersConverter(str(model)).convert(str(target), quantization=quantization)
    return str(target)


def bitplan_round(bench, directories, options):
    """Tokens per second of one round of the benchmark, by (directory, batch)."""
    command = [str(bench), "--json", "--data", str(options.sentences), "--sentences", str(options.count)]
    command += ["--length", str(options.length), "--repetitions", "1"]
    for directory in directories:
        command += ["--model", str(directory)]
    command += ["--batch"] + [str(b) for b in options.batch]
    records = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {(r["model"], r["batch"]): r["tokensPerSecond"] for r in records}


def ctranslate2_round(translator, sources, batch, length):
    """Tokens per second: the median over the batches, as the benchmark takes it."""
    rates = []
    for start in range(0, len(sources) - batch + 1, batch):
        group = sources[start : start + batch]
        # CPU time of all its threads, as the benchmark takes thread time: what others compute meanwhile counts for neither.
        began = time.process_time()
        results = translator.translate_batch(
            group, beam_size=1, min_decoding_length=length, max_decoding_length=length, max_batch_size=0
        )
        elapsed = time.process_time() - began
        assert all(len(r.hypotheses[0]) == length for r in results)
        rates.append(batch * length / elapsed)
    return statistics.median(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("packed", type=pathlib.Path)
    parser.add_argument("sentences", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--length", type=int, default=40)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bench", type=pathlib.Path, default=ROOT / ".build/release/bitplan-bench")
    options = parser.parse_args()

    import ctranslate2
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(options.model))
    lines = options.sentences.read_text(encoding="utf-8").splitlines()[: options.count]
    sources = [tokenizer.convert_ids_to_tokens(tokenizer(line)["input_ids"]) for line in lines]
    rates = {}
    with tempfile.TemporaryDirectory() as directory:
        peers = {
            f"CTranslate2 {ctranslate2.__version__} {q}": ctranslate2.Translator(
                converted(options.model, q, directory), device="cpu", intra_threads=1, inter_threads=1
            )
            for q in ("float32", "int8")
        }
        for translator in peers.values():
            ctranslate2_round(translator, sources[: max(options.batch)], 1, options.length)
        for _ in range(options.rounds):
            for (name, batch), rate in bitplan_round(options.bench, [options.model, options.packed], options).items():
                label = "bitplan FP32" if name == str(options.model) else f"bitplan {pathlib.Path(name).name}"
                rates.setdefault((label, batch), []).append(rate)
            for name, translator in peers.items():
                for batch in options.batch:
                    rates.setdefault((name, batch), []).append(
                        ctranslate2_round(translator, sources, batch, options.length)
                    )

    names = list(dict.fromkeys(name for name, _ in rates))
    reference = next(name for name in names if name.endswith("int8"))
    print(f"| {options.count} sentences, {options.length} tokens each, one thread | "
          + " | ".join(f"batch {b}: tokens/s (rounds) | over CTranslate2 int8" for b in options.batch) + " |")
    print("|---|" + "---:|" * 2 * len(options.batch))
    for name in names:
        cells = []
        for batch in options.batch:
            mine = rates[name, batch]
            ratios = [a / b for a, b in zip(mine, rates[reference, batch])]
            cells.append(f"{statistics.median(mine):.0f} ({min(mine):.0f}-{max(mine):.0f})")
            cells.append(f"{statistics.median(ratios):.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
