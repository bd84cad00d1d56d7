"""Trellis codes, with the search for best paths that encoders run."""
import torch
from torch.nn.functional import pad

from .codes import Codes
from .storage import half

# Of trellis codes of 2 to 8 bits for two weights: high and low of a window's halves, offset, step (Sources/Tensors/TrellisTables.swift).
TRELLIS = [
    ([47, 8, 14, 29, 12, 16, 11, 36, 6, 47, 24, 7, 31, 37, 36, 0], [18, 30, 49, 0, 9, 43, 8, 39, 20, 37, 1, 43, 49, 5, 38, 17],
     48.0, 0.03918886557221413),
    ([35, 33, 19, 19, 54, 9, 1, 55, 0, 17, 29, 44, 19, 43, 44, 2], [35, 0, 59, 25, 52, 21, 52, 21, 20, 53, 6, 40, 27, 59, 16, 45],
     59.5, 0.03971105068922043),
    ([0, 2, 35, 33, 19, 12, 13, 16, 15, 22, 0, 21, 32, 33, 22, 4], [25, 6, 17, 31, 0, 26, 13, 38, 47, 20, 32, 5, 28, 10, 41, 20],
     40.0, 0.06206487864255905),
    ([21, 36, 47, 0, 8, 12, 28, 19, 32, 52, 16, 43, 49, 25, 38, 31], [52, 28, 40, 6, 13, 32, 3, 21, 32, 25, 16, 45, 38, 0, 24, 13],
     53.0, 0.05452308431267738),
    ([20, 38, 52, 21, 44, 10, 14, 32, 6, 26, 31, 16, 26, 0, 36, 48], [25, 4, 30, 21, 40, 6, 13, 16, 0, 25, 22, 14, 5, 32, 18, 12],
     45.5, 0.06576183438301086),
    ([38, 0, 23, 36, 30, 32, 18, 46, 25, 29, 11, 8, 15, 21, 5, 26], [40, 22, 35, 19, 25, 29, 8, 14, 0, 19, 16, 32, 22, 7, 26, 12],
     42.5, 0.07609933614730835),
    ([25, 34, 36, 21, 32, 0, 62, 42, 39, 13, 18, 45, 14, 51, 28, 28], [30, 0, 37, 24, 41, 34, 24, 20, 28, 7, 17, 58, 52, 33, 12, 46],
     58.5, 0.056861426681280136)]


