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


class ClusteredCodes(torch.nn.Module):
    """`emb`: binary codes for each cluster of rows; which rows it has stays."""
    derived = False
    activations = None

    def __init__(self, rows, columns, parts, clusters, kind):
        super().__init__()
        self.register_buffer("cluster", parts["cluster"])
        self.clusters = torch.nn.ModuleList()
        for i in range(clusters):
            own = {name: parts[f"{name}.{i}"] for name in ["signs", "alphas"]}
            self.clusters.append(BinaryCodes(int((self.cluster == i).sum()), columns, own, clusters - i, None, kind))

    @property
    def follows(self):
        return self.clusters[0].follows

    @follows.setter
    def follows(self, value):
        for codes in self.clusters:
            codes.follows = value

    @property
    def numbers(self):
        """All clusters' alphas, one cluster after the other."""
        return torch.cat([codes.numbers for codes in self.clusters])

    def members(self):
        return [torch.nonzero(self.cluster == i).flatten() for i in range(len(self.clusters))]

    def forward(self, latent):
        members = self.members()
        rows = torch.cat([codes(latent[rows]) for codes, rows in zip(self.clusters, members)])
        return rows[torch.cat(members).argsort()]

    def decoded(self):
        rows = torch.cat([codes.decoded() for codes in self.clusters])
        return rows[torch.cat(self.members()).argsort()]

    def recode(self, latent):
        for codes, rows in zip(self.clusters, self.members()):
            codes.recode(latent[rows])

    def parts(self):
        parts = {"cluster": self.cluster}
        for i, codes in enumerate(self.clusters):
            parts |= {f"{name}.{i}": part for name, part in codes.parts().items()}
        return parts
