#!/usr/bin/env python3
"""Makes a language model in the Llama layout with random weights: to see what memory and time a model of its size takes, or to train one from scratch.

usage: make_random_model.py MODEL OUT [LAYERS] [--same-size] [--subln]

MODEL is a model directory in the Llama layout that the tokenizer and other settings are taken from. Width 2048, 32 heads (8 of keys), feed-forward
8192, 49,152 tokens, tied embeddings, BF16; 16 layers, where not said otherwise, are 1.07 B weights. --same-size keeps MODEL's own sizes; --subln gives
every sublayer a norm before its last product, as BitNet has it (model_type bitnet). Needs numpy.
"""
import argparse
import json
import math
import pathlib
import shutil
import struct

import numpy

parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("layers", type=int, nargs="?")
parser.add_argument("--same-size", action="store_true")
parser.add_argument("--subln", action="store_true")
arguments = parser.parse_args()
model, out = arguments.model, arguments.out
out.mkdir(parents=True, exist_ok=True)

settings = json.loads((model / "config.json").read_text())
if not arguments.same_size:
    settings.update(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8, head_dim=64, vocab_size=49152,
        tie_word_embeddings=True, max_position_embeddings=2048)
if arguments.layers:
    settings["num_hidden_layers"] = arguments.layers
if arguments.subln:
    settings.update(model_type="bitnet", architectures=["BitNetForCausalLM"])
    for key in ("mlp_bias", "pretraining_tp"):
        settings.pop(key, None)
if not settings.get("tie_word_embeddings"):
    raise SystemExit(f"{model / 'config.json'}: 'tie_word_embeddings': expected true")
(out / "config.json").write_text(json.dumps(settings, indent=1))
for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
    if (model / name).exists():
        shutil.copyfile(model / name, out / name)

width, inner, heads = settings["hidden_size"], settings["intermediate_size"], settings["num_attention_heads"]
size = settings.get("head_dim") or width // heads
queries, keys = heads * size, (settings.get("num_key_value_heads") or heads) * size
shapes = {"model.embed_tokens.weight": [settings["vocab_size"], width], "model.norm.weight": [width]}
for layer in range(settings["num_hidden_layers"]):
    parts = {
        "self_attn.q_proj": [queries, width], "self_attn.k_proj": [keys, width], "self_attn.v_proj": [keys, width],
        "self_attn.o_proj": [width, queries], "mlp.gate_proj": [inner, width], "mlp.up_proj": [inner, width],
        "mlp.down_proj": [width, inner], "input_layernorm": [width], "post_attention_layernorm": [width]}
    if arguments.subln:
        parts |= {"self_attn.attn_sub_norm": [queries], "mlp.ffn_sub_norm": [inner]}
    shapes.update({f"model.layers.{layer}.{part}.weight": shape for part, shape in parts.items()})

header, end = {}, 0
for name, shape in shapes.items():
    start, end = end, end + 2 * math.prod(shape)
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
random = numpy.random.default_rng(0)
deviation = numpy.float32(settings.get("initializer_range", 0.02))
with open(out / "model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for shape in shapes.values():
        weights = deviation * random.standard_normal(shape, dtype=numpy.float32) if len(shape) > 1 else numpy.ones(shape, numpy.float32)
        file.write((weights.view(numpy.uint32) >> 16).astype("<u2").tobytes())
print(f"{out}: {end // 2:,} weights")
