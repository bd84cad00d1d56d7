#!/usr/bin/env python3
"""Trains a packed translation model by PyTorch to say what the full model says (KL), and exports it.

usage: train_translation.py MODEL START SOURCE REFERENCE TRAINED [--learns scales] [--steps 100] [--batch 32] [--rate 3e-3]
needs: pip install 'torch==2.13.0+cpu' transformers sentencepiece; the program bitplan on PATH, or as BITPLAN

START is a packed directory of MODEL, TRAINED what `bitplan quantize TRAINED --fit stored --output PACKED` packs. Rates are those of
`bitplan tune`: relative to the root mean square of each array, a third for biases and norms, rising over 10 steps and falling as a
cosine. A step's loss is printed every tenth step.
"""
import argparse
import copy
import math
import random

import torch
from transformers import MarianMTModel, MarianTokenizer

from bitplan_torch import export, prepare

ARGUMENTS = argparse.ArgumentParser()
for name in ["model", "start", "source", "reference", "trained"]:
    ARGUMENTS.add_argument(name)
ARGUMENTS.add_argument("--learns", choices=["scales", "weights"], default="scales")
ARGUMENTS.add_argument("--steps", type=int, default=100)
ARGUMENTS.add_argument("--batch", type=int, default=32)
ARGUMENTS.add_argument("--rate", type=float, default=3e-3)
OPTIONS = ARGUMENTS.parse_args()

random.seed(0)
tokenizer = MarianTokenizer.from_pretrained(OPTIONS.model)
with open(OPTIONS.source, encoding="utf-8") as source, open(OPTIONS.reference, encoding="utf-8") as reference:
    pairs = list(zip(source.read().splitlines(), reference.read().splitlines(), strict=True))
teacher = MarianMTModel.from_pretrained(OPTIONS.model, dtype=torch.float32).eval()
model = prepare(copy.deepcopy(teacher), OPTIONS.start, learns=OPTIONS.learns)
groups = [{"params": [p], "lr": OPTIONS.rate * max(float(p.detach().square().mean().sqrt()), 1e-2)
           / (1 if name.endswith("numbers") else 3)} for name, p in model.named_parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-10, weight_decay=0)
rest = max(1, OPTIONS.steps - 10)
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda step: (step + 1) / 10 if step < 10 else (1 + math.cos(math.pi * (step - 10) / rest)) / 2)
for step in range(OPTIONS.steps):
    chosen = random.sample(pairs, min(OPTIONS.batch, len(pairs)))
    batch = tokenizer([s for s, _ in chosen], text_target=[t for _, t in chosen], return_tensors="pt", padding=True)
    labels = batch.pop("labels")
    start = torch.full((len(chosen), 1), model.config.decoder_start_token_id)
    batch["decoder_input_ids"] = torch.cat([start, labels[:, :-1]], 1)
    counts = labels != tokenizer.pad_token_id
    with torch.no_grad():
        target = torch.log_softmax(teacher(**batch).logits[counts], -1)
    scores = torch.log_softmax(model(**batch).logits[counts], -1)
    loss = torch.nn.functional.kl_div(scores, target, log_target=True, reduction="batchmean")
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    if step % 10 == 0:
        print(f"step {step}: {loss.item():.4f} nats a prediction", flush=True)
export(model, OPTIONS.trained)
