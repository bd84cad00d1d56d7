"""Binary codes, for matrices and for clusters of an embedding's rows."""
import torch
from torch.nn.functional import pad

from .codes import Codes
from .storage import half, pack, plain_order, stored_numbers, stored_order, unpack


class BinaryCodes(Codes):
    """`bcq`: bit i of a code is the sign of alpha i; numbers are alphas (rows, groups, bits)."""

    def __init__(self, rows, columns, parts, bits, group, kind):
        self.bits, self.width, self.kind = bits, group or columns, kind
        self.groups = -(-columns // self.width)
        planes = plain_order(parts["signs"], bits, rows, -(-columns // 8))
        codes = sum(unpack(plane, columns, 1) << i for i, plane in enumerate(planes))
        super().__init__(rows, columns, codes, parts["alphas"])

    def values(self):
        """The 2^bits values of each group, (rows, groups, 2^bits)."""
        alphas = self.stored().view(self.rows, self.groups, self.bits)
        values = torch.stack([-alphas[..., 0], alphas[..., 0]], -1)
        for plane in range(1, self.bits):
            values = torch.cat([values - alphas[..., plane, None], values + alphas[..., plane, None]], -1)
        return values

    def stored(self):
        return half(self.numbers.detach()) if self.kind == "fp16" else self.numbers.detach()

    def grouped(self, x):
        """(rows, columns) -> (rows, groups, width), zeros behind the last column."""
        return pad(x, (0, -self.columns % self.width)).view(self.rows, self.groups, self.width)

    def ungrouped(self, x):
        return x.flatten(1)[:, :self.columns].contiguous()

    def decoded(self):
        return self.ungrouped(self.values().gather(2, self.grouped(self.codes).long()))

    def numbers_gradient(self, gradient, latent):
        gradient, codes = self.grouped(gradient), self.grouped(self.codes)
        sums = [torch.where((codes >> i & 1).bool(), gradient, -gradient).sum(-1) for i in range(self.bits)]
        return torch.stack(sums, -1).flatten()

    def pass_through(self, gradient, latent):
        values = self.values().sort(-1).values
        low = values[..., 0] - (values[..., 1] - values[..., 0])
        high = values[..., -1] + (values[..., -1] - values[..., -2])
        latent = self.grouped(latent)
        return gradient * self.ungrouped((latent >= low[..., None]) & (latent <= torch.maximum(low, high)[..., None]))

    def recode(self, latent):
        values, order = self.values().sort(dim=-1, stable=True)
        middles = (values[..., :-1] + values[..., 1:]) / 2
        places = torch.searchsorted(middles.contiguous(), self.grouped(latent).contiguous())
        self.codes = self.ungrouped(order.gather(2, places)).to(torch.uint8)

    def parts(self):
        planes = torch.stack([pack(self.codes >> i & 1, 1) for i in range(self.bits)])
        return {"signs": stored_order(planes).view(planes.shape),
                "alphas": stored_numbers(self.numbers.detach().view(self.rows, self.groups, self.bits), self.kind)}
