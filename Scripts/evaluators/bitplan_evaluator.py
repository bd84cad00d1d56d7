"""What every evaluator in Python shares: the loop that reads requests of `bitplan --evaluator` and answers them.

The protocol is described in Sources/Bitplan/Bitplan.docc/Evaluators.md. An evaluator is an object with `describe()`, a
dictionary; `losses(schemes, items, encoding)`, the sums of KL and of cross-entropy of each item; and, where its description names
one, `metric(schemes, encoding)`. `schemes` maps tensors to text forms of schemes; tensors that it does not name stay as they are,
and "vectors" is "fp16" where biases and norms are rounded. What cannot be measured is a `Refused`.
"""
import hashlib
import json
import os
import sys

VERSION = 1
# Where answers go; what libraries print goes to standard error, so that it never stands among them.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class Refused(Exception):
    """What was asked for cannot be measured, and why: one line."""


def sha256(*parts):
    """SHA-256 of parts, each with its length before it; a part is bytes or text."""
    total = hashlib.sha256()
    for part in parts:
        part = part.encode() if isinstance(part, str) else part
        total.update(b"%d\n" % len(part) + part)
    return total.hexdigest()


def weights_sha256(tensors):
    """SHA-256 of named arrays: names, shapes and FP32 values, in order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].astype("<f4")
        total.update(f"{name} {list(values.shape)}\n".encode() + values.tobytes())
    return total.hexdigest()


def answer(evaluator, request):
    """The answer to a request, without its `id`."""
    kind = request["request"]
    if request["version"] != VERSION:
        raise Refused(f"version {request['version']} of the protocol: expected {VERSION}")
    if kind == "describe":
        return {"version": VERSION, **evaluator.describe()}
    asked = [{**a["matrices"], **({"vectors": a["vectors"]} if "vectors" in a else {})} for a in request["assignments"]]
    if kind == "losses":
        found = [evaluator.losses(schemes, request["items"], request["encoding"]) for schemes in asked]
        return {"losses": [{"kl": [max(0.0, float(x)) for x in kl], "crossEntropy": [max(0.0, float(x)) for x in entropy]}
                           for kl, entropy in found]}
    if kind == "metric":
        return {"metrics": [evaluator.metric(schemes, request["encoding"]) for schemes in asked]}
    raise Refused(f"request '{kind}': expected describe, losses or metric")


def serve(evaluator):
    """Answers every line of standard input until it ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            said = answer(evaluator, request)
        except Refused as why:
            said = {"error": str(why)}
        ANSWERS.write(json.dumps({"id": request["id"], **said}) + "\n")
        ANSWERS.flush()
