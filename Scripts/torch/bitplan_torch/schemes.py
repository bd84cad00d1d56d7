"""Schemes by their text form."""
from .binary import BinaryCodes
from .clusters import ClusteredCodes
from .codes import FullPrecision
from .levels import W8A8, Integers, MinMaxIndex, NormalFloat, Signs
from .product import ProductCodes
from .trellis import TrellisCodes


def codes_of(scheme, rows, columns, parts):
    """The module of a packed matrix, its parts by name in stored order; None where the scheme is none that is known."""
    name, *options = scheme.split(":")
    numbers = {option[0]: int(option[1:]) for option in options if option[1:].isdigit()}
    kind, digit = "fp16" if "fp16" in options else "fp32", int(name[-1]) if name[-1].isdigit() else 0
    if name in ("fp32", "fp16"):
        return FullPrecision(rows, columns, parts, name)
    if name == "index8":
        return MinMaxIndex(rows, columns, parts)
    if name == "w8a8":
        return W8A8(rows, columns, parts)
    if name == "nf4":
        return NormalFloat(rows, columns, parts, numbers.get("b", 64), "dq" in options)
    if name == "pq":
        return ProductCodes(rows, columns, parts, numbers["b"], numbers["k"], "int8" in options, "a8" in options)
    if name == "sign":
        return Signs(rows, columns, parts, 1, "scale" if "mean" in options else None)
    if name == "bitlinear":
        return Signs(rows, columns, parts, int(options[0]) if options else 1, "scales")
    if name[:-1] == "bcq":
        return BinaryCodes(rows, columns, parts, digit, numbers.get("g"), kind)
    if name[:-1] == "emb":
        return ClusteredCodes(parts, [
            lambda rows, own, bits=bits: BinaryCodes(rows, columns, own, bits, None, kind) for bits in range(digit, 0, -1)])
    if name[:-1] == "int":
        unit = "tensor" if "tensor" in options else numbers.get("g")
        return Integers(rows, columns, parts, digit, unit, "asym" not in options, kind)
    if name[:3] == "tcq" and "-" in name:
        first, last = (int(2 * float(bits)) for bits in name[3:].split("-"))
        return ClusteredCodes(parts, [
            lambda rows, own, pair=pair: TrellisCodes(rows, columns, own, pair, False, False)
            for pair in range(first, last - 1, -2)])
    if name[:3] == "tcq":
        return TrellisCodes(rows, columns, parts, int(2 * float(name[3:])), "c" in options, "h" in options)
    return None
