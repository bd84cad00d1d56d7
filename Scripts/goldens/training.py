#!/usr/bin/env python3
"""Losses of training with their gradients, and steps of AdamW, by PyTorch in FP64.

usage: training.py [Tests/TrainingTests/Goldens]
needs: pip install 'torch==2.13.0+cpu' safetensors

training.json: `student` and `teacher` (5, 20), random outputs of the tiny BERT of Tests/ModelsTests/Goldens, `labels`; for
`kl` (to the teacher), `smoothed` (cross-entropy, smoothing 0.1; the fourth row has no label), `shared` (0.3 of cross-entropy and 0.7
of `kl`, `kl` alone where there is no label) and `ranking` (KL of the softmax of
cosines / 0.05 with the other rows, which both sides of a pair are trained by) the summed loss and the gradient of half of it by
`student`. `adam`: gradients of five steps of AdamW (rate 0.01, betas 0.9 and 0.99, epsilon 1e-10, decay 0.1) and the weights
behind each.
"""
import json
import os
import sys

import torch
from safetensors.torch import load_file

torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../../Tests/TrainingTests/Goldens")
weights = load_file(os.path.join(here, "../../Tests/ModelsTests/Goldens/tiny-bert/model.safetensors"))
W, b = weights["classifier.weight"].double(), weights["classifier.bias"].double()
generator = torch.Generator().manual_seed(4)
student = torch.randn(5, 20, generator=generator, dtype=torch.float64).float().double().requires_grad_()
teacher = torch.randn(5, 20, generator=generator, dtype=torch.float64).float().double()
labels = [2, 0, 1, None, 0]
F = torch.nn.functional


def kl():
    p, q = (torch.log_softmax(x @ W.T + b, -1) for x in [teacher, student])
    return F.kl_div(q, p, log_target=True, reduction="sum")


def cross_entropy():
    rows = [row for row, label in enumerate(labels) if label is not None]
    return F.cross_entropy((student @ W.T + b)[rows], torch.tensor([labels[r] for r in rows]), label_smoothing=0.1,
                           reduction="sum")


def shared():
    p, q = (torch.log_softmax(x @ W.T + b, -1) for x in [teacher, student])
    rows = F.kl_div(q, p, log_target=True, reduction="none").sum(-1)
    return sum(row if label is None else 0.7 * row - 0.3 * line[label] for row, line, label in zip(rows, q, labels))


def ranking():
    def distribution(x):
        x = F.normalize(x, dim=-1)
        return torch.log_softmax((x @ x.T / 0.05).masked_fill(torch.eye(5, dtype=torch.bool), -1e4), -1)
    return F.kl_div(distribution(student), distribution(teacher), log_target=True, reduction="sum")


result = {"student": student.flatten().tolist(), "teacher": teacher.flatten().tolist(), "labels": labels}
for name, loss in [("kl", kl), ("smoothed", cross_entropy), ("shared", shared), ("ranking", ranking)]:
    student.grad = None
    value = loss()
    (value / 2).backward()
    result[name] = {"nats": float(value), "gradient": student.grad.flatten().tolist()}

w = torch.randn(37, generator=generator, dtype=torch.float64).float().double().requires_grad_()
optimizer = torch.optim.AdamW([w], lr=0.01, betas=(0.9, 0.99), eps=1e-10, weight_decay=0.1)
adam = {"start": w.tolist(), "gradients": [], "weights": []}
for _ in range(5):
    w.grad = torch.randn(37, generator=generator, dtype=torch.float64).float().double()
    adam["gradients"].append(w.grad.tolist())
    optimizer.step()
    adam["weights"].append(w.tolist())
result["adam"] = adam
os.makedirs(OUT, exist_ok=True)
json.dump(result, open(os.path.join(OUT, "training.json"), "w"))
