#!/usr/bin/env python3
"""Losses and gradients of Scripts/torch/bitplan_torch on small models of every family, beside which those of `bitplan tune` are held.

usage: torch_bridge.py [--check] [Tests/WorkflowsTests/Goldens/torch]      (--check: compares with the files, writes none)
needs: pip install 'torch==2.13.0+cpu' transformers; BITPLAN names the program (.build/release/bitplan)

NAME.json: the model, schemes by sublayer, text that tokens are counted on, items as token ids, and for `scales` (codes fixed) and
`weights` (latent weights in full precision, which codes follow) the loss, KL to the full model in nats a prediction, with its
gradients by parameter, called as checkpoints of `tune` call them: `norm`, and every `stride`-th number of the gradient.
`parts`: by tensor, SHA-256 of the parts that an export has behind the forward of `weights`, `decoded` of what they stand for.
schemes.json: `decoded` of all matrices of the tiny BERT, one after the other, under every scheme.
"""
import copy
import ctypes
import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path[0] = os.path.join(ROOT, "Scripts/torch")
import torch
from transformers import BertForSequenceClassification, LlamaForCausalLM, MarianMTModel

from bitplan_torch import export, prepare
from bitplan_torch.storage import read_safetensors

torch.set_num_threads(1)
PROGRAM = os.environ.setdefault("BITPLAN", os.path.join(ROOT, ".build/release/bitplan"))


def encoder_decoder(model, item):
    start = model.config.decoder_start_token_id
    return model(input_ids=torch.tensor([item["source"]]),
                 decoder_input_ids=torch.tensor([[start] + item["target"][:-1]])).logits[0]


def decoder(model, item):
    return model(torch.tensor([item["tokens"][:-1]])).logits[0, -item["scored"]:]


def encoder(model, item):
    return model(torch.tensor([item["tokens"]]), token_type_ids=torch.tensor([item["types"]])).logits


TEXT = ["good film", "bad film the not"]

CASES = {
    "bert": (BertForSequenceClassification, "Tests/ModelsTests/Goldens/tiny-bert", encoder, {
        "Emb": "emb3:r2:fp16", "Pos": "int8", "Attention.0.query": "int4", "Attention.0.key": "int3:asym",
        "Attention.0.value": "int4:g24", "Attention.0.dense": "int4:tensor", "FFN.0": "nf4:b32", "Attention.1.query": "bcq2",
        "Attention.1.key": "bcq3:g20:fp16", "Attention.1.value": "tcq3:h", "Attention.1.dense": "tcq2", "FFN.1": "pq:b4:k16:a8",
        "Attention.2.query": "nf4:b50:dq", "Attention.2.key": "index8", "Attention.2.value": "w8a8",
        "Attention.2.dense": "sign:mean", "FFN.2": "bitlinear:4", "Pooler": "fp16", "Head": "pq:b8:k16:int8", "Vectors": "fp16"},
        TEXT,
        [{"tokens": [8, 23, 11, 28, 22, 35, 33, 8, 28], "types": [0, 0, 0, 0, 0, 1, 1, 1, 1]}, {"tokens": [14], "types": [0]},
         {"tokens": [29, 4, 23, 15, 18, 17], "types": [0, 0, 1, 1, 1, 1]}]),
    "llama": (LlamaForCausalLM, "Tests/ModelsTests/Goldens/tiny-llama", decoder, {
        "Emb": "tcq4", "Attention.0.q_proj": "bcq4", "Attention.0.k_proj": "int2", "Attention.0.v_proj": "bcq1",
        "Attention.0.o_proj": "int5:g24:asym", "FFN.0": "tcq2:c:h", "Attention.1.q_proj": "w8a8", "Attention.1.k_proj": "fp32",
        "Attention.1.v_proj": "int3:asym:fp16", "Attention.1.o_proj": "nf4", "FFN.1": "bcq3:g20", "Head": "tcq1:c",
        "Vectors": "fp32"}, None,
        [{"tokens": [39, 152, 134, 15, 39, 188, 89, 24, 261], "scored": 8},
         {"tokens": [64, 180, 258, 75, 152, 49, 203, 47, 219, 94, 86, 213, 52, 35], "scored": 5}]),
    "marian": (MarianMTModel, "Fixtures/tatoeba-en-de", encoder_decoder, {
        "Emb": "bcq3", "Enc_ee": "int4:g64", "Enc_ffn": "tcq2:c", "Enc_ee.3.q_proj": "sign", "Dec_dd": "nf4:dq",
        "Dec_ed": "pq:b4:k64", "Dec_ffn": "int3:fp16", "Dec_ffn.3": "bitlinear", "Vectors": "fp16"}, None,
        [{"source": [15, 2013, 18, 914, 42, 317, 0], "target": [10, 1115, 48, 24, 0]},
         {"source": [40, 0], "target": [25, 47, 2345, 44, 35, 0]}]),
}


