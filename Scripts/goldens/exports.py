"""What other quantizers make of exported plans, resolved by their own code.

Writes small plans for a layout of each kind of names, exports them with `bitplan export`, and lets each consumer resolve the file:

    compressed-tensors, hqq (through transformers), auto-round's scheme, gguf's tensor names and block sizes, GPTQModel's rules,
    coremltools' parser and converter, mlx-lm's loader (its own environment: it needs MLX)

    python exports.py BITPLAN SOURCES MLX_PYTHON [CONSUMER...]        (goldens of other consumers stay where some are named)

The environment needs torch, transformers, compressed-tensors, hqq, gguf, coremltools and pyyaml; SOURCES holds the unpacked packages
of GPTQModel (`gptqmodel/quantization/config.py` somewhere below it) and auto-round (`auto_round/schemes.py`), which do not import without a GPU.
Leaves Tests/ExportingTests/Goldens: tables, plans, exported files, and resolved.json (what becomes of every tensor, in the words of
`PlanExport.TensorSetting.setting`).
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

# The script beside this one is called like the library that transformers needs.
sys.path = [path for path in sys.path if os.path.realpath(path) != os.path.dirname(os.path.realpath(__file__))]

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "Tests" / "ExportingTests" / "Goldens"
SHA = "0" * 64


def llama(kind="llama", is_tied=False):
    """A model of 2 layers, grouped-query attention, inner size 672: no multiple of 256, but of 32; with a head of its own or without."""
    width, inner, keys, words = 256, 672, 128, 320
    rows = [("Emb", [("model.embed_tokens.weight", words, width)])]
    for depth in range(2):
        layer = f"model.layers.{depth}"
        rows.append((f"Attention.{depth}", [
            (f"{layer}.self_attn.{name}.weight", keys if name in ("k_proj", "v_proj") else width, width)
            for name in ("q_proj", "k_proj", "v_proj", "o_proj")]))
        rows.append((f"FFN.{depth}", [
            (f"{layer}.mlp.gate_proj.weight", inner, width), (f"{layer}.mlp.up_proj.weight", inner, width),
            (f"{layer}.mlp.down_proj.weight", width, inner)]))
    if not is_tied:
        rows.append(("Head", [("lm_head.weight", words, width)]))
    return kind, rows


def bert(kind="bert"):
    """BERT, RoBERTa and XLM-R as encoders alone, whose names are the same."""
    width, inner = 96, 384
    rows = [("Emb", [("embeddings.word_embeddings.weight", 200, width)]),
            ("Pos", [("embeddings.position_embeddings.weight", 64, width)])]
    for depth in range(2):
        layer = f"encoder.layer.{depth}"
        rows.append((f"Attention.{depth}", [
            (f"{layer}.attention.{name}.weight", width, width)
            for name in ("self.query", "self.key", "self.value", "output.dense")]))
        rows.append((f"FFN.{depth}", [(f"{layer}.intermediate.dense.weight", inner, width),
                                      (f"{layer}.output.dense.weight", width, inner)]))
    return kind, rows


def distilbert():
    """DistilBERT as an encoder alone."""
    width, inner = 96, 384
    rows = [("Emb", [("embeddings.word_embeddings.weight", 200, width)]), ("Pos", [("embeddings.position_embeddings.weight", 64, width)])]
    for depth in range(2):
        layer = f"transformer.layer.{depth}"
        rows.append((f"Attention.{depth}", [(f"{layer}.attention.{name}_lin.weight", width, width) for name in "qkv"] + [(f"{layer}.attention.out_lin.weight", width, width)]))
        rows.append((f"FFN.{depth}", [(f"{layer}.ffn.lin1.weight", inner, width), (f"{layer}.ffn.lin2.weight", width, inner)]))
    return "distilbert", rows


def electra():
    """A classifier whose embeddings are narrower than its layers."""
    _, rows = bert()
    rows = [(name, [(f"electra.{tensor}", count, columns) for tensor, count, columns in matrices]) for name, matrices in rows]
    narrow = [(name, [(tensor, count, 64) for tensor, count, _ in matrices]) for name, matrices in rows[:2]]
    return "electra", narrow + [("Proj", [("electra.embeddings_project.weight", 96, 64)])] + rows[2:] + [
        ("Pooler", [("classifier.dense.weight", 96, 96)]), ("Head", [("classifier.out_proj.weight", 2, 96)])]


def translator(kind="marian"):
    """The layout of BART's names; positions are learned in mBART alone."""
    width, inner = 64, 128
    rows = [("Emb", [("model.shared.weight", 100, width)])]

    def attention(name):
        return [(f"{name}.{part}.weight", width, width) for part in ("q_proj", "k_proj", "v_proj", "out_proj")]

    def feed_forward(name):
        return [(f"{name}.fc1.weight", inner, width), (f"{name}.fc2.weight", width, inner)]

    def positions(stack, name):
        return [(name, [(f"model.{stack}.embed_positions.weight", 34, width)])] if kind == "mbart" else []

    rows += positions("encoder", "Enc_pos")
    for depth in range(2):
        layer = f"model.encoder.layers.{depth}"
        rows += [(f"Enc_ee.{depth}", attention(f"{layer}.self_attn")), (f"Enc_ffn.{depth}", feed_forward(layer))]
    rows += positions("decoder", "Dec_pos")
    for depth in range(2):
        layer = f"model.decoder.layers.{depth}"
        rows += [(f"Dec_dd.{depth}", attention(f"{layer}.self_attn")),
                 (f"Dec_ed.{depth}", attention(f"{layer}.encoder_attn")),
                 (f"Dec_ffn.{depth}", feed_forward(layer))]
    return kind, rows


