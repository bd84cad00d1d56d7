"""Codes of a matrix under training: the way through them and back, and what the schemes share.

Every scheme is a twin of its folder in `Sources/Quantizers` and of its parts in `Sources/Kernels/Layouts.md`. Numbers (scales,
alphas, centroids) are learned in FP32 and rounded to what the scheme stores before they are used, so that training sees the
weights that the packed matrix stands for, bit by bit.
"""
import torch
from torch.nn.functional import layer_norm, pad

from .storage import half

SMALLEST = {"fp32": 2.0 ** -126, "fp16": 2.0 ** -24}


class Decode(torch.autograd.Function):
    """Latent weights and numbers -> what codes and numbers stand for; the way back is the scheme's."""

    @staticmethod
    def forward(ctx, latent, numbers, codes):
        ctx.codes = codes
        ctx.save_for_backward(latent)
        return codes.decoded()

    @staticmethod
    def backward(ctx, gradient):
        latent, = ctx.saved_tensors
        to_latent, to_numbers, _ = ctx.needs_input_grad
        follows = ctx.codes.follows
        return (ctx.codes.pass_through(gradient, latent) if to_latent else None,
                ctx.codes.numbers_gradient(gradient, latent if follows else None) if to_numbers else None, None)


class Straight(torch.autograd.Function):
    """`value` in place of `x`; the gradient of x is that of the value where `inside`."""

    @staticmethod
    def forward(ctx, x, value, inside):
        ctx.save_for_backward(inside)
        return value

    @staticmethod
    def backward(ctx, gradient):
        inside, = ctx.saved_tensors
        return gradient if inside is None else gradient * inside, None, None


class Half(torch.nn.Module):
    """Biases and norms that are stored in FP16."""

    def forward(self, x):
        return Straight.apply(x, half(x.detach()), None)


def quantized_activations(kind, x):
    """Inputs of a product as the scheme takes them: `sign`, `bitlinear` or `w8a8` (`pq:...:a8` too)."""
    if kind == "sign":
        return Straight.apply(x, torch.where(x.detach() > 0, 1.0, -1.0), x.detach().abs() <= 1)
    if kind == "bitlinear":
        x = layer_norm(x, x.shape[-1:], eps=1e-5)
    value = x.detach()
    largest = value.abs().amax(-1, keepdim=True)
    # BitNet divides by 2^7 and cuts the largest code.
    step = largest / (128 if kind == "bitlinear" else 127)
    rounded = torch.minimum((value / step).round(), torch.tensor(127.0, device=x.device)) * step
    return Straight.apply(x, torch.where(largest > 0, rounded, value), None)


class Codes(torch.nn.Module):
    """Codes of a (rows, columns) matrix, and `numbers`, what is learned beside them, in the order of `bitplan tune`.

    `follows`: whether codes follow latent weights; else they are fixed. `derived`: whether numbers follow from latent
    weights too, and so are not learned with them. `activations`: how inputs are quantized, None where they are not.
    """
    derived = False
    activations = None

    def __init__(self, rows, columns, codes, numbers):
        super().__init__()
        self.rows, self.columns, self.follows = rows, columns, False
        self.register_buffer("codes", codes)
        self.numbers = torch.nn.Parameter(numbers.float().flatten().clone())

    def forward(self, latent):
        return Decode.apply(latent, self.numbers, self)

    def pass_through(self, gradient, latent):
        return gradient


class FullPrecision(Codes):
    """`fp32`, `fp16`: the codes are the weights."""

    def __init__(self, rows, columns, parts, kind):
        super().__init__(rows, columns, parts["weights"].float(), torch.empty(0))
        self.kind = kind

    def decoded(self):
        return half(self.codes) if self.kind == "fp16" else self.codes.clone()

    def numbers_gradient(self, gradient, latent):
        return torch.zeros_like(self.numbers)

    def recode(self, latent):
        self.codes = latent.clone()

    def parts(self):
        return {"weights": self.decoded().half() if self.kind == "fp16" else self.codes}


class Scaled(Codes):
    """Levels, and a scale for each run of `width` weights in a line: `w = scale * level`."""

    def runs(self, line, width):
        self.line, self.width = line, width

    def spread(self, numbers):
        """One number a run -> (rows, columns)."""
        lines = self.rows * self.columns // self.line
        return numbers.view(lines, -1).repeat_interleave(self.width, 1)[:, :self.line].reshape(self.rows, self.columns)

    def sums(self, x):
        """The sum of each run of (rows, columns)."""
        lines = x.reshape(-1, self.line)
        return pad(lines, (0, -self.line % self.width)).view(len(lines), -1, self.width).sum(-1).flatten()

    def decoded(self):
        return self.spread(self.stored()) * self.levels()

    def numbers_gradient(self, gradient, latent):
        return self.sums(gradient * self.levels())
