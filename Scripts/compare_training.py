#!/usr/bin/env python3
"""A step of training here beside PyTorch's eager step on the CPU: tokens per second and peak memory.

usage: compare_training.py MODEL SOURCE REFERENCE [--batch 64] [--threads 2] [--steps 8] [--limit N] [--preset tcq2]
needs: pip install 'torch==2.13.0+cpu' transformers sentencepiece; BITPLAN names the program (.build/release/bitplan)

Both take random batches of the same sentences: forward, KL to the full model, backward, AdamW. PyTorch's model is
transformers' MarianMTModel in full precision, without any quantizer, and has the teacher's last states of every
batch beforehand; bitplan decodes its codes, computes the teacher's states and, with `weights`, codes the latent
weights again. PyTorch's other recipe trains biases and norms alone, which needs no gradients of weights.
Prints Markdown.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("model")
ARGUMENTS.add_argument("source")
ARGUMENTS.add_argument("reference")
ARGUMENTS.add_argument("--batch", type=int, default=64)
ARGUMENTS.add_argument("--threads", type=int, default=2)
ARGUMENTS.add_argument("--steps", type=int, default=8)
ARGUMENTS.add_argument("--limit", type=int, default=4000)
ARGUMENTS.add_argument("--preset", default="tcq2")
ARGUMENTS.add_argument("--torch", choices=["weights", "scales"], help="runs PyTorch alone, in a process of its own")
OPTIONS = ARGUMENTS.parse_args()


def peak_memory():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])


def torch_steps(recipe):
    import torch
    from transformers import MarianMTModel, MarianTokenizer

    torch.set_num_threads(OPTIONS.threads)
    model = MarianMTModel.from_pretrained(OPTIONS.model, dtype=torch.float32).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.config.dropout = model.config.attention_dropout = model.config.activation_dropout = 0.0
    tokenizer = MarianTokenizer.from_pretrained(OPTIONS.model)
    pairs = list(zip(open(OPTIONS.source).read().splitlines(), open(OPTIONS.reference).read().splitlines()))
    pairs = pairs[: OPTIONS.limit]
    trained = [p for name, p in model.named_parameters() if recipe == "weights" or p.dim() == 1]
    for p in model.parameters():
        p.requires_grad_(any(p is q for q in trained))
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    random.seed(1)
    batches = []
    for _ in range(OPTIONS.steps + 1):
        chosen = random.sample(pairs, OPTIONS.batch)
        source = tokenizer([s for s, _ in chosen], return_tensors="pt", padding=True)
        target = tokenizer(text_target=[t for _, t in chosen], return_tensors="pt", padding=True)["input_ids"]
        start = torch.full((len(chosen), 1), model.config.decoder_start_token_id)
        inputs = dict(source, decoder_input_ids=torch.cat([start, target[:, :-1]], 1))
        mask = target != tokenizer.pad_token_id
        with torch.no_grad():
            states = model.model(**inputs).last_hidden_state[mask]
        tokens = int(source["attention_mask"].sum() + mask.sum())
        batches.append((inputs, mask, states, tokens))
    teacher = model.model.shared.weight.detach().clone()

    def step(inputs, mask, states):
        hidden = model.model(**inputs).last_hidden_state[mask]
        logits = hidden @ model.model.shared.weight.T + model.final_logits_bias
        p = torch.log_softmax(states @ teacher.T, -1)
        loss = torch.nn.functional.kl_div(torch.log_softmax(logits, -1), p, log_target=True, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    step(*batches[0][:3])
    begin = time.perf_counter()
    for inputs, mask, states, _ in batches[1:]:
        step(inputs, mask, states)
    seconds = time.perf_counter() - begin
    print(json.dumps({"tokensPerSecond": sum(b[3] for b in batches[1:]) / seconds, "peakMemoryBytes": peak_memory()}))


def ours(recipe):
    program = os.environ.get("BITPLAN", ".build/release/bitplan")
    command = [program, "tune", OPTIONS.model, "--preset", OPTIONS.preset, "--fit", "greedy", "--recipe", recipe,
               "--data", OPTIONS.source, OPTIONS.reference, "--limit", OPTIONS.limit, "--steps", 100, "--dry-run",
               "--batch-size", OPTIONS.batch, "--threads", OPTIONS.threads, "--no-store", "--json", "--output",
               "/nonexistent/tuned"]
    return json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


def theirs(recipe):
    command = [sys.executable, __file__, *sys.argv[1:], "--torch", recipe]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


if OPTIONS.torch:
    torch_steps(OPTIONS.torch)
else:
    print(f"{OPTIONS.batch} sentence pairs a step, {OPTIONS.threads} threads, codes `{OPTIONS.preset}`; the best of three "
          "runs in turn.\n")
    print("| recipe | bitplan, tokens/s | PyTorch, tokens/s | ratio | bitplan, MB | PyTorch, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for recipe in ["scales", "weights"]:
        runs = [(ours(recipe), theirs(recipe)) for _ in range(3)]
        a, b = (max((run[side] for run in runs), key=lambda r: r["tokensPerSecond"]) for side in [0, 1])
        print(f"| {recipe} | {a['tokensPerSecond']:,.0f} | {b['tokensPerSecond']:,.0f} "
              f"| {a['tokensPerSecond'] / b['tokensPerSecond']:.2f} | {a['peakMemoryBytes'] / 1e6:.0f} "
              f"| {b['peakMemoryBytes'] / 1e6:.0f} |", flush=True)