def t5():
    width, inner = 64, 128
    rows = [("Emb", [("shared.weight", 100, width)])]

    def attention(name):
        return [(f"{name}.{part}.weight", width, width) for part in "qkvo"]

    def feed_forward(name):
        return [(f"{name}.DenseReluDense.wi.weight", inner, width), (f"{name}.DenseReluDense.wo.weight", width, inner)]

    for depth in range(2):
        layer = f"encoder.block.{depth}.layer"
        rows += [(f"Enc_ee.{depth}", attention(f"{layer}.0.SelfAttention")), (f"Enc_ffn.{depth}", feed_forward(f"{layer}.1"))]
    for depth in range(2):
        layer = f"decoder.block.{depth}.layer"
        rows += [(f"Dec_dd.{depth}", attention(f"{layer}.0.SelfAttention")), (f"Dec_ed.{depth}", attention(f"{layer}.1.EncDecAttention")),
                 (f"Dec_ffn.{depth}", feed_forward(f"{layer}.2"))]
    return "t5", rows


TRANSLATORS = ["marian", "m2m_100", "mbart", "t5"]
MIXED = {"*": "int4:g64:asym", "Emb": "int8:g64:asym", "FFN.*": "int6:g32:asym", "FFN.1": "int3:g32:asym"}
BLOCKS = {"*": "int4:g32", "Emb": "int8:g32:fp16", "FFN.1": "int5:g32:asym"}
GROUPS = {"*": "int4:g32", "Emb": "fp16", "FFN.1": "int3"}
ALIKE = {"*": "int4:g32:asym", "FFN.*": "int3:g32:asym", "Emb": "fp16"}
# Decoders: what every consumer of theirs has as it is.
DECODER = {"mixed": MIXED, "blocks": BLOCKS, "groups": GROUPS, "alike": ALIKE}
# Encoders, whose positions stay.
ENCODER = {"blocks": {"*": "int8:g32", "FFN.1": "int4:g32:asym"}, "groups": {"*": "int4:g32", "Emb": "fp32", "FFN.1": "int2"},
           "alike": {"*": "int4:g32:asym", "Emb": "fp16"}}
TRANSLATOR = {"groups": {"*": "int4:g32", "Emb": "fp32", "Dec_ffn.1": "int8"}, "alike": {"*": "int4:g32:asym", "Emb": "fp16"}}


def each(plans, **fixed):
    return {name: {**plan, **fixed} for name, plan in plans.items()}


