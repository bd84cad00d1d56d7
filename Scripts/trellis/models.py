"""Models whose matrices are rounded by other codes than the package's, written with the weights that their codes stand for."""
import json
import shutil
import struct
import subprocess

import numpy as np

TYPES = {"F16": np.float16, "F32": np.float32, "I64": np.int64}


def read(model):
    """The tensors of a model directory's model.safetensors."""
    data = (model / "model.safetensors").read_bytes()
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[8 + size + item["data_offsets"][0]:8 + size + item["data_offsets"][1]], TYPES[item["dtype"]]).reshape(
        item["shape"]) for name, item in header.items()}


def write(model, tensors, out):
    """The model directory with other tensors: matrices as F32."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(model, out, ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))
    names = {kind: name for name, kind in TYPES.items()}
    header, end = {}, 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": names[tensor.dtype.type], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(out / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


def matrices(bitplan, model):
    """The names of the tensors that plans give schemes to."""
    layout = json.loads(subprocess.run([bitplan, "inspect", model, "--json"], check=True, capture_output=True).stdout)["layout"]
    return [matrix["tensor"] for sublayer in layout["sublayers"] for matrix in sublayer["matrices"]]


def rounded(bitplan, model, function, out):
    """Writes the model with function(matrix) in the place of every matrix."""
    tensors = read(model)
    for name in matrices(bitplan, model):
        tensors[name] = function(tensors[name].astype(np.float64)).astype(np.float32)
    write(model, tensors, out)


def heavy_tailed(bitplan, model, out):
    """Writes the model with random matrices: Student's t of 5 degrees with a scale a row, as ../shared/tools/make_shape_model.py has
    them, and a last norm that makes predictions as peaked as a trained model's."""
    random = np.random.default_rng(5)
    tensors = read(model)
    for name in matrices(bitplan, model):
        shape = tensors[name].shape
        t = random.standard_normal(shape) / (random.standard_normal((5, *shape)) ** 2).mean(0) ** 0.5 / (5 / 3) ** 0.5
        row = np.exp((0.1 if "shared" in name else 0.3) * random.standard_normal((shape[0], 1)))
        half = 0.5 if name.endswith(("out_proj.weight", "fc2.weight")) else 1
        tensors[name] = (t * row * shape[1] ** -0.5 * half).astype(np.float32)
    last = max(name for name in tensors if "decoder" in name and name.endswith("final_layer_norm.weight"))
    tensors[last] = np.full_like(tensors[last], 5)
    write(model, tensors, out)


def rotated(function):
    """function of W R', rotated back: R are random signs and Hadamard matrices of the largest power of two that divides the columns."""
    def turned(matrix):
        columns = matrix.shape[1]
        block = columns & -columns
        hadamard = np.ones((1, 1))
        while len(hadamard) < block:
            hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
        hadamard *= block ** -0.5
        signs = np.where(np.random.default_rng(6).integers(0, 2, columns), 1.0, -1.0)
        there = ((matrix * signs).reshape(-1, block) @ hadamard).reshape(matrix.shape)
        return (function(there).reshape(-1, block) @ hadamard).reshape(matrix.shape) * signs
    return turned


def binary(bits):
    """Binary codes of FP16 scales: codes and scales by turns from the greedy ones, as `--fit alternating` does; 15 rounds."""
    patterns = np.array([[1.0 if p >> b & 1 else -1.0 for b in range(bits)] for p in range(1 << bits)])

    def fit(matrix):
        rest, scales = matrix.copy(), []
        for _ in range(bits):
            scales.append(np.abs(rest).mean(1))
            rest -= scales[-1][:, None] * np.where(rest >= 0, 1, -1)
        scales = np.stack(scales, 1)
        for _ in range(15):
            codes = patterns[nearest(matrix, scales @ patterns.T)]
            left = np.einsum("rcb,rcd->rbd", codes, codes) + 1e-6 * np.eye(bits)
            scales = np.linalg.solve(left, np.einsum("rcb,rc->rb", codes, matrix)[:, :, None])[:, :, 0]
        scales = scales.astype(np.float16).astype(float)
        levels = scales @ patterns.T
        return np.take_along_axis(levels, nearest(matrix, levels), 1)

    def by_rows(matrix):
        return np.concatenate([fit(matrix[first:first + 512]) for first in range(0, len(matrix), 512)])
    return by_rows


def nearest(matrix, levels):
    """Of each row's levels (rows, levels) the one that is nearest to each of its numbers."""
    order = np.argsort(levels, axis=1)
    ordered = np.take_along_axis(levels, order, 1)
    found = ((ordered[:, 1:] + ordered[:, :-1])[:, None, :] / 2 < matrix[:, :, None]).sum(2)
    return np.take_along_axis(order, found, 1)


def integer(bits):
    """Integers, the largest magnitude of a row being the last level; FP16 scales."""
    most = 2 ** (bits - 1) - 1

    def fit(matrix):
        scales = (np.abs(matrix).max(1, keepdims=True) / most).astype(np.float16).astype(float)
        return scales * np.clip(np.rint(matrix / np.where(scales > 0, scales, 1)), -most, most)
    return fit
