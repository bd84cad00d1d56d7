"""Product codes."""
import torch
from torch.nn.functional import pad

from .codes import SMALLEST, Codes
from .storage import half, pack, unpack


class ProductCodes(Codes):
    """`pq`: subvectors of `block` columns by their index among the codewords; numbers are these (centroids, block)."""

    def __init__(self, rows, columns, parts, block, count, int8, rounds_activations):
        self.block, self.count, self.int8 = block, count, int8
        if rounds_activations:
            self.activations = "w8a8"
        self.bits = max(1, (count - 1).bit_length())
        indices = unpack(parts["indices"].view(1, -1), rows * -(-columns // block), self.bits).view(rows, -1)
        book = parts["centroids"].float()
        super().__init__(rows, columns, indices, parts["centroidScale"] * book if int8 else book)

    def book(self):
        """Codewords as they are stored, and their parts."""
        numbers = self.numbers.detach().view(self.count, self.block)
        if not self.int8:
            return half(numbers), {"centroids": half(numbers).half()}
        largest = numbers.abs().max()
        scale = (largest.double() / 127).float().clamp(min=SMALLEST["fp32"]) if largest > 0 else torch.ones_like(largest)
        codes = (numbers.double() / scale.double()).round().clamp(-127, 127)
        return scale * codes.float(), {"centroids": codes.to(torch.int8), "centroidScale": scale.view(1)}

    def decoded(self):
        return self.book()[0][self.codes.long()].flatten(1)[:, :self.columns].contiguous()

    def subvectors(self, x):
        return pad(x, (0, -self.columns % self.block)).view(-1, self.block)

    def numbers_gradient(self, gradient, latent):
        sums = torch.zeros(self.count, self.block, device=gradient.device)
        return sums.index_add(0, self.codes.flatten().long(), self.subvectors(gradient)).flatten()

    def recode(self, latent):
        book, whole = self.book()[0], self.columns // self.block * self.block
        indices = []
        for first, last in [(0, whole), (whole, self.columns)]:
            if last > first:
                words = book[:, :min(self.block, last - first)]
                vectors = latent[:, first:last].reshape(-1, words.shape[1])
                halves = words.square().sum(1) / 2
                nearest = [(halves - part @ words.T).argmin(1) for part in vectors.split(4096)]
                indices.append(torch.cat(nearest).view(self.rows, -1))
        self.codes = torch.cat(indices, 1).to(torch.uint8)

    def parts(self):
        return {"indices": pack(self.codes.view(1, -1), self.bits).flatten()} | self.book()[1]
