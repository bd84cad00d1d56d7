#!/usr/bin/env python3
"""Gradients of the small random models by PyTorch's autograd in FP64.

usage: gradients.py [Tests/ModelsTests/Goldens] [MODEL...]        (default: all models)
needs: pip install 'torch==2.13.0+cpu' transformers safetensors

For each model writes MODEL/gradients.json, the items as token ids, and MODEL/gradients.safetensors: `upstream`
(predictions, classes), random numbers U, and for every tensor its gradient of sum(U * logits), F32. Tied
tensors have one gradient, under the name that the checkpoint stores. `single` in the JSON is how far autograd in
FP32 is from that in FP64: the largest difference of a tensor over the largest number of its gradient.
"""
import json, os, sys

sys.path = [path for path in sys.path if os.path.realpath(path) != os.path.dirname(os.path.realpath(__file__))]

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSeq2SeqLM, BertForSequenceClassification, LlamaForCausalLM

torch.set_num_threads(1)
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../Tests/ModelsTests/Goldens")
ASKED = sys.argv[2:]


def write(name, model, items, logits):
    if ASKED and name not in ASKED:
        return
    generator = torch.Generator().manual_seed(11)
    rows = [logits(item) for item in items]
    upstream = [torch.randn(row.shape, generator=generator, dtype=torch.float64) for row in rows]
    loss = sum((u * row).sum() for u, row in zip(upstream, rows))
    loss.backward()
    # MarianMT's positions are sinusoids.
    tensors = {f"gradient.{key}": p.grad.float().contiguous() for key, p in model.named_parameters()
               if p.grad is not None and not ("embed_positions" in key and model.config.model_type == "marian")}
    tensors["upstream"] = torch.cat(upstream).float().contiguous()
    directory = os.path.join(OUT, name)
    save_file(tensors, f"{directory}/gradients.safetensors")
    # Biases of keys have a gradient of 0 in theory: what is compared with is not below this.
    least = 1e-2 * max(float(g.abs().max()) for key, g in tensors.items() if key != "upstream" and g.dim() == 1)
    model.zero_grad()
    model.float()
    sum((u.float() * logits(item)).sum() for u, item in zip(upstream, items)).backward()
    single = max(float((p.grad - tensors[f"gradient.{key}"]).abs().max()) / max(least, float(tensors[f"gradient.{key}"].abs().max()))
                 for key, p in model.named_parameters() if f"gradient.{key}" in tensors)
    json.dump({"loss": float(loss), "single": single, "items": items}, open(f"{directory}/gradients.json", "w"))


def random_ids(generator, vocabulary, length):
    return torch.randint(2, vocabulary, (length,), generator=generator).tolist()


for name in ["marian-relu-3-1", "marian-gelu-1-2", "marian-separate", "marian-untied", "tiny-m2m100", "tiny-mbart50", "tiny-t5", "tiny-t5-v1_1"]:
    model = AutoModelForSeq2SeqLM.from_pretrained(os.path.join(OUT, name), dtype=torch.float64).eval()
    # The start symbol is the padding, whose row PyTorch would not train.
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None
    generator = torch.Generator().manual_seed(3)
    # MarianMT's padding is its last token.
    vocabulary = min(model.config.vocab_size, getattr(model.config, "decoder_vocab_size", model.config.vocab_size)) - 2
    start = model.config.decoder_start_token_id
    items = [{"source": random_ids(generator, vocabulary, a), "target": random_ids(generator, vocabulary, b)}
             for a, b in [(7, 5), (1, 9), (12, 1), (4, 4)]]
    write(name, model, items, lambda item: model(
        input_ids=torch.tensor([item["source"]]),
        decoder_input_ids=torch.tensor([[start] + item["target"][:-1]])).logits[0])

model = LlamaForCausalLM.from_pretrained(os.path.join(OUT, "tiny-llama"), dtype=torch.float64).eval()
generator = torch.Generator().manual_seed(5)
items = [{"tokens": random_ids(generator, model.config.vocab_size, length), "scored": scored}
         for length, scored in [(9, 8), (2, 1), (14, 5)]]
write("tiny-llama", model, items,
      lambda item: model(torch.tensor([item["tokens"][:-1]])).logits[0, -item["scored"]:])

model = BertForSequenceClassification.from_pretrained(os.path.join(OUT, "tiny-bert"), dtype=torch.float64).eval()
generator = torch.Generator().manual_seed(6)
items = [{"tokens": random_ids(generator, model.config.vocab_size, length), "types": [0] * first + [1] * (length - first)}
         for length, first in [(9, 5), (1, 1), (17, 17), (6, 2)]]
write("tiny-bert", model, items, lambda item: model(
    torch.tensor([item["tokens"]]), token_type_ids=torch.tensor([item["types"]])).logits)