PLANS = {
    # What each consumer has, as it is.
    "llama": {
        "blocks": {"*": "int4:g32", "Emb": "int8:g32:fp16", "FFN.1": "int5:g32:asym", "Attention.1": "int4:g32:asym",
                   "Head": "fp16"},
        "groups": {"*": "int4:g32", "Emb": "fp16", "FFN.1": "int3", "Attention.1": "int8:g64:asym", "Head": "int8:g128"},
        "mixed": {"*": "int4:g64:asym", "Emb": "int8:g64:asym", "FFN.*": "int6:g32:asym", "FFN.1": "int3:g32:asym",
                  "Head": "fp16"},
        "activations": {"*": "w8a8", "Emb": "fp32", "FFN.1": "int4:g32", "Attention.1": "int8:tensor", "Head": "fp16"},
        "alike": {"*": "int4:g32:asym", "FFN.*": "int3:g32:asym", "Emb": "fp16", "Head": "int8:asym"},
        "codes": {"*": "bcq3", "Emb": "bcq4", "FFN.0": "bcq2:g64", "Attention.1": "nf4", "FFN.1": "bcq1", "Head": "fp32"},
        "palettes": {"*": "int4:g32", "Emb": "int8", "Attention.1": "int8:tensor:asym", "Head": "fp32"},
    },
    "bert": {
        "blocks": {"*": "int8:g32", "Pos": "fp16", "FFN.1": "int4:g32:asym"},
        "groups": {"*": "int4:g32", "Emb": "fp32", "Pos": "fp16", "FFN.1": "int2"},
        "codes": {"*": "bcq2", "Emb": "emb4:r1", "Pos": "fp16", "Attention.1": "int6:g48:asym", "FFN.1": "index8"},
    },
    **{kind: {**each(DECODER, Head="fp16"), "mixed": MIXED} for kind in ("mistral", "qwen2", "qwen3", "smollm3")},
    **{kind: DECODER for kind in ("gemma2", "gemma3_text")},
    **{kind: each(ENCODER, Pos="fp16") for kind in ("distilbert", "roberta", "xlm-roberta")},
    "electra": {
        "groups": {"*": "int4:g32", "Emb": "fp32", "Pos": "fp16", "FFN.1": "int2", "Proj": "int8", "Head": "fp16"},
        "alike": {"*": "int4:g32:asym", "Emb": "fp16", "Pos": "fp16", "Head": "fp16"},
        "codes": {"*": "bcq2", "Emb": "emb4:r1", "Pos": "fp16", "Proj": "bcq3", "Head": "fp16"},
    },
    "marian": {
        "codes": {"*": "bcq3", "Emb": "emb4:r1", "Dec_ed.*": "bcq1", "Enc_ffn.1": "pq:b8:k256", "Dec_dd.0": "int7:g16"},
        **TRANSLATOR,
    },
    **{kind: TRANSLATOR for kind in ("m2m_100", "t5")},
    "mbart": each(TRANSLATOR, Enc_pos="fp16", Dec_pos="fp16"),
}

LLAMAS = ["mistral", "qwen2", "qwen3", "smollm3"]
GEMMAS = ["gemma2", "gemma3_text"]
ENCODERS = ["distilbert", "roberta", "xlm-roberta"]


def cases(plan, kinds):
    return [f"{kind}.{plan}" for kind in kinds]


EXACT = {
    "llama.cpp": cases("blocks", ["llama", "bert", *LLAMAS, *GEMMAS, *ENCODERS]),
    "gptqmodel": cases("groups", ["llama", *LLAMAS]),
    "compressed-tensors": ["llama.activations", *cases("groups", ["llama", "bert", "electra", *TRANSLATORS, *LLAMAS, *GEMMAS, *ENCODERS])],
    "auto-round": ["llama.activations", *cases("groups", ["llama", "bert", "electra", *TRANSLATORS, *LLAMAS, *GEMMAS, *ENCODERS])],
    "mlx": cases("mixed", ["llama", *LLAMAS, *GEMMAS]),
    "hqq": cases("alike", ["llama", "electra", *TRANSLATORS, *LLAMAS, *GEMMAS, *ENCODERS]),
    # It knows weights by the names that torch gives them, whatever the model: here and below are one of each form of names.
    "coremltools": ["llama.palettes"],
}
NEAREST = {
    "llama.cpp": ["llama.codes", "bert.codes"],
    "gptqmodel": ["llama.codes"],
    "compressed-tensors": ["llama.codes", "bert.codes", "marian.codes"],
    "auto-round": ["llama.codes", "bert.codes", "marian.codes"],
    "mlx": ["llama.codes"],
    "hqq": ["llama.codes", "bert.codes", "marian.codes"],
    "coremltools": ["llama.codes", "bert.codes", "marian.codes", "electra.codes"],
}


