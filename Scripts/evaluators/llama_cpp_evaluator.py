#!/usr/bin/env python3
"""An evaluator of a GGUF model through llama.cpp's own programs: what it loses under llama.cpp's own types.

    bitplan sweep --evaluator 'python3 Scripts/evaluators/llama_cpp_evaluator.py MODEL.gguf --data text --context 512' ...

`llama-quantize --tensor-type-file` writes each assignment, `llama-perplexity --kl-divergence` measures it. An item is a chunk of
the text; of its tokens the second half is predicted. llama-perplexity prints means over the chunks so far with 5 digits behind the
point: an item's KL is their difference, so single items are known to about their number times 1e-5 nats a token, sums of all
exactly as printed. A GGUF in F32 or F16 is full precision. Bytes are those of bitplan's schemes, which these types are:
int8:g32:fp16 is Q8_0, int5:g32:fp16 Q5_0, int5:g32:asym:fp16 Q5_1, int4:g32:fp16 Q4_0, int4:g32:asym:fp16 Q4_1.
"""
import argparse
import hashlib
import math
import pathlib
import re
import struct
import subprocess
import tempfile

from bitplan_evaluator import Refused, serve, sha256

REVISION = "1"
TYPES = {"fp16": "f16", "int8:g32:fp16": "q8_0", "int5:g32:fp16": "q5_0", "int5:g32:asym:fp16": "q5_1",
         "int4:g32:fp16": "q4_0", "int4:g32:asym:fp16": "q4_1"}
# Formats of GGUF's numbers by type; 8 is text, 9 an array.
NUMBERS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
# Chunk, then mean and error of perplexity, of its logarithm's change, and of KL.
ROW = re.compile(r"^\s*(\d+)\s+([\d.]+) ±\s*\S+\s+(-?[\d.]+) ±\s*\S+\s+(-?[\d.]+) ±", re.M)


def matrices(file):
    """(name, rows, columns) of a GGUF's matrices, and how many other numbers it has. Format: ggml's docs/gguf.md."""
    with open(file, "rb") as stream:
        def number(form):
            return struct.unpack(form, stream.read(struct.calcsize(form)))[0]

        def text():
            return stream.read(number("<Q")).decode()

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                its = number("<I")
                return [value(its) for _ in range(number("<Q"))]
            return number(NUMBERS[kind])
        if stream.read(4) != b"GGUF" or number("<I") not in (2, 3):
            raise SystemExit(f"{file}: expected a GGUF file of version 2 or 3")
        tensors, settings = number("<Q"), number("<Q")
        architecture = {text(): value(number("<I")) for _ in range(settings)}.get("general.architecture", "gguf")
        found, others = [], 0
        for _ in range(tensors):
            name, sizes = text(), [number("<Q") for _ in range(number("<I"))]
            if number("<I") not in (0, 1, 30):
                raise SystemExit(f"{file}: '{name}' is quantized already: expected F32, F16 or BF16")
            number("<Q")
            if len(sizes) == 2 and name.endswith(".weight"):
                found.append((name, sizes[1], sizes[0]))
            else:
                others += math.prod(sizes)
    return architecture, found, others


def sublayer(name):
    """`blk.3.attn_q.weight` is of Attention.3."""
    found = re.match(r"blk\.(\d+)\.(attn|ffn)", name)
    if found:
        return f"{'Attention' if found.group(2) == 'attn' else 'FFN'}.{found.group(1)}"
    return "Emb" if name.startswith("token_embd") else "Head"