class TrellisCodes(Codes):
    """`tcq`: windows of 8 bits choose levels; numbers are scales of rows, then of columns. In the basis of a rotation with `:h`.

    Two successive weights have `pair` bits, of an odd number the second one more.
    """

    def __init__(self, rows, columns, parts, pair, column_scales, rotates):
        self.pair = pair
        numbers = [parts["scales"].float()] + ([parts["columnScales"].float()] if column_scales else [])
        windows = [self.windows(parts["codes"][rows_[0] * pair // 16:][:-(-(len(rows_) * pair // 2) // 8)], len(rows_))
                   for rows_ in self.segments(rows)]
        none = torch.zeros(0, columns, dtype=torch.uint8)
        super().__init__(rows, columns, torch.cat([none, *windows]), torch.cat(numbers))
        self.block = columns & -columns
        self.register_buffer("signs", self.rotation_signs(columns, self.block) if rotates else None, persistent=False)
        high, low, offset, step = TRELLIS[pair - 2]
        sums = torch.tensor(high)[:, None] + torch.tensor(low)
        self.register_buffer("table", (torch.tensor(step) * (sums.float() - offset)).flatten(), persistent=False)

    @staticmethod
    def segments(rows):
        return [range(first, min(first + 256, rows)) for first in range(0, rows, 256)]

    def bits(self, place):
        return (self.pair + place % 2) // 2

    def windows(self, stream, count):
        """The bytes of a segment's streams, highest bits first -> (count, columns) windows."""
        length = count * self.pair // 2
        each = (stream.long()[:, None] >> torch.arange(7, -1, -1)[:, None] & 1).flatten(0, 1)[:length]
        ends = torch.arange(1, count + 1) * self.pair // 2
        return sum(each[(ends - 1 - back) % length] << back for back in range(8)).to(torch.uint8)

    def streams(self, windows):
        each = torch.stack([row.long() >> shift & 1 for place, row in enumerate(windows)
                            for shift in reversed(range(self.bits(place)))])
        each = pad(each.T, (0, -len(each) % 8)).T.reshape(-1, 8, self.columns)
        return (each << torch.arange(7, -1, -1)[:, None]).sum(1).to(torch.uint8)

    @staticmethod
    def rotation_signs(columns, block):
        """+1 or -1 a column, divided by the root of the block: SplitMix64 from a fixed seed."""
        state, mask, negative = 0x7C915D3B, 2 ** 64 - 1, []
        for _ in range(columns):
            state = (state + 0x9E3779B97F4A7C15) & mask
            z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
            z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
            negative.append((z ^ z >> 31) >> 63)
        scale = 1 / torch.tensor(float(block)).sqrt()
        return torch.where(torch.tensor(negative).bool(), -scale, scale)

    def hadamard(self, x):
        """Sums and differences of neighbours at rising distances, in blocks of a row."""
        distance = 1
        while distance < self.block:
            pairs = x.reshape(len(x), -1, 2, distance)
            x = torch.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], 2).flatten(1)
            distance *= 2
        return x

    def rotated(self, x):
        return x if self.signs is None else self.hadamard(x * self.signs)

    def scales(self):
        """Scales of rows (rows, 1), and of columns, None where there are none, as they are stored."""
        stored = half(self.numbers.detach())
        return stored[:self.rows, None], stored[self.rows:] if len(stored) > self.rows else None

    def decoded(self):
        rows, columns = self.scales()
        weights = self.table[self.codes.long()] * (rows if columns is None else rows * columns)
        return weights if self.signs is None else self.hadamard(weights) * self.signs

    def numbers_gradient(self, gradient, latent):
        rows, columns = self.scales()
        products = self.rotated(gradient) * self.table[self.codes.long()]
        if columns is None:
            return products.sum(1)
        return torch.cat([(products * columns).sum(1), (products * rows).sum(0)])

    def recode(self, latent):
        rows, columns = self.scales()
        targets = self.rotated(latent)
        factors = (rows if columns is None else rows * columns).expand_as(targets)
        self.codes = torch.cat([self.codes[:0], *(self.paths(targets[s.start:s.stop], factors[s.start:s.stop]) for s in self.segments(self.rows))])

    def search(self, targets, factors, costs, places):
        """Viterbi over rows, which have these places: costs (columns, 256) behind them, and which way each window was reached."""
        choices = []
        for t, (target, factor, place) in enumerate(zip(targets, factors, places)):
            least, way = costs.view(len(costs), -1, 256 >> self.bits(place)).min(1)
            choices.append(way.to(torch.uint8))
            rest = target[:, None] - factor[:, None] * self.table
            costs = least.repeat_interleave(1 << self.bits(place), 1) + rest * rest
            if t % 8 == 7:
                costs = costs - costs.amin(1, keepdim=True)
        return costs, choices

    def trace_back(self, choices, window):
        """Windows of all rows, the last one given, and the window before the first."""
        path = []
        for way in reversed(choices):
            path.append(window)
            before = way.shape[1]
            through = window * before >> 8
            window = through + way.long().gather(1, through[:, None]).flatten() * before
        return torch.stack(path[::-1]), window

    def paths(self, targets, factors):
        """The windows of about the best path of each column that bites its tail, as encoders find it."""
        count, columns, before = len(targets), targets.shape[1], 256 >> self.bits(0)
        free = torch.zeros(columns, 256, device=targets.device)
        if count > 16:
            # The closing bits are those of the best path over the weights around the seam.
            seam = 256 // self.pair
            turn = (torch.arange(2 * seam) - seam) % count
            costs, choices = self.search(targets[turn], factors[turn], free, turn.tolist())
            closings = [self.trace_back(choices[seam:], costs.argmin(1))[1] & before - 1]
        else:
            closings = [torch.full((columns,), f, device=targets.device) for f in range(before)]
        windows = torch.arange(256, device=targets.device)
        best, least = torch.zeros(count, columns, dtype=torch.long, device=targets.device), torch.full_like(targets[0], torch.inf)
        for closing in closings:
            closes = windows & before - 1 == closing[:, None]
            costs, choices = self.search(targets, factors, free.masked_fill(~closes, torch.inf), range(count))
            costs = costs.masked_fill(~closes, torch.inf)
            path, _ = self.trace_back(choices, torch.where(costs.amin(1) < torch.inf, costs.argmin(1), closing))
            cost = (targets - factors * self.table[path]).square().sum(0).masked_fill(costs.amin(1) == torch.inf, torch.inf)
            best, least = torch.where(cost < least, path, best), torch.minimum(cost, least)
        return best.to(torch.uint8)

    def parts(self):
        codes = torch.cat([self.codes[:0], *(self.streams(self.codes[s.start:s.stop]) for s in self.segments(self.rows))])
        scales = half(self.numbers.detach()).half().split([self.rows, len(self.numbers) - self.rows])
        return {"codes": codes, "scales": scales[0]} | ({"columnScales": scales[1]} if len(scales[1]) else {})