def table(kind, rows):
    """A sensitivity table of no losses: it carries the layout."""
    def cell(row):
        return {"row": row, "scheme": "fp32", "bytes": 0,
                "measurement": {"klNats": 0, "crossEntropyNats": 0, "sentences": 1}}

    types = []
    for name, _ in rows:
        kind_of_row = name.split(".")[0]
        for group in (kind_of_row.split("_")[0], kind_of_row):
            if group not in types and (group == kind_of_row or "_" in kind_of_row):
                types.append(group)
    layout = {"fixedParameters": 10, "sublayers": [
        {"name": name, "matrices": [{"tensor": t, "rows": r, "columns": c} for t, r, c in matrices]}
        for name, matrices in rows]}
    return {"schemaVersion": 2, "model": {"type": kind, "sha256": SHA}, "layout": layout,
            "provenance": {"tool": "golden", "dataSHA256": SHA, "sentences": 1, "metric": "none"}, "fit": "greedy",
            "candidates": ["fp32"], "fullPrecision": cell("")["measurement"],
            "byType": [cell(t) for t in types], "bySublayer": [cell(name) for name, _ in rows]}


def integers(bits, size, symmetric, activations=None):
    unit = "per tensor" if size == 0 else "per row" if size in (-1, None) else f"groups of {size}"
    inputs = f", inputs of {activations} bits" if activations else ""
    return f"{bits} {'bit' if bits == 1 else 'bits'}, {unit}, {'symmetric' if symmetric else 'asymmetric'}{inputs}"


FULL = "full precision"


def skeleton(rows):
    """Modules of the names and shapes of the layout, without weights."""
    import torch

    root = torch.nn.Module()
    for name, matrices in rows:
        for tensor, count, columns in matrices:
            *parents, leaf = tensor.removesuffix(".weight").split(".")
            module = root
            for part in parents:
                if part not in dict(module.named_children()):
                    module.add_module(part, torch.nn.Module())
                module = dict(module.named_children())[part]
            if name in ("Emb", "Pos"):
                module.add_module(leaf, torch.nn.Embedding(count, columns, device="meta"))
            else:
                module.add_module(leaf, torch.nn.Linear(columns, count, bias=False, device="meta"))
    return root


def hub_model(kind, rows):
    """Transformers' own model of a kind with two layers, without weights; the names of the layout are among its names."""
    import torch
    import transformers as hub

    usual = hub.AutoConfig.for_model(kind)
    depths = ("num_hidden_layers", "n_layers", "encoder_layers", "decoder_layers", "num_layers", "num_decoder_layers")
    config = hub.AutoConfig.for_model(kind, **{key: 2 for key in depths if hasattr(usual, key)})
    tensors = {tensor for _, matrices in rows for tensor, _, _ in matrices}
    if kind in TRANSLATORS:
        model_class = hub.AutoModelForSeq2SeqLM
    elif "model.embed_tokens.weight" in tensors:
        model_class = hub.AutoModelForCausalLM
    else:
        model_class = hub.AutoModelForSequenceClassification if "classifier.out_proj.weight" in tensors else hub.AutoModel
    with torch.device("meta"):
        model = model_class.from_config(config)
    missing = tensors - set(dict(model.named_parameters(remove_duplicate=False)))
    assert not missing, missing
    return model


def resolve_llama_cpp(text, kind, rows):
    """Names and block sizes are gguf's; the order of decisions is that of llama_tensor_get_type and tensor_type_fallback."""
    import gguf

    # llama.cpp runs Mistral as a Llama.
    arch = {"llama": "LLAMA", "mistral": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3", "smollm3": "SMOLLM3", "gemma2": "GEMMA2", "gemma3_text": "GEMMA3"}
    arch = gguf.MODEL_ARCH[arch.get(kind, "BERT")]
    names = gguf.get_tensor_name_map(arch, 2)
    rules = [token.split("=", 1) for token in text.split()]
    fallback = {"q2_k": "q4_0", "q3_k": "q4_0", "q4_k": "q5_0", "q5_k": "q5_1", "q6_k": "q8_0"}

    def block(name):
        return gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name.upper()]][0]

    resolved = {}
    for name, matrices in rows:
        for tensor, _, columns in matrices:
            if name == "Pos":
                continue  # "do not quantize positional embeddings"
            known = names.get_name(tensor, try_suffixes=(".weight",))
            chosen = next(kind for pattern, kind in rules if re.search(pattern.lower(), known))
            if columns % block(chosen):
                chosen = fallback[chosen]  # a KeyError is llama-quantize stopping
                if columns % block(chosen):
                    chosen = "f16"
            resolved[tensor] = chosen
    return resolved