SCHEMES = [
    "fp32", "fp16", *(f"bcq{bits}" for bits in range(1, 9)), "bcq2:g64", "bcq3:g20", "bcq2:fp16", "bcq3:g64:fp16", "emb1:r1",
    "emb4:r1", "emb4:r4", "emb3:r2:fp16",
    *(f"int{bits}{options}" for options in ["", ":asym", ":tensor", ":tensor:asym", ":g24", ":g24:asym"] for bits in range(2, 9)),
    "int4:fp16", "int3:asym:fp16", "int4:g64:asym:fp16", "nf4", "nf4:dq", "nf4:b32", "nf4:b50:dq", "pq:b4:k256", "pq:b8:k16",
    "pq:b8:k256:int8", "pq:b8:k64:int8:a8", "pq:b3:k5:a8", "pq:b3:k5", "tcq1", "tcq1.5", "tcq2", "tcq2.5", "tcq3", "tcq3.5", "tcq4",
    "tcq2:c", "tcq2:h", "tcq3:c:h", "tcq3.5:c", "tcq4-2:r4", "tcq2.5-1.5:r1", "index8", "sign", "sign:mean",
    "bitlinear", "bitlinear:4", "w8a8"]


def content_hash(contents):
    """SHA-256 of named tensors, as `ContentHash` adds them: its first 16 digits."""
    result = hashlib.sha256()
    for name, tensor in contents:
        data = ctypes.string_at(tensor.contiguous().data_ptr(), tensor.numel() * tensor.element_size())
        result.update(f"{name} {len(data)}\n".encode() + data)
    return result.hexdigest()[:16]


def decoded(model):
    return {tensor: codes.decoded() for tensor, codes, _ in model.bitplan.codes()}


@functools.cache
def identity(model):
    """What a plan for the model names."""
    inspected = subprocess.run([PROGRAM, "inspect", model, "--json"], check=True, capture_output=True)
    return json.loads(inspected.stdout)["model"]


def quantized(model, sublayers, text, directory):
    """A packed directory of the greedy codes of a plan."""
    plan = {"model": identity(model), "fit": "greedy", "sublayers": sublayers}
    with open(f"{directory}/plan.json", "w") as file:
        json.dump(plan, file)
    command = [PROGRAM, "quantize", model, "--plan", f"{directory}/plan.json", "--output", f"{directory}/start", "--no-store"]
    if text:
        with open(f"{directory}/text.txt", "w") as file:
            file.write("".join(f"{line}\n" for line in text))
        command += ["--data", f"{directory}/text.txt"]
    subprocess.run(command, check=True, capture_output=True)
    return f"{directory}/start"


