#!/usr/bin/env python3
"""Makes a language model in the Llama layout with random weights, to see what memory and time a model of its size takes.

usage: make_random_model.py MODEL OUT [LAYERS]

MODEL is a model directory in the Llama layout that the tokenizer and other settings are taken from. Width 2048, 32 heads (8 of keys), feed-forward
8192, 49,152 tokens, tied embeddings, BF16; 16 layers, where not said otherwise, are 1.07 B weights. Needs numpy.
"""
import json
import math
import pathlib
import shutil
import struct
import sys

import numpy

WIDTH, INNER, HEADS, KEY_HEADS, VOCABULARY = 2048, 8192, 32, 8, 49152
model, out = map(pathlib.Path, sys.argv[1:3])
layers = int(sys.argv[3]) if len(sys.argv) > 3 else 16
out.mkdir(parents=True, exist_ok=True)

settings = json.loads((model / "config.json").read_text())
settings.update(
    hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=layers, num_attention_heads=HEADS, num_key_value_heads=KEY_HEADS,
    head_dim=WIDTH // HEADS, vocab_size=VOCABULARY, tie_word_embeddings=True, max_position_embeddings=2048)
(out / "config.json").write_text(json.dumps(settings, indent=1))
for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
    if (model / name).exists():
        shutil.copyfile(model / name, out / name)

keys = KEY_HEADS * WIDTH // HEADS
shapes = {"model.embed_tokens.weight": [VOCABULARY, WIDTH], "model.norm.weight": [WIDTH]}
for layer in range(layers):
    parts = {
        "self_attn.q_proj": [WIDTH, WIDTH], "self_attn.k_proj": [keys, WIDTH], "self_attn.v_proj": [keys, WIDTH],
        "self_attn.o_proj": [WIDTH, WIDTH], "mlp.gate_proj": [INNER, WIDTH], "mlp.up_proj": [INNER, WIDTH],
        "mlp.down_proj": [WIDTH, INNER], "input_layernorm": [WIDTH], "post_attention_layernorm": [WIDTH]}
    shapes.update({f"model.layers.{layer}.{part}.weight": shape for part, shape in parts.items()})

header, end = {}, 0
for name, shape in shapes.items():
    start, end = end, end + 2 * math.prod(shape)
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
random = numpy.random.default_rng(0)
with open(out / "model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for shape in shapes.values():
        weights = numpy.float32(0.02) * random.standard_normal(shape, dtype=numpy.float32) if len(shape) > 1 \
            else numpy.ones(shape, numpy.float32)
        file.write((weights.view(numpy.uint32) >> 16).astype("<u2").tobytes())
print(f"{out}: {end // 2:,} weights")
