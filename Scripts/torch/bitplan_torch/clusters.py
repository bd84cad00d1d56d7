"""Embeddings whose rows stand in clusters."""
import torch


class ClusteredCodes(torch.nn.Module):
    """`emb`, `tcq4-2`: codes of its own for each cluster of rows; which rows it has stays."""
    derived = False
    activations = None

    def __init__(self, parts, codes):
        """`codes`: for each cluster what makes its module from its rows and its parts."""
        super().__init__()
        self.register_buffer("cluster", parts["cluster"])
        self.clusters = torch.nn.ModuleList()
        for i, make in enumerate(codes):
            own = {name.removesuffix(f".{i}"): part for name, part in parts.items() if name.endswith(f".{i}")}
            self.clusters.append(make(int((self.cluster == i).sum()), own))

    @property
    def follows(self):
        return self.clusters[0].follows

    @follows.setter
    def follows(self, value):
        for codes in self.clusters:
            codes.follows = value

    @property
    def numbers(self):
        """All clusters' numbers, one cluster after the other."""
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
