"""Units of planning below the matrix: rows of uniform models mixed by their Fisher loss."""
import shutil
from types import SimpleNamespace

import numpy as np

from . import Refused
from .allocation import least_cost

UNITS = ["sublayer", "matrix", "rows"]
ROWS = 32


def row_losses(directory, files, limit, originals, weights, samples=2):
    """Scheme to tensor to the loss of every row, in nats per prediction, by the Fisher information.

    Half the mean square of <g, dW> over the row, g the gradient of cross-entropy where the right answers are
    drawn from the model's own predictions, item by item: KL to second order in dW, what rows share left out.

    originals: tensor to weights; weights: scheme to tensor to weights.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from .gradients import Scored

    torch.manual_seed(0)
    torch.set_num_threads(1)
    scored = Scored(directory, files, limit)
    for parameter in scored.model.parameters():
        parameter.requires_grad_(False)
    parameters = {name: scored.parameter(name).requires_grad_(True) for name in originals}
    errors = {scheme: {name: torch.from_numpy(found[name] - originals[name]) for name in originals}
              for scheme, found in weights.items()}
    sums = {scheme: {name: torch.zeros(len(originals[name]), dtype=torch.float64) for name in originals}
            for scheme in weights}
    predictions = 0
    for item in scored.items:
        logits, _ = scored.logits([item])
        for sample in range(samples):
            drawn = torch.multinomial(logits.detach().softmax(1), 1)[:, 0]
            loss = cross_entropy(logits, drawn, reduction="sum")
            found = torch.autograd.grad(loss, parameters.values(), retain_graph=sample + 1 < samples)
            predictions += len(drawn)
            for scheme, by_tensor in sums.items():
                for name, gradient in zip(parameters, found):
                    by_tensor[name] += (gradient * errors[scheme][name]).sum(1).double() ** 2
    return {scheme: {name: (values / (2 * predictions)).numpy() for name, values in by_tensor.items()}
            for scheme, by_tensor in sums.items()}


class Matrices:
    """The matrices of a model and what they weigh under binary codes with FP16 scales.

    inspected: what `bitplan inspect MODEL --json` says; packed_bytes: bcqN:fp16, the smallest first, to the
    bytes of the model packed in it.
    Raises `Refused` where these are not the matrices' and the same for all else.
    """

    def __init__(self, inspected, packed_bytes):
        self.schemes = list(packed_bytes)
        self.owners, self.shapes = {}, {}
        for sublayer in inspected["layout"]["sublayers"]:
            for matrix in sublayer["matrices"]:
                self.owners[matrix["tensor"]] = sublayer["name"]
                self.shapes[matrix["tensor"]] = matrix["rows"], matrix["columns"]
        rests = {size - self.bytes(scheme) for scheme, size in packed_bytes.items()}
        if len(rests) != 1:
            raise Refused(f"expected as many bytes beside the matrices under all schemes, got {rests}")
        self.fixed_bytes, = rests

    def row_bytes(self, tensor, scheme):
        """A plane of signs and an FP16 scale for every bit."""
        return int(scheme[3]) * (-(-self.shapes[tensor][1] // 8) + 2)

    def bytes(self, scheme):
        """Of all matrices under one scheme."""
        return sum(rows * self.row_bytes(tensor, scheme) for tensor, (rows, _) in self.shapes.items())

    def parts(self, unit):
        """Unit to the (tensor, slice of rows)s it has.

        Embeddings are not divided: their blocks are the clusters of `emb`.
        """
        parts = {}
        for tensor, (rows, _) in self.shapes.items():
            owner = self.owners[tensor]
            if unit == "rows" and owner != "Emb":
                for start in range(0, rows, ROWS):
                    part = tensor, slice(start, min(start + ROWS, rows))
                    parts[f"{tensor}:{start:06}"] = [part]
            else:
                key = owner if unit == "sublayer" else tensor
                parts.setdefault(key, []).append((tensor, slice(0, rows)))
        return parts


def mixed(matrices, unit, losses, weights, budget):
    """The weights of the plan of least summed loss within a budget, its bytes, how many units there are, and
    the share of weights that each scheme has.

    A block of rows takes a byte more, which says its scheme.
    """
    parts = matrices.parts(unit)
    cells = {key: {scheme: (unit == "rows" and len(parts) > 1)
                   + sum((rows.stop - rows.start) * matrices.row_bytes(tensor, scheme)
                         for tensor, rows in members) for scheme in matrices.schemes}
             for key, members in parts.items()}
    costs = {(key, scheme): sum(losses[scheme][tensor][rows].sum() for tensor, rows in members)
             for key, members in parts.items() for scheme in matrices.schemes}
    problem = SimpleNamespace(fixed_bytes=matrices.fixed_bytes, pinned={}, tensors=parts, cells=cells)
    assignment = least_cost(problem, budget, costs)
    result = {name: np.array(values) for name, values in weights[matrices.schemes[0]].items()}
    counts = dict.fromkeys(matrices.schemes, 0)
    for key, scheme in assignment.items():
        for tensor, rows in parts[key]:
            result[tensor][rows] = weights[scheme][tensor][rows]
            counts[scheme] += result[tensor][rows].size
    size = matrices.fixed_bytes + sum(cells[key][scheme] for key, scheme in assignment.items())
    total = sum(counts.values())
    return result, size, len(parts), {scheme: count / total for scheme, count in counts.items()}


def write_checkpoint(model, weights, directory):
    """A copy of a model directory with other weights in FP32."""
    from safetensors.numpy import load_file, save_file

    directory.mkdir(parents=True)
    for file in model.iterdir():
        if file.is_file() and file.name != "model.safetensors":
            shutil.copyfile(file, directory / file.name)
    tensors = load_file(model / "model.safetensors")
    for name, values in weights.items():
        tensors[name] = np.ascontiguousarray(values, np.float32).reshape(tensors[name].shape)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