def measured(model, teacher, logits, items):
    """The loss and its gradients, by parameter."""
    model.zero_grad()
    nats, predictions = 0, 0
    for item in items:
        q = torch.log_softmax(logits(model, item), -1)
        with torch.no_grad():
            p = torch.log_softmax(logits(teacher, item), -1)
        nats += torch.nn.functional.kl_div(q, p, log_target=True, reduction="sum")
        predictions += len(q)
    loss = nats / predictions
    loss.backward()
    gradients = {}

    def add(name, numbers):
        stride = max(1, numbers.numel() // 10)
        values = [float(f"{value:.6g}") for value in numbers.flatten()[::stride].tolist()]
        gradients[name] = {"norm": float(f"{float(numbers.double().norm()):.8g}"), "stride": stride, "values": values}

    tied = set()
    for tensor, codes, latent in model.bitplan.codes():
        tied.add(id(latent))
        own = [p.grad.flatten() for p in codes.parameters() if p.grad is not None]
        if own:
            add(f"numbers.{tensor}", torch.cat(own))
        if latent.grad is not None:
            add(f"weights.{tensor}", latent.grad)
    for name, parameter in model.named_parameters():
        plain = name.replace(".parametrizations.", ".").removesuffix(".original")
        if parameter.grad is not None and id(parameter) not in tied and not plain[-1].isdigit() and not plain.endswith("numbers"):
            add(f"vector.{plain}", parameter.grad)
    return {"loss": float(loss.detach()), "gradients": gradients}


def case(name):
    kind, place, logits, sublayers, text, items = CASES[name]
    place = os.path.join(ROOT, place)
    with tempfile.TemporaryDirectory() as directory:
        start = quantized(place, sublayers, text, directory)
        teacher = kind.from_pretrained(place, dtype=torch.float32).eval()
        result = {"model": CASES[name][1], "sublayers": sublayers, "text": text or [], "items": items}
        result["scales"] = measured(prepare(copy.deepcopy(teacher), start), teacher, logits, items)
        model = prepare(copy.deepcopy(teacher), start, learns="weights", latents="model")
        result["weights"] = measured(model, teacher, logits, items)
        export(model, f"{directory}/trained")
        parts, _ = read_safetensors(f"{directory}/trained/codes.safetensors")
        result["parts"] = {tensor: content_hash((name, part) for name, part in sorted(parts.items()) if name.startswith(tensor + "."))
                           for tensor, _, _ in model.bitplan.codes()}
        result["decoded"] = {name: content_hash([(name, weights)]) for name, weights in decoded(model).items()}
    return result


def schemes():
    """What codes of every scheme stand for, before training."""
    kind, place, *_ = CASES["bert"]
    hashes = {}
    for scheme in SCHEMES:
        with tempfile.TemporaryDirectory() as directory:
            model = kind.from_pretrained(os.path.join(ROOT, place), dtype=torch.float32)
            prepare(model, quantized(os.path.join(ROOT, place), {"*": scheme}, TEXT, directory))
            hashes[scheme] = content_hash(decoded(model).items())
    return hashes


def deviation(got, expected):
    """The largest relative deviation of losses and gradients, and where; gradients relative to the largest of their kind."""
    worst = (abs(got["loss"] / expected["loss"] - 1), "loss")
    least = {}
    for name, gradient in expected["gradients"].items():
        least[name.split(".")[0]] = max(least.get(name.split(".")[0], 0), 1e-3 * gradient["norm"])
    assert got["gradients"].keys() == expected["gradients"].keys(), "other parameters"
    for name, gradient in expected["gradients"].items():
        size = max(least[name.split(".")[0]], max(map(abs, gradient["values"])))
        rest = max(abs(a - b) for a, b in zip(got["gradients"][name]["values"], gradient["values"], strict=True))
        worst = max(worst, (rest / size, name))
    return worst


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    out = arguments[0] if arguments else os.path.join(ROOT, "Tests/WorkflowsTests/Goldens/torch")
    os.makedirs(out, exist_ok=True)
    made = {name: case(name) for name in CASES} | {"schemes": schemes()}
    if "--check" not in sys.argv:
        for name, result in made.items():
            with open(f"{out}/{name}.json", "w") as file:
                json.dump(result, file, separators=(",", ":"))
            print(f"{out}/{name}.json: {os.path.getsize(file.name)} bytes")
        sys.exit()
    failed = False
    for name, result in made.items():
        with open(f"{out}/{name}.json") as file:
            expected = json.load(file)
        hashes = [("", result, expected)]
        if name in CASES:
            hashes = [(key, result[key], expected[key]) for key in ["parts", "decoded"]]
            for mode in ["scales", "weights"]:
                worst, where = deviation(result[mode], expected[mode])
                failed |= worst > 1e-4
                print(f"{name}, {mode}: largest relative deviation {worst:.1e} ({where})")
        for key, got, other in hashes:
            differ = [part for part in other if got.get(part) != other[part]]
            failed |= bool(differ)
            print(f"{name} {key}: {len(other)} hashes, {len(differ)} differ {differ[:3]}")
    sys.exit(failed)