def cut(path, wanted, scope):
    """Definitions of a Python file and what they need of it, without running the rest: its imports may need a GPU."""
    nodes = {}
    body = ast.parse(Path(path).read_text()).body
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            nodes[node.name] = node
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            if isinstance(target, ast.Name):
                nodes[target.id] = node
    needed, open_names = set(), [wanted]
    while open_names:
        name = open_names.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            open_names += [child.id for child in ast.walk(nodes[name]) if isinstance(child, ast.Name)]
    kept = [node for node in body if any(nodes[name] is node for name in needed)]
    exec(compile(ast.Module(kept, []), str(path), "exec"), scope)
    return scope[wanted]


def gptqmodel_rules(path):
    """GPTQModel's own resolution of `dynamic`."""
    import collections
    import collections.abc
    import copy
    import dataclasses
    import functools
    import hashlib
    import os
    import threading
    import typing
    import weakref
    import logging
    import enum
    scope = {"setup_logger": logging.getLogger, **vars(enum), **vars(collections), **vars(typing), **vars(collections.abc), "collections": collections, "copy": copy,
             "hashlib": hashlib, "threading": threading, "weakref": weakref, "json": json, "re": re, "pcre": re, "os": os,
             "functools": functools, "dataclasses": dataclasses, "dataclass": dataclasses.dataclass}
    return cut(path, "dynamic_get", scope)


def resolve_gptqmodel(text, rows, dynamic_get):
    config = json.loads(text)
    resolved = {}
    for name, matrices in rows:
        for tensor, _, _ in matrices:
            module = tensor.removesuffix(".weight")
            overrides = dynamic_get(config["dynamic"], module)
            if name == "Emb" or overrides is False or (module == "lm_head" and not config["lm_head"]):
                resolved[tensor] = FULL
                continue
            merged = {**config, **(overrides or {})}
            resolved[tensor] = integers(merged["bits"], merged["group_size"], merged["sym"])
    return resolved


def resolve_compressed_tensors(text, kind, rows):
    from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config

    config = QuantizationConfig.model_validate(json.loads(text)["quantization_config"])
    model = hub_model(kind, rows)
    apply_quantization_config(model, config)
    modules = dict(model.named_modules())
    others = set(modules) - {tensor.removesuffix(".weight") for _, matrices in rows for tensor, _, _ in matrices}
    assert not any(getattr(modules[name], "quantization_scheme", None) for name in others)
    resolved = {}
    for _, matrices in rows:
        for tensor, _, _ in matrices:
            scheme = getattr(modules[tensor.removesuffix(".weight")], "quantization_scheme", None)
            if scheme is None or scheme.weights is None:
                resolved[tensor] = FULL
                continue
            weights = scheme.weights
            size = {"tensor": 0, "channel": -1}.get(str(getattr(weights.strategy, "value", weights.strategy)), weights.group_size)
            inputs = scheme.input_activations
            resolved[tensor] = integers(weights.num_bits, size, weights.symmetric, inputs and inputs.num_bits)
    return resolved


def auto_round_scheme(path):
    """auto-round's own scheme."""
    import copy
    import dataclasses
    import enum
    scope = {**vars(dataclasses), **vars(enum), "copy": copy, "torch": __import__("torch"), "__name__": __name__}
    return cut(path, "QuantizationScheme", scope)


def resolve_auto_round(text, rows, QuantizationScheme):
    from dataclasses import fields

    known = {field.name for field in fields(QuantizationScheme)}
    config = json.loads(text)
    names = {tensor.removesuffix(".weight") for _, matrices in rows for tensor, _, _ in matrices}
    assert set(config) <= names, set(config) - names
    resolved = {}
    for _, matrices in rows:
        for tensor, _, _ in matrices:
            entry = config.get(tensor.removesuffix(".weight"))
            if entry is None:
                resolved[tensor] = FULL
                continue
            assert set(entry) <= known, set(entry) - known
            scheme = QuantizationScheme.from_dict(entry)
            resolved[tensor] = FULL if scheme.bits >= 16 else integers(
                scheme.bits, scheme.group_size, scheme.sym, scheme.act_bits)
    return resolved


