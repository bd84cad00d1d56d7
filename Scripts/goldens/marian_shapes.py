#!/usr/bin/env python3
"""Writes tiny MarianMT models of odd shapes with random weights, and what transformers' own MarianMTModel makes of them in FP32.

usage: marian_shapes.py [Tests/ModelsTests/Goldens]
needs: pip install 'torch==2.13.0+cpu' transformers safetensors

OUT/NAME/ is a model directory without tokenizer (config.json, generation_config.json, model.safetensors; where the weights are BF16 numbers
also model.f32.safetensors, the same numbers as F32). OUT/NAME/goldens.json: source and target ids, greedy and beam-4 ids without the
start symbol. OUT/NAME/goldens.safetensors, for each sentence i: encoder_i (tokens, d), logits_i (target tokens, vocabulary), teacher-forced.
"""
import json, os, shutil, sys

# The script beside this one is called like the library that transformers needs.
sys.path = [path for path in sys.path if os.path.realpath(path) != os.path.dirname(os.path.realpath(__file__))]

import torch
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig, MarianConfig, MarianMTModel

torch.set_num_threads(1)

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../Tests/ModelsTests/Goldens")
MAX_LENGTH = 24

SHAPES = {
    "marian-relu-3-1": dict(
        model=dict(
            d_model=32, vocab_size=97, encoder_layers=3, decoder_layers=1, encoder_attention_heads=8, decoder_attention_heads=4,
            encoder_ffn_dim=44, decoder_ffn_dim=36, activation_function="relu", scale_embedding=True, max_position_embeddings=40),
        generation=dict(length_penalty=1.0, early_stopping=False),
        end_bias=5.5, seed=2,
        dtype=torch.float32),
    "marian-gelu-1-2": dict(
        model=dict(
            d_model=33, vocab_size=61, encoder_layers=1, decoder_layers=2, encoder_attention_heads=3, decoder_attention_heads=11,
            encoder_ffn_dim=40, decoder_ffn_dim=52, activation_function="gelu", scale_embedding=False, max_position_embeddings=64),
        generation=dict(length_penalty=0.6, early_stopping=True, renormalize_logits=True),
        end_bias=6.0, seed=0,
        dtype=torch.bfloat16),
}


def fill(model, generator):
    """Weights that keep activations of size 1, norms and biases that are not trivial."""
    for name, parameter in model.named_parameters():
        random = torch.randn(parameter.shape, generator=generator)
        if "embed_positions" in name:
            continue
        if "shared" in name or "embed_tokens" in name:
            parameter.data = 0.5 * random
        elif "layer_norm" in name:
            parameter.data = (1 if name.endswith("weight") else 0) + 0.2 * random
        elif parameter.dim() == 2:
            parameter.data = 1.5 * random / parameter.shape[1] ** 0.5
        else:
            parameter.data = 0.2 * random
    model.final_logits_bias = torch.randn(model.final_logits_bias.shape, generator=generator)


def strip(ids, eos):
    ids = ids.tolist()[1:]
    return ids[: ids.index(eos) + 1] if eos in ids else ids


@torch.no_grad()
def make(name, shape):
    generator = torch.Generator().manual_seed(shape["seed"])
    vocabulary = shape["model"]["vocab_size"]
    eos, pad = 0, vocabulary - 1
    config = MarianConfig(
        **shape["model"], pad_token_id=pad, eos_token_id=eos, decoder_start_token_id=pad, forced_eos_token_id=None,
        share_encoder_decoder_embeddings=True, tie_word_embeddings=True, dropout=0.0)
    model = MarianMTModel(config).eval()
    fill(model, generator)
    model.final_logits_bias[0, eos] += shape["end_bias"]
    model.generation_config = GenerationConfig(
        pad_token_id=pad, eos_token_id=eos, decoder_start_token_id=pad, forced_eos_token_id=eos, bad_words_ids=[[pad]],
        max_length=MAX_LENGTH, num_beams=4, **shape["generation"])
    out = os.path.join(OUT, name)
    shutil.rmtree(out, ignore_errors=True)
    model.to(shape["dtype"]).save_pretrained(out)
    # The reference runs in FP32 on exactly the numbers that the file holds (and on sinusoids that were never rounded).
    model = MarianMTModel.from_pretrained(out, dtype=torch.float32).eval()
    if shape["dtype"] != torch.float32:
        tensors = load_file(f"{out}/model.safetensors")
        save_file({k: v.float() for k, v in tensors.items()}, f"{out}/model.f32.safetensors", metadata={"format": "pt"})

    sentences, tensors = [], {}
    for index, length in enumerate([1, 2, 3, 5, 8, 13, 4, 7]):
        def ids(count):
            return torch.cat([torch.randint(1, pad, (count,), generator=generator), torch.tensor([eos])])[None]
        source, target = ids(length), ids(max(1, 14 - length))
        decoder = torch.cat([torch.tensor([[pad]]), target[:, :-1]], 1)
        result = model(input_ids=source, decoder_input_ids=decoder)
        tensors[f"encoder_{index}"] = result.encoder_last_hidden_state[0].contiguous()
        tensors[f"logits_{index}"] = result.logits[0].contiguous()
        greedy = model.generate(input_ids=source, num_beams=1, do_sample=False)
        beam = model.generate(input_ids=source, num_beams=4, do_sample=False)
        sentences.append({
            "source_ids": source[0].tolist(), "target_ids": target[0].tolist(), "greedy_ids": strip(greedy[0], eos),
            "beam4_ids": strip(beam[0], eos)})
    with open(f"{out}/goldens.json", "w") as file:
        json.dump({"max_length": MAX_LENGTH, "sentences": sentences}, file, indent=1)
        file.write("\n")
    save_file(tensors, f"{out}/goldens.safetensors")
    for file in os.listdir(out):
        os.chmod(os.path.join(out, file), 0o644)
    print(name, [len(s["greedy_ids"]) for s in sentences], [len(s["beam4_ids"]) for s in sentences])


for name, shape in SHAPES.items():
    make(name, shape)
