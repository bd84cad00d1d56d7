#!/usr/bin/env python3
"""Training by PyTorch and packing what it leaves: every scheme, shared matrices, resumed runs, and what is refused.

usage: test_bitplan_torch.py [NAME ...]      (the names of tests; all where not given)
needs: pip install 'torch==2.13.0+cpu' transformers; BITPLAN names the program (.build/release/bitplan)
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.append(os.path.join(ROOT, "Scripts/goldens"))  # last: a file there is called as a package is
import torch
from torch_bridge import CASES, PROGRAM, ROOT, SCHEMES, TEXT, decoded, measured, quantized

from bitplan_torch import BitplanError, export, follow, prepare
from bitplan_torch.storage import read_safetensors, write_safetensors

KIND, PLACE, LOGITS, *_, ITEMS = CASES["bert"]
PLACE = os.path.join(ROOT, PLACE)
TEACHER = KIND.from_pretrained(PLACE, dtype=torch.float32).eval()


def pack(trained, output):
    command = [PROGRAM, "quantize", trained, "--fit", "stored", "--output", output]
    return subprocess.run(command, capture_output=True, text=True)


def train(model, teacher, logits, items, steps=2):
    """The loop of the documentation."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.0)
    for _ in range(steps):
        with torch.no_grad():
            targets = [torch.log_softmax(logits(teacher, item), -1) for item in items]
        loss = sum(torch.nn.functional.kl_div(torch.log_softmax(logits(model, item), -1), target, log_target=True,
                                              reduction="batchmean") for item, target in zip(items, targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def packed_is_what_training_saw(name, sublayers, text, **settings):
    kind, place, logits, *_, items = CASES[name]
    place = os.path.join(ROOT, place)
    with tempfile.TemporaryDirectory() as directory:
        start = quantized(place, sublayers, text, directory)
        teacher = kind.from_pretrained(place, dtype=torch.float32).eval()
        model = prepare(copy.deepcopy(teacher), start, **settings).train()
        train(model, teacher, logits, items)
        model.eval()
        with torch.no_grad():
            saw = [logits(model, item) for item in items]
        export(model, f"{directory}/trained")
        done = pack(f"{directory}/trained", f"{directory}/packed")
        assert done.returncode == 0, done.stderr
        again = prepare(kind.from_pretrained(f"{directory}/trained", dtype=torch.float32).eval(), f"{directory}/packed")
        # Scales of scales are made anew from scales that they have rounded.
        if not any(scheme.endswith("dq") for scheme in sublayers.values()):
            for tensor, weights in decoded(model).items():
                assert torch.equal(weights, decoded(again)[tensor]), tensor
            with torch.no_grad():
                assert all(torch.equal(logits(again, item), before) for item, before in zip(items, saw))
        for file in ["codes.safetensors", "model.safetensors"]:
            assert all(value.isfinite().all() for value in read_safetensors(f"{directory}/trained/{file}")[0].values()
                       if value.is_floating_point())
        before, after = (json.load(open(f"{d}/config.json")) for d in [place, f"{directory}/packed"])
        assert after.pop("quantization_config")["plan"]["fit"] == "stored" and before == after
        assert os.path.getsize(f"{directory}/packed/model.safetensors") == os.path.getsize(f"{start}/model.safetensors")


def test_every_scheme():
    for scheme in SCHEMES:
        for settings in [{}, {"learns": "weights", "latents": "model", "recode_every": 2}]:
            packed_is_what_training_saw("bert", {"*": scheme}, TEXT, **settings)


def test_families():
    for name in ["llama", "marian"]:
        packed_is_what_training_saw(name, CASES[name][3] | {"Vectors": "fp16"}, CASES[name][4], learns="weights")
        packed_is_what_training_saw(name, CASES[name][3], CASES[name][4])


def test_starts_at_the_packed_codes():
    """Latent weights that start at what codes stand for keep the codes, and a copy of a model is a model of its own."""
    with tempfile.TemporaryDirectory() as directory:
        start = quantized(PLACE, {"*": "tcq2", "Head": "bcq2"}, None, directory)
        fixed = prepare(copy.deepcopy(TEACHER), start)
        moving = prepare(copy.deepcopy(TEACHER), start, learns="weights")
        assert all(torch.allclose(weights, decoded(moving)[tensor], atol=1e-6) for tensor, weights in decoded(fixed).items())
        other = copy.deepcopy(moving)
        train(moving.train(), TEACHER, LOGITS, ITEMS)
        follow(moving)
        assert all(torch.equal(weights, decoded(other)[tensor]) for tensor, weights in decoded(prepare(
            copy.deepcopy(TEACHER), start, learns="weights")).items())
        # A state that a trainer has saved leads to the same model.
        other.load_state_dict(moving.state_dict())
        assert measured(other.eval(), TEACHER, LOGITS, ITEMS)["loss"] == measured(moving.eval(), TEACHER, LOGITS, ITEMS)["loss"]


def test_codes_follow():
    """Codes follow in every so many forwards with gradients, whatever the mode, and at the first one without."""
    with tempfile.TemporaryDirectory() as directory:
        model = prepare(copy.deepcopy(TEACHER), quantized(PLACE, {"*": "int4"}, None, directory), learns="weights", recode_every=2)
        codes, latent = next((c, l) for tensor, c, l in model.bitplan.codes() if tensor == "classifier.weight")

        def moved(gradients):
            before = codes.codes
            latent.data.mul_(-0.8)
            with torch.set_grad_enabled(gradients):
                LOGITS(model, ITEMS[0])
            return not torch.equal(before, codes.codes)
        assert [moved(True) for _ in range(4)] == [True, False, True, False]
        model.train()
        assert [moved(True), moved(False), moved(False)] == [True, True, False]


def test_trainer():
    """transformers' Trainer trains a prepared model, saves it, and goes on as it would have."""
    try:
        import accelerate  # noqa: F401
    except ImportError:
        return print("test_trainer: skipped, it needs accelerate")
    from transformers import Trainer, TrainingArguments

    kind, place, *_ = CASES["marian"]
    place = os.path.join(ROOT, place)
    data = [{"input_ids": torch.tensor([15, 2013 + i, 0]), "labels": torch.tensor([10, 1115, 48 + i, 0])} for i in range(4)]
    with tempfile.TemporaryDirectory() as directory:
        start = quantized(place, {"*": "int3", "Emb": "bcq2"}, None, directory)
        arguments = TrainingArguments(f"{directory}/run", max_steps=4, save_steps=2, per_device_train_batch_size=2, use_cpu=True,
                                      report_to=[], disable_tqdm=True)
        models = []
        for checkpoint in [None, f"{directory}/run/checkpoint-2"]:
            model = prepare(kind.from_pretrained(place, dtype=torch.float32), start, learns="weights")
            Trainer(model=model, args=arguments, train_dataset=data).train(resume_from_checkpoint=checkpoint)
            follow(model)
            models.append(decoded(model))
        assert all(torch.equal(weights, models[1][tensor]) for tensor, weights in models[0].items())


def test_loss_falls():
    with tempfile.TemporaryDirectory() as directory:
        start = quantized(PLACE, {"*": "bcq2"}, None, directory)
        for settings in [{}, {"learns": "weights"}]:
            model = prepare(copy.deepcopy(TEACHER), start, **settings)
            first = train(model, TEACHER, LOGITS, ITEMS, steps=1)
            assert train(model, TEACHER, LOGITS, ITEMS, steps=30) < 0.8 * first


def refuses(parts, body):
    try:
        body()
    except BitplanError as error:
        assert "\n" not in str(error), error
        for part in parts if isinstance(parts, list) else [parts]:
            assert part in str(error), f"expected '{part}' in: {error}"
    else:
        raise AssertionError(f"expected an error that says {parts}")


def test_refusals():
    with tempfile.TemporaryDirectory() as directory:
        start = quantized(PLACE, {"*": "int4"}, None, directory)
        fresh = lambda: copy.deepcopy(TEACHER)
        refuses("learns: expected scales or weights, got all", lambda: prepare(fresh(), start, learns="all"))
        refuses("latents: expected codes or model, got zeros", lambda: prepare(fresh(), start, learns="weights", latents="zeros"))
        refuses("recode_every: expected 1 or more, got 0", lambda: prepare(fresh(), start, learns="weights", recode_every=0))
        refuses("settings of learns='weights'", lambda: prepare(fresh(), start, recode_every=4))
        refuses("nowhere/bitplan: No such file", lambda: prepare(fresh(), start, program="nowhere/bitplan"))
        refuses("expected a packed directory", lambda: prepare(fresh(), PLACE))
        refuses([f"{directory}/none", "config.json"], lambda: prepare(fresh(), f"{directory}/none"))
        model = prepare(fresh(), start)
        refuses("prepared already", lambda: prepare(model, start))
        refuses("not prepared", lambda: export(fresh(), f"{directory}/trained"))
        refuses("is no export", lambda: export(model, start))

        # Plans of other models.
        kind, place, *_ = CASES["llama"]
        llama = kind.from_pretrained(os.path.join(ROOT, place), dtype=torch.float32)
        refuses(["no tensor 'bert.", "plan of another model"], lambda: prepare(llama, start))
        wide = fresh()
        wide.classifier.weight = torch.nn.Parameter(torch.zeros(4, 20))
        refuses(["'classifier.weight'", "FP32 [3, 20]", "got float32 [4, 20]"], lambda: prepare(wide, start))
        refuses(["expected FP32", "got float16"], lambda: prepare(fresh().half(), start))
        wide.classifier = torch.nn.Linear(20, 3)
        wide.classifier.bias = torch.nn.Parameter(torch.zeros(5))
        refuses(["'classifier.bias'", "FP32 [3]", "got float32 [5]"], lambda: prepare(wide, start))
        more = fresh()
        more.adapter = torch.nn.Linear(2, 2)
        refuses("'adapter.weight' is not in the plan", lambda: prepare(more, start))

        # Runs that went wrong, and what packing says of stored codes that do.
        with torch.no_grad():
            next(model.bitplan.codes())[1].numbers[1] = float("nan")
        refuses(["word_embeddings.weight.scales", "nan at element 1"], lambda: export(model, f"{directory}/trained"))
        assert not os.path.exists(f"{directory}/trained")
        export(prepare(fresh(), start), f"{directory}/trained")
        export(prepare(fresh(), start), f"{directory}/trained")  # over an export of its own
        assert pack(f"{directory}/trained", f"{directory}/packed").returncode == 0
        codes = f"{directory}/trained/codes.safetensors"
        tensors, metadata = read_safetensors(codes)
        for change, message in [
                (lambda t, m: m.update(layout_version="1"), "layout version 1"),
                (lambda t, m: t.update({"classifier.weight.scales": torch.ones(2)}), "expected F32 [3], got F32 [2]"),
                (lambda t, m: t["classifier.weight.scales"].fill_(float("nan")), "expected a finite number"),
                (lambda t, m: t["classifier.weight.codes"].fill_(0), "expected 1 to 15")]:
            own, about = {name: tensor.clone() for name, tensor in tensors.items()}, dict(metadata)
            change(own, about)
            write_safetensors(codes, own, about)
            done = pack(f"{directory}/trained", f"{directory}/again")
            assert done.returncode == 1 and done.stderr.count("\n") == 1 and message in done.stderr, done.stderr
        path = f"{start}/model.safetensors"
        tensors, metadata = read_safetensors(path)
        write_safetensors(path, tensors, metadata | {"layout_version": "1"})
        refuses("layout version 1", lambda: prepare(fresh(), start))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, test in list(globals().items()):
        if name.startswith("test_") and name in (sys.argv[1:] or [name]):
            test()
            print(f"{name}: passed", flush=True)
