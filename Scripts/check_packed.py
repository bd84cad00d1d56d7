#!/usr/bin/env python3
"""Checks what bitplan wrote with software that is not bitplan's: Python's safetensors and jsonschema.

usage: check_packed.py PACKED...
       check_packed.py --plans PLAN...
needs: Scripts/requirements.txt

PACKED/model.safetensors must open, its tensors must fill the file behind the header without a hole, and the file must have the bytes
that the plan in PACKED/config.json predicts; that plan, and every PLAN, must be valid under Plans/plan.schema.json. Prints one line for each.
"""
import json, os, struct, sys

import jsonschema
from safetensors import safe_open

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Plans", "plan.schema.json")


def fail(text):
    sys.exit(f"check_packed: {text}")


def check_plan(plan, where):
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(plan), key=lambda error: list(map(str, error.path)))
    if errors:
        fail(f"{where}: at '{'.'.join(map(str, errors[0].path))}': {errors[0].message}")


def check_packed(directory):
    path = os.path.join(directory, "model.safetensors")
    with safe_open(path, framework="np") as file:
        names = list(file.keys())
        sizes = {name: file.get_tensor(name).nbytes for name in names}
    with open(path, "rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_bytes))
    tensor_bytes = sum(sizes.values())
    if {name for name in header if name != "__metadata__"} != set(names):
        fail(f"{path}: the header names other tensors than safetensors reads")
    if os.path.getsize(path) != 8 + header_bytes + tensor_bytes:
        fail(f"{path}: {os.path.getsize(path)} bytes, expected 8 + {header_bytes} of header and {tensor_bytes} of tensors")
    config = os.path.join(directory, "config.json")
    with open(config, encoding="utf-8") as file:
        plan = json.load(file)["quantization_config"]["plan"]
    check_plan(plan, config)
    predicted = plan.get("predicted", {}).get("bytes")
    if predicted is not None and predicted != os.path.getsize(path):
        fail(f"{path}: {os.path.getsize(path)} bytes, the plan predicts {predicted}")
    said = "as the plan predicts" if predicted is not None else "the plan predicts nothing"
    print(f"{directory}: {len(names)} tensors, {os.path.getsize(path)} bytes ({said}), {8 + header_bytes} of them header; the plan is valid")


arguments = sys.argv[1:]
if not arguments or arguments == ["--plans"]:
    fail("expected packed directories, or --plans and plan files")
if arguments[0] == "--plans":
    for path in arguments[1:]:
        with open(path, encoding="utf-8") as file:
            check_plan(json.load(file), path)
        print(f"{path}: valid")
else:
    for directory in arguments:
        check_packed(directory)