class LlamaCppEvaluator:
    def __init__(self, arguments):
        self.arguments = arguments
        self.architecture, self.matrices, self.others = matrices(arguments.model)
        self.directory = tempfile.TemporaryDirectory(prefix="bitplan-llama-")
        self.base = pathlib.Path(self.directory.name) / "base.kld"
        self.run(arguments.perplexity, "-m", arguments.model, "-f", arguments.data, "-c", arguments.context,
                 "--kl-divergence-base", self.base, *(["--chunks", arguments.chunks] if arguments.chunks else []))
        self.reference = self.measure(arguments.model)

    def run(self, program, *words):
        try:
            done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
        except OSError as error:
            raise Refused(f"{program}: {error.strerror}")
        if done.returncode:
            last = (done.stderr.strip() or "no word of why").splitlines()[-1]
            raise Refused(f"{program} ended with status {done.returncode}: {last}")
        return done.stdout + done.stderr

    def measure(self, model):
        """(KL, cross-entropy) of every chunk, summed over its predictions."""
        said = self.run(self.arguments.perplexity, "-m", model, "--kl-divergence-base", self.base, "--kl-divergence")
        rows = [(int(n), math.log(float(ppl)), float(kl)) for n, ppl, _, kl in ROW.findall(said)]
        if not rows or [row[0] for row in rows] != list(range(1, len(rows) + 1)):
            raise Refused(f"{self.arguments.perplexity} printed {len(rows)} chunks, expected each from 1 on")
        sums = [(0.0, 0.0)] + [(n * kl, n * entropy) for n, entropy, kl in rows]
        return [tuple(self.predictions * (a - b) for a, b in zip(now, before)) for before, now in zip(sums, sums[1:])]

    @property
    def predictions(self):
        return self.arguments.context - 1 - self.arguments.context // 2

    def describe(self):
        sublayers = {}
        for name, rows, columns in self.matrices:
            sublayers.setdefault(sublayer(name), []).append({"tensor": name, "rows": rows, "columns": columns})
        count = len(self.reference)
        with open(self.arguments.model, "rb") as file:
            identity = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "model": {"type": self.architecture, "sha256": identity},
            "configuration": sha256(REVISION, self.arguments.quantize, self.arguments.perplexity),
            "layout": {"sublayers": [{"name": n, "matrices": m} for n, m in sublayers.items()],
                       "fixedParameters": self.others},
            "data": {"sha256": sha256(pathlib.Path(self.arguments.data).read_bytes(),
                                      f"{self.arguments.context} {self.arguments.chunks}"),
                     "predictions": [self.predictions] * count, "targets": [self.predictions] * count,
                     "metric": "perplexity"},
            "candidates": list(TYPES), "fit": "greedy",
        }

    def assigned(self, schemes):
        """What every chunk loses under an assignment."""
        if not schemes:
            return [(0.0, entropy) for _, entropy in self.reference]
        lines = []
        for name, _, columns in self.matrices:
            scheme = schemes.get(name)
            if scheme and scheme not in TYPES:
                raise Refused(f"llama.cpp has no type for '{scheme}': expected one of {', '.join(TYPES)}")
            if scheme and scheme != "fp16" and columns % 32:
                raise Refused(f"'{name}': rows of {columns} do not divide into blocks of 32")
            lines.append(f"^{re.escape(name)}$={TYPES[scheme] if scheme else 'f32'}\n")
        folder = pathlib.Path(self.directory.name)
        (folder / "types").write_text("".join(lines))
        self.run(self.arguments.quantize, "--tensor-type-file", folder / "types", self.arguments.model,
                 folder / "model.gguf", "Q8_0")
        return self.measure(folder / "model.gguf")

    def losses(self, schemes, items, encoding):
        found = self.assigned(schemes)
        return [found[i][0] for i in items], [found[i][1] for i in items]

    def metric(self, schemes, encoding):
        return {"perplexity": [[max(0.0, entropy), self.predictions] for _, entropy in self.assigned(schemes)]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="GGUF file in F32, F16 or BF16")
    parser.add_argument("--data", required=True, help="text file")
    parser.add_argument("--context", type=int, default=512, help="tokens of a chunk")
    parser.add_argument("--chunks", type=int, help="only the first chunks")
    parser.add_argument("--quantize", default="llama-quantize", help="the program")
    parser.add_argument("--perplexity", default="llama-perplexity", help="the program")
    arguments = parser.parse_args()
    try:
        evaluator = LlamaCppEvaluator(arguments)
    except Refused as why:
        raise SystemExit(str(why))
    serve(evaluator)
