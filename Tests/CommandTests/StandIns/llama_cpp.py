"""Stand-ins for llama-quantize and llama-perplexity: the same command line and output, made-up numbers. Not llama.cpp.

As llama-quantize it copies the types of the tensor type file behind the GGUF; as llama-perplexity it prints what made-up losses
of these types are, chunk by chunk, as llama-perplexity prints them.
"""
import pathlib
import re
import sys

words = sys.argv[1:]
MARK = b"\nTYPES\n"


def option(name):
    return words[words.index(name) + 1]


if "--tensor-type-file" in words:
    types, source, target, base = words[words.index("--tensor-type-file") + 1:]
    assert base == "Q8_0"
    pathlib.Path(target).write_bytes(pathlib.Path(source).read_bytes() + MARK + pathlib.Path(types).read_bytes())
elif "--kl-divergence" not in words:
    assert option("-f") and option("-c") == "64"
    pathlib.Path(option("--kl-divergence-base")).write_text("base")
else:
    assert pathlib.Path(option("--kl-divergence-base")).read_text() == "base"
    text = pathlib.Path(option("-m")).read_bytes().partition(MARK)[2].decode()
    bits = [int(t[1]) for t in re.findall(r"=(q\d)", text)]
    loss = sum(4.0 ** -b for b in bits)
    print("chunk             PPL               ln(PPL(Q)/PPL(base))          KL Divergence              Δp RMS            Same top p")
    total = 0.0
    for chunk in range(1, 5):
        total += loss * (0.5 + chunk / 5)
        mean = total / chunk
        print(f"{chunk:4d}    {20.0 + 20 * mean:10.4f} ± {1.0:10.4f}    {mean:10.5f} ± {0.1:10.5f}    {mean:10.5f} ± {0.1:10.5f}"
              f"    {1.0:6.3f} ± {0.1:6.3f} %    {90.0:6.3f} ± {0.1:6.3f} %")
