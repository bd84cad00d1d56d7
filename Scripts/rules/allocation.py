"""The rules that turn a sensitivity table, scores and a budget into an assignment: a scheme for every row."""
import math
import re

import numpy as np

from . import Refused


class Table:
    """Rows, candidates and bytes of a table that `bitplan sweep` wrote."""

    def __init__(self, sweep):
        self.model = sweep["model"]
        self.fixed_bytes = sweep["layout"]["fixedBytes"]
        self.cells = {}
        self.losses = {}
        for cell in sweep["bySublayer"]:
            self.cells.setdefault(cell["row"], {})[cell["scheme"]] = cell["bytes"]
            self.losses[cell["row"], cell["scheme"]] = cell["measurement"]["klNats"]
        # Row to the tensors of its matrices, tensor to (rows, columns).
        self.tensors, self.shapes = {}, {}
        for row in sweep["layout"]["sublayers"]:
            for matrix in row["matrices"]:
                self.tensors.setdefault(row["name"], []).append(matrix["tensor"])
                self.shapes[matrix["tensor"]] = matrix["rows"], matrix["columns"]
        # Rows without matrices, biases and norms, are the same in every rule: FP16, or what is smallest.
        self.pinned = {row: "fp16" if "fp16" in schemes else min(schemes, key=schemes.get)
                       for row, schemes in self.cells.items() if row not in self.tensors}
        # All candidates, the smallest first, and those that every row with matrices may have.
        widest = max(self.tensors, key=lambda row: len(self.cells[row]))
        self.schemes = sorted(self.cells[widest], key=self.cells[widest].get)
        self.candidates = [scheme for scheme in self.schemes
                           if all(scheme in self.cells[row] for row in self.tensors)]
        if not self.candidates:
            raise Refused("no candidate is one for every row with matrices, and no plan is uniform")

    def nearest(self, row, scheme):
        """`scheme`, or where the row has no such cell its nearest candidate below, or else above."""
        place = self.schemes.index(scheme)
        order = [*reversed(self.schemes[:place + 1]), *self.schemes[place + 1:]]
        return next(other for other in order if other in self.cells[row])

    def uniform(self, scheme):
        return {row: self.nearest(row, scheme) for row in self.tensors} | self.pinned

    def bytes(self, assignment):
        """Bytes of the packed model's file."""
        return self.fixed_bytes + sum(self.cells[row][scheme] for row, scheme in assignment.items())

    def bits(self, row, scheme):
        """Bits per weight of a row with matrices, its scales included."""
        weights = sum(math.prod(self.shapes[tensor]) for tensor in self.tensors[row])
        return 8 * self.cells[row][scheme] / weights

    def largest(self, assignments, budget):
        """The largest of `assignments` that fits; of equals the first."""
        fitting = [a for a in assignments if self.bytes(a) <= budget]
        if not fitting:
            raise Refused(f"nothing fits {budget} bytes")
        return max(fitting, key=self.bytes)


def uniform(table, budget):
    return table.largest([table.uniform(scheme) for scheme in table.candidates], budget)


# Bits by kind of Chung et al. 2020, section 4; embeddings have 2.5 on average (Table 2). A BERT's sublayers
# are those of an encoder, a language model's those of a decoder; what the paper's model does not have goes
# with the embeddings.
CHUNG = {"Enc_ee": 3, "Enc_ffn": 4, "Dec_dd": 2, "Dec_ed": 3, "Dec_ffn": 1}


def chung(table, budget, is_decoder):
    """Bits by kind in Chung's proportions: bits times the largest factor that fits.

    Each row has the candidate whose bits per weight are nearest.
    """
    bits = CHUNG | ({"Attention": 2, "FFN": 1} if is_decoder else {"Attention": 3, "FFN": 4})

    def scaled(factor):
        def nearest(row):
            wanted = factor * bits.get(kind(row), 2.5)
            return min(table.candidates, key=lambda scheme: abs(table.bits(row, scheme) - wanted))

        return {row: nearest(row) for row in table.tensors} | table.pinned

    return table.largest([scaled(step / 100) for step in range(401)], budget)


def sensimix(table, budget):
    """SensiMix's map: feed-forward sublayers of upper layers get the first candidate, all else a higher one.

    The higher one is the highest with which any number of upper layers fits, then as few upper layers as fit.
    """
    layers = 1 + max((depth(row) for row in table.tensors), default=0)
    low = table.candidates[0]

    def split(high, lower):
        return {row: table.nearest(row, low if is_feed_forward(row) and depth(row) >= lower else high)
                for row in table.tensors} | table.pinned

    for high in reversed(table.candidates):
        maps = [split(high, lower) for lower in range(layers + 1)]
        if any(table.bytes(a) <= budget for a in maps):
            return table.largest(maps, budget)
    raise Refused(f"nothing fits {budget} bytes")


def pair_around(table, budget):
    """The candidates of the largest uniform plan that fits and of the next larger one."""
    fitting = [scheme for scheme in table.candidates if table.bytes(table.uniform(scheme)) <= budget]
    if not fitting:
        raise Refused(f"nothing fits {budget} bytes")
    low = len(fitting) - 1
    return table.candidates[low], table.candidates[min(low + 1, len(table.candidates) - 1)]


def threshold(table, budget, sensitivities):
    """Rows above a threshold of sensitivity get the higher of two candidates, under the lowest that fits.

    sensitivities: the lower candidate to row to sensitivity.
    """
    low, high = pair_around(table, budget)
    assignment = table.uniform(low)
    for row in sorted(table.tensors, key=lambda row: (-sensitivities.get(low, {}).get(row, 0), row)):
        raised = assignment | {row: table.nearest(row, high)}
        if table.bytes(raised) > budget:
            break
        assignment = raised
    return assignment


def least_cost(table, budget, costs):
    """The assignment of least summed cost, by the exact frontier of (bytes, cost); ties by name.

    costs: (row, scheme) to cost, for all cells of rows with matrices.
    Raises `Refused` where nothing fits.
    """
    room = budget - table.fixed_bytes - sum(table.cells[row][scheme] for row, scheme in table.pinned.items())
    sizes, sums, steps = np.zeros(1, np.int64), np.zeros(1), []
    rows = sorted(table.tensors)
    for row in rows:
        schemes = sorted(table.cells[row])
        all_sizes = np.concatenate([sizes + table.cells[row][scheme] for scheme in schemes])
        all_sums = np.concatenate([sums + costs[row, scheme] for scheme in schemes])
        order = np.lexsort((all_sums, all_sizes))
        order = order[all_sizes[order] <= room]
        if order.size == 0:
            raise Refused(f"nothing fits {budget} bytes")
        best = np.minimum.accumulate(all_sums[order])
        keep = order[np.concatenate([[True], all_sums[order][1:] < best[:-1]])]
        steps.append((schemes, keep, len(sizes)))
        sizes, sums = all_sizes[keep], all_sums[keep]
    place, assignment = len(sizes) - 1, dict(table.pinned)
    for row, (schemes, keep, count) in zip(reversed(rows), reversed(steps)):
        option, place = divmod(int(keep[place]), count)
        assignment[row] = schemes[option]
    return assignment


def kind(row):
    """Enc_ffn of Enc_ffn.3 and of Enc_ffn.3.fc1."""
    return row.split(".")[0]


def depth(row):
    return int(re.search(r"\.(\d+)", row + ".0").group(1))


def is_feed_forward(row):
    return kind(row).lower().endswith("ffn")
