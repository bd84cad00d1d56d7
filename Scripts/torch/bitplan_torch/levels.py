"""Schemes of levels and scales: integers, NormalFloat, signs, and bytes from a minimum to a maximum."""
import torch
from torch.nn.functional import pad

from .codes import SMALLEST, Codes, Scaled
from .storage import half, pack, plain_order, stored_numbers, stored_order, unpack

LEVELS = [-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
          -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
          0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1]


class Integers(Scaled):
    """`int`: levels are codes less their zero point, which stays."""

    def __init__(self, rows, columns, parts, bits, unit, symmetric, kind):
        self.bits, self.symmetric, self.kind = bits, symmetric, kind
        plain = plain_order(parts["codes"], 1, rows, -(-columns * bits // 8))[0]
        super().__init__(rows, columns, unpack(plain, columns, bits), parts["scales"])
        self.runs(*((rows * columns, rows * columns) if unit == "tensor" else (columns, unit or columns)))
        zeros = torch.full_like(self.numbers.detach(), 2.0 ** (bits - 1)) if symmetric else parts["zeroPoints"].float()
        self.register_buffer("zero_points", zeros)

    def stored(self):
        numbers = self.numbers.detach()
        return (half(numbers) if self.kind == "fp16" else numbers).clamp(min=SMALLEST[self.kind])

    def levels(self):
        return self.codes.float() - self.spread(self.zero_points)

    def inside(self, latent):
        code = (latent / self.spread(self.stored()) + self.spread(self.zero_points)).round()
        return (code >= (1 if self.symmetric else 0)) & (code <= 2 ** self.bits - 1)

    def numbers_gradient(self, gradient, latent):
        rest = self.levels()
        if latent is not None:
            rest = rest - torch.where(self.inside(latent), latent / self.spread(self.stored()), 0.0)
        return self.sums(gradient * rest)

    def pass_through(self, gradient, latent):
        return gradient * self.inside(latent)

    def recode(self, latent):
        code = (latent.double() / self.spread(self.stored()).double()).round() + self.spread(self.zero_points).double()
        self.codes = code.clamp(1 if self.symmetric else 0, 2 ** self.bits - 1).to(torch.uint8)

    def parts(self):
        parts = {"codes": stored_order(pack(self.codes, self.bits)[None]).view(self.rows, -1),
                 "scales": stored_numbers(self.stored(), self.kind)}
        return parts if self.symmetric else parts | {"zeroPoints": stored_numbers(self.zero_points, self.kind)}


class W8A8(Scaled):
    """`w8a8`: signed bytes with a scale a row."""
    activations = "w8a8"

    def __init__(self, rows, columns, parts):
        plain = plain_order(parts["codes"].view(torch.uint8), 1, rows, columns)[0]
        super().__init__(rows, columns, plain.view(torch.int8), parts["scales"])
        self.runs(columns, columns)

    def stored(self):
        return self.numbers.detach().clamp(min=SMALLEST["fp32"])

    def levels(self):
        return self.codes.float()

    def numbers_gradient(self, gradient, latent):
        rest = self.levels()
        if latent is not None:
            value = latent / self.spread(self.stored())
            rest = rest - torch.where(value.abs() <= 127.5, value, 0.0)
        return self.sums(gradient * rest)

    def pass_through(self, gradient, latent):
        return gradient * (latent.abs() <= 127.5 * self.spread(self.stored()))

    def recode(self, latent):
        self.codes = (latent / self.spread(self.stored())).round().clamp(-127, 127).to(torch.int8)

    def parts(self):
        codes = stored_order(self.codes.view(torch.uint8)[None]).view(torch.int8).view(self.rows, self.columns)
        return {"codes": codes, "scales": self.stored()}


class NormalFloat(Scaled):
    """`nf4`: sixteen levels, blocks of weights through the whole matrix; with `dq` scales are codes of their own."""

    def __init__(self, rows, columns, parts, block, double):
        self.double, self.interleaved = double, block % 32 == 0 and columns % block == 0
        packed = parts["codes"]
        if self.interleaved:
            packed = plain_order(packed, 1, rows, columns // 2)
        codes = unpack(packed.reshape(1, -1), rows * columns, 4).view(rows, columns)
        scales = parts["scales"]
        if double:
            scales = self.scales_of(scales, parts["scaleScales"], parts["scaleMean"])
        super().__init__(rows, columns, codes, scales)
        self.runs(rows * columns, block)

    @staticmethod
    def scales_of(codes, scales, mean):
        each = scales.double().repeat_interleave(256)[:len(codes)]
        return (each * codes.double() / 127 + mean.double()).float()

    def quantized_scales(self):
        """8-bit codes of the scales less their mean, scales of 256 of them, the mean."""
        numbers = self.numbers.detach()
        mean = numbers.double().mean().float().view(1)
        rest = pad(numbers.double() - mean.double(), (0, -len(numbers) % 256)).view(-1, 256)
        scales = rest.abs().amax(1).float()
        codes = (127 * rest / scales.double()[:, None]).round().clamp(-127, 127)
        codes = torch.where(scales[:, None] > 0, codes, 0.0).flatten()[:len(numbers)].to(torch.int8)
        return codes, scales, mean

    def stored(self):
        return self.scales_of(*self.quantized_scales()) if self.double else self.numbers.detach()

    def levels(self):
        return torch.tensor(LEVELS, dtype=torch.float64, device=self.codes.device).float()[self.codes.long()]

    def recode(self, latent):
        levels = torch.tensor(LEVELS, dtype=torch.float64, device=latent.device)
        scales = self.spread(self.stored()).double()
        codes = torch.searchsorted((levels[:-1] + levels[1:]) / 2, latent.double() / scales)
        self.codes = torch.where(scales > 0, codes, 7).to(torch.uint8)

    def parts(self):
        codes = pack(self.codes.view(1, -1), 4).flatten()
        if self.interleaved:
            codes = stored_order(codes.view(1, self.rows, -1))
        if not self.double:
            return {"codes": codes, "scales": self.stored()}
        scales = self.quantized_scales()
        return {"codes": codes} | dict(zip(["scales", "scaleScales", "scaleMean"], scales))


class Signs(Scaled):
    """`sign`, `bitlinear`: one sign a weight; with latent weights the scale is the mean of their sizes."""
    derived = True

    def __init__(self, rows, columns, parts, groups, scale):
        signs = unpack(plain_order(parts["signs"], 1, rows, -(-columns // 8))[0], columns, 1)
        super().__init__(rows, columns, signs, parts[scale] if scale else torch.empty(0))
        counts = [rows * (g + 1) // groups - rows * g // groups for g in range(groups)]
        self.register_buffer("counts", torch.tensor(counts), persistent=False)
        self.scale, self.centres = scale, scale == "scales"
        self.activations = "bitlinear" if self.centres else "sign"

    def spread(self, numbers):
        return numbers.repeat_interleave(self.counts)[:, None]

    def sums(self, x):
        return torch.stack([rows.sum() for rows in x.split(self.counts.tolist())])

    def stored(self):
        return self.numbers.detach()

    def levels(self):
        return self.codes.float() * 2 - 1

    def decoded(self):
        return super().decoded() if self.scale else self.levels()

    def numbers_gradient(self, gradient, latent):
        return super().numbers_gradient(gradient, latent) if self.scale and latent is None else torch.zeros_like(self.numbers)

    def pass_through(self, gradient, latent):
        return gradient if self.centres else gradient * (latent.abs() <= 1)

    def recode(self, latent):
        groups = latent.double().split(self.counts.tolist())
        centres = torch.stack([g.mean() if self.centres and g.numel() else g.sum() * 0 for g in groups])
        self.codes = (latent.double() > centres.repeat_interleave(self.counts)[:, None]).to(torch.uint8)
        if self.scale:
            scales = [g.abs().mean() if g.numel() else g.sum() for g in groups]
            self.numbers.data.copy_(torch.stack(scales))

    def parts(self):
        parts = {"signs": stored_order(pack(self.codes, 1)[None]).view(self.rows, -1)}
        return parts | {self.scale: self.stored()} if self.scale else parts


class MinMaxIndex(Codes):
    """`index8`: bytes from the minimum to the maximum; with latent weights these are theirs."""
    derived = True

    def __init__(self, rows, columns, parts):
        plain = plain_order(parts["codes"].view(torch.uint8), 1, rows, columns)[0]
        super().__init__(rows, columns, plain.view(torch.int8), parts["range"])

    def stored(self):
        low, high = self.numbers.detach()
        return torch.stack([low, torch.maximum(low, high)])

    def decoded(self):
        low, high = self.stored().double()
        return ((self.codes.double() + 128) * ((high - low) / 255) + low).float()

    def numbers_gradient(self, gradient, latent):
        if latent is not None:
            return torch.zeros_like(self.numbers)
        gradient, share = gradient.double(), (self.codes.double() + 128) / 255
        return torch.stack([(gradient * (1 - share)).sum(), (gradient * share).sum()]).float()

    def recode(self, latent):
        self.numbers.data.copy_(torch.stack([latent.min(), latent.max()]))
        low, high = self.numbers.detach().double()
        per_unit = 255 / (high - low) if high > low else 0.0
        self.codes = (((latent.double() - low) * per_unit).round() - 128).clamp(-128, 127).to(torch.int8)

    def parts(self):
        codes = stored_order(self.codes.view(torch.uint8)[None]).view(torch.int8).view(self.rows, self.columns)
        return {"codes": codes, "range": self.stored()}
