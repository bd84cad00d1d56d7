"""A stand-in for an evaluator: a model that exists only as numbers, and on demand every kind of misbehaviour.

    evaluator.py LOG [MISBEHAVIOUR [FIRST [LAST]]]

LOG gets a line for every process that starts and every request for losses. From the FIRST request for losses or a metric of a
process to the LAST of all processes together it misbehaves. A sublayer under a scheme of N bits loses 4^-N times its size, a
pair of neighbours a little more, an item its own share.
"""
import hashlib
import json
import os
import sys
import time

log = sys.argv[1]
kind, first, last = (sys.argv[2:] + ["", "1", "1000000"][len(sys.argv) - 2:])[:3]
SHAPES = [("Conv.0", 16, 9), ("Conv.1", 32, 16), ("Conv.2", 32, 32), ("Head", 10, 32)]
ITEMS = 40


def note(text):
    with open(log, "a") as file:
        file.write(text + "\n")


def count(word):
    with open(log) as file:
        return sum(line.startswith(word) for line in file)


def share(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2 ** 32


def loss(matrices, item):
    own = [4.0 ** -int(matrices[name][3]) * (1 + share(name)) * (0.5 + share(f"{name} {item}")) if name in matrices else 0.0
           for name, _, _ in SHAPES]
    return sum(own) + sum(0.3 * (a * b) ** 0.5 for a, b in zip(own, own[1:]))


def describe():
    answer = {
        "version": 1, "model": {"type": "synthetic", "sha256": "ab" * 32}, "configuration": "cd" * 32,
        "layout": {"sublayers": [{"name": name, "matrices": [{"tensor": name, "rows": rows, "columns": columns}]}
                                 for name, rows, columns in SHAPES], "fixedParameters": 0},
        "data": {"sha256": "ef" * 32, "predictions": [1 + i % 5 for i in range(ITEMS)],
                 "targets": [1 + i % 5 for i in range(ITEMS)], "metric": "accuracy"},
        "candidates": ["bcq1", "bcq2", "bcq3", "int4"], "fit": "greedy", "batch": 3,
    }
    if kind == "version":
        answer["version"] = 2
    if kind == "in-order":
        answer["encodesInOrder"] = True
    if kind == "changes" and count("start") > 1:
        answer["model"]["sha256"] = "00" * 32
    if kind == "shape":
        answer["layout"]["sublayers"][1]["matrices"][0]["rows"] = -4
    if kind == "twice":
        answer["layout"]["sublayers"][1]["name"] = "Conv.0"
    return answer


def answer(request):
    found = []
    for assignment in request["assignments"]:
        matrices = assignment["matrices"]
        for name, scheme in matrices.items():
            assert not scheme.startswith("fp"), scheme
        if request["request"] == "metric":
            mean = sum(loss(matrices, item) for item in range(ITEMS)) / ITEMS
            found.append({"accuracy": [int(share(f"right {i}") > 0.2 + 0.1 * mean) for i in range(ITEMS)]})
        else:
            tokens = [1 + i % 5 for i in request["items"]]
            kl = [t * loss(matrices, i) for t, i in zip(tokens, request["items"])]
            found.append({"kl": kl, "crossEntropy": [2.0 * t + x / 2 for t, x in zip(tokens, kl)]})
    return {"metrics" if request["request"] == "metric" else "losses": found}


def misbehave(request, said):
    """What is written instead of the answer, if anything is."""
    losses = said.get("losses", [{}])[0]
    if kind == "crash":
        print("Traceback: no memory left", file=sys.stderr)
        sys.exit(3)
    if kind == "killed":
        os.kill(os.getpid(), 9)
    if kind == "silent":
        time.sleep(1000)
    if kind == "half":
        sys.stdout.write(json.dumps(said)[:20])
        sys.stdout.flush()
        sys.exit(0)
    if kind == "text":
        return "epoch 1 of 3"
    if kind == "other-id":
        return json.dumps({**said, "id": request["id"] + 7})
    if kind == "refuses":
        return json.dumps({"id": request["id"], "error": "no kernel for bcq1"})
    if kind == "negative":
        losses["kl"][0] = -0.5
    if kind == "not-finite":
        return json.dumps(said).replace(json.dumps(losses["kl"][0]), "NaN", 1)
    if kind == "short":
        losses["kl"].pop()
    if kind == "few":
        said["losses"].pop()
    if kind == "biased":
        for one in said["losses"]:
            one["kl"] = [x + 0.1 for x in one["kl"]]
    if kind == "metric":
        said = {**said, "metrics": [{"perplexity": [[1.0, 1]] * ITEMS}]} if "metrics" in said else said
    return json.dumps(said)


note(f"start {os.environ['BITPLAN_WORKER']}")
for line in sys.stdin:
    request = json.loads(line)
    if request["request"] == "describe":
        said = {"id": request["id"], **describe()}
        print(json.dumps(said), flush=True)
        continue
    note(f"ask {len(request['assignments'])} {len(request.get('items', []))}")
    said = {"id": request["id"], **answer(request)}
    number = count("ask")
    print(misbehave(request, said) if int(first) <= number <= int(last) else json.dumps(said), flush=True)