def resolve_hqq(text, kind, rows):
    from transformers import HqqConfig
    from transformers.integrations.hqq import prepare_for_hqq_linear

    model = hub_model(kind, rows)
    config = HqqConfig(**json.loads(text))
    prepare_for_hqq_linear(model, quantization_config=config)
    modules = dict(model.named_modules())
    others = set(modules) - {tensor.removesuffix(".weight") for _, matrices in rows for tensor, _, _ in matrices}
    assert not any(getattr(modules[name], "quant_config", None) for name in others)
    resolved = {}
    for _, matrices in rows:
        for tensor, _, _ in matrices:
            setting = getattr(modules[tensor.removesuffix(".weight")], "quant_config", None)
            if setting is None:
                resolved[tensor] = FULL
                continue
            weights = setting["weight_quant_params"]
            resolved[tensor] = integers(weights["nbits"], weights["group_size"], False)
    return resolved


def resolve_coremltools(text, rows):
    """Parses by coremltools, and finds every name in a program that coremltools converted from modules of these names."""
    import coremltools as ct
    import coremltools.optimize.coreml as cto
    import torch
    from coremltools.converters.mil.mil import types

    path = GOLDENS / "tmp.yaml"
    path.write_text(text)
    config = cto.OptimizationConfig.from_yaml(str(path))
    path.unlink()
    model = skeleton(rows).to_empty(device="cpu")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)

    class Every(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, child in model.named_children():
                self.add_module(name, child)

        def forward(self, ids, vectors):
            outputs = []
            for name, module in self.named_modules():
                if isinstance(module, torch.nn.Embedding):
                    outputs.append(module(ids).sum())
                elif isinstance(module, torch.nn.Linear):
                    outputs.append(module(vectors[:, : module.in_features]).sum())
            return torch.stack(outputs).sum()

    every = Every().eval()
    inputs = (torch.zeros(1, 4, dtype=torch.long), torch.zeros(1, 1024))
    program = ct.convert(
        torch.jit.trace(every, inputs),
        inputs=[ct.TensorType(name="ids", shape=(1, 4), dtype=int), ct.TensorType(name="vectors", shape=(1, 1024))],
        minimum_deployment_target=ct.target.iOS18)
    weights = cto.get_weights_metadata(program, weight_threshold=1)
    resolved = {}
    for _, matrices in rows:
        for tensor, count, columns in matrices:
            matching = [name for name in weights if name == tensor.replace(".", "_") + "_to_fp16"]
            assert len(matching) == 1 and tuple(weights[matching[0]].val.shape) == (count, columns), tensor
            entry = config.op_name_configs[matching[0]]
            if entry is None:
                resolved[tensor] = FULL
                continue
            assert entry.weight_threshold == 0
            granularity = entry.granularity.name
            if isinstance(entry, cto.OpPalettizerConfig):
                assert entry.mode.upper() == "KMEANS" and granularity == "PER_GROUPED_CHANNEL"
                unit = "row" if entry.group_size == 1 else f"{entry.group_size} rows"
                resolved[tensor] = f"palette of {entry.nbits} {'bit' if entry.nbits == 1 else 'bits'} per {unit}"
            else:
                size = {"PER_TENSOR": 0, "PER_CHANNEL": -1, "PER_BLOCK": entry.block_size}[granularity]
                bits = int(types.builtin_to_string(entry.dtype).removeprefix("u").removeprefix("int"))
                resolved[tensor] = integers(bits, size, entry.mode.upper() == "LINEAR_SYMMETRIC")
    return resolved


MLX = '''
import importlib, json, sys
import mlx.core as mx, mlx.nn as nn
config = json.load(open(sys.argv[1]))
from mlx_lm.utils import MODEL_REMAPPING
kind = MODEL_REMAPPING.get(sys.argv[2], sys.argv[2])
module = importlib.import_module("mlx_lm.models." + kind)
args = module.ModelArgs.from_dict(dict(
    model_type=kind, head_dim=64, attn_logit_softcapping=50.0, final_logit_softcapping=30.0, query_pre_attn_scalar=64, rope_theta=1e4, max_position_embeddings=64, hidden_size=256, num_hidden_layers=2, intermediate_size=672, num_attention_heads=4,
    num_key_value_heads=2, rms_norm_eps=1e-5, vocab_size=320, tie_word_embeddings=False))
model = module.Model(args)
# The loader's first step, with the weights that the checkpoint has: without a head a Gemma is tied.
if sys.argv[3] == "tied" and hasattr(model, "sanitize"): model.sanitize({})
quantization = config["quantization"]
# As mlx_lm.utils.load_model does, where every quantized module has its scales in the file.
def predicate(path, module):
    if path in quantization: return quantization[path]
    return hasattr(module, "to_quantized")
nn.quantize(model, group_size=quantization["group_size"], bits=quantization["bits"],
            mode=quantization.get("mode", "affine"), class_predicate=predicate)
out = {}
for path, module in model.named_modules():
    if hasattr(module, "bits"): out[path] = [module.bits, module.group_size, module.mode]
print(json.dumps(out))
'''


def resolve_mlx(path, kind, rows, python):
    form = "untied" if any(name == "Head" for name, _ in rows) else "tied"
    result = subprocess.run([python, "-c", MLX, str(path), kind, form], capture_output=True, text=True, check=True)
    quantized = json.loads(result.stdout)
    resolved = {}
    for _, matrices in rows:
        for tensor, _, _ in matrices:
            entry = quantized.pop(tensor.removesuffix(".weight"), None)
            assert entry is None or entry[2] == "affine"
            resolved[tensor] = integers(entry[0], entry[1], False) if entry else FULL
    assert not quantized, quantized
    return resolved


def main():
    bitplan, sources, mlx_python, *asked = sys.argv[1:]
    asks = lambda consumer: not asked or consumer in asked
    dynamic_get = asks("gptqmodel") and gptqmodel_rules(next(Path(sources).glob("**/gptqmodel/quantization/config.py")))
    scheme = asks("auto-round") and auto_round_scheme(next(Path(sources).glob("**/auto_round/schemes.py")))
    GOLDENS.mkdir(parents=True, exist_ok=True)
    layouts = {}
    decoders = [llama(kind) for kind in ("llama", "mistral", "qwen2", "qwen3", "smollm3")] + [llama(kind, is_tied=True) for kind in ("gemma2", "gemma3_text")]
    for kind, rows in (*decoders, bert(), bert("roberta"), bert("xlm-roberta"), distilbert(), electra(), *map(translator, TRANSLATORS[:3]), t5()):
        layouts[kind] = rows
        (GOLDENS / f"{kind}.table.json").write_text(json.dumps(table(kind, rows), indent=1) + "\n")
        for name, sublayers in PLANS[kind].items():
            plan = {"model": {"type": kind, "sha256": SHA}, "sublayers": sublayers}
            (GOLDENS / f"{kind}.{name}.plan.json").write_text(json.dumps(plan, indent=1) + "\n")
    resolved = json.loads((GOLDENS / "resolved.json").read_text()) if asked else {}
    for cases, options in ((EXACT, []), (NEAREST, ["--nearest"])):
        for consumer, plans in cases.items():
            for plan in plans if asks(consumer) else []:
                kind = plan.split(".")[0]
                file = GOLDENS / f"{plan}.{consumer}.export"
                subprocess.run(
                    [bitplan, "export", GOLDENS / f"{plan}.plan.json", "--sweep", GOLDENS / f"{kind}.table.json",
                     "--to", consumer, "--output", file, *options], check=True)
                text, rows = file.read_text(), layouts[kind]
                resolved[f"{plan}.{consumer}"] = {
                    "llama.cpp": lambda: resolve_llama_cpp(text, kind, rows),
                    "gptqmodel": lambda: resolve_gptqmodel(text, rows, dynamic_get),
                    "compressed-tensors": lambda: resolve_compressed_tensors(text, kind, rows),
                    "auto-round": lambda: resolve_auto_round(text, rows, scheme),
                    "hqq": lambda: resolve_hqq(text, kind, rows),
                    "coremltools": lambda: resolve_coremltools(text, rows),
                    "mlx": lambda: resolve_mlx(file, kind, rows, mlx_python),
                }[consumer]()
                print(plan, consumer, len(resolved[f"{plan}.{consumer}"]))
    (GOLDENS / "resolved.json").write_text(json.dumps(resolved, indent=1) + "\n")


if __name__ == "__main__":
    main()
