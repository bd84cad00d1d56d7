"""Bytes of packed parts, and safetensors files."""
import ctypes
import json
import os

import torch
from torch.nn.functional import pad


class BitplanError(ValueError):
    """What is wrong, in one line."""


def block_height(planes):
    return 64 if planes <= 2 else 32 if planes <= 4 else 16


def plain_order(stored, planes, rows, row_bytes):
    """Bytes as kernels read them -> (planes, rows, row_bytes)."""
    words, at, stored = row_bytes // 4, 0, stored.flatten()
    plain = torch.empty(planes, rows, row_bytes, dtype=torch.uint8)
    for first in range(0, rows, block_height(planes)):
        n = min(block_height(planes), rows - first)
        block = stored[at:at + words * planes * n * 4].view(words, planes, n, 4)
        plain[:, first:first + n, :4 * words] = block.permute(1, 2, 0, 3).reshape(planes, n, 4 * words)
        at += block.numel()
    plain[:, :, 4 * words:] = stored[at:].view(planes, rows, row_bytes % 4)
    return plain


def stored_order(plain):
    """(planes, rows, row_bytes) -> the same bytes as kernels read them."""
    planes, rows, row_bytes = plain.shape
    words, blocks = row_bytes // 4, []
    for first in range(0, rows, block_height(planes)):
        block = plain[:, first:first + block_height(planes), :4 * words]
        blocks.append(block.reshape(planes, block.shape[1], words, 4).permute(2, 0, 1, 3).flatten())
    return torch.cat(blocks + [plain[:, :, 4 * words:].flatten()])


def unpack(packed, count, bits):
    """Rows of bytes -> (rows, count) codes of some bits each, lowest bit first."""
    each = packed.long().unsqueeze(-1) >> torch.arange(8) & 1
    each = each.flatten(1)[:, :count * bits].view(len(packed), count, bits)
    return (each << torch.arange(bits)).sum(-1).to(torch.uint8)


def pack(codes, bits):
    """(rows, count) codes -> rows of bytes, zeros behind the last code."""
    each = (codes.long().unsqueeze(-1) >> torch.arange(bits) & 1).flatten(1)
    each = pad(each, (0, -each.shape[1] % 8)).unflatten(1, (-1, 8))
    return (each << torch.arange(8)).sum(-1).to(torch.uint8)


def half(numbers):
    """The nearest finite FP16 numbers."""
    return numbers.clamp(-65504, 65504).half().float()


def stored_numbers(numbers, kind):
    return half(numbers).half() if kind == "fp16" else numbers


# Files.

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I8": torch.int8, "U8": torch.uint8,
         "I32": torch.int32, "I64": torch.int64, "BOOL": torch.bool}
NAMES = {kind: name for name, kind in TYPES.items()}


def read_safetensors(path):
    """Tensors by name, and the file's metadata."""
    try:
        with open(path, "rb") as file:
            data = bytearray(file.read())
    except OSError as error:
        raise BitplanError(f"{path}: {error.strerror}") from None
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        metadata, tensors = header.pop("__metadata__", {}), {}
        for name, entry in header.items():
            first, last = (start + offset for offset in entry["data_offsets"])
            kind = TYPES[entry["dtype"]]
            flat = torch.frombuffer(data[first:last], dtype=kind) if last > first else torch.empty(0, dtype=kind)
            tensors[name] = flat.view(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        raise BitplanError(f"{path}: expected a safetensors file") from None
    return tensors, metadata


def write_safetensors(path, tensors, metadata):
    """Writes tensors by name, the widest types first, so that all are aligned; a half-written file has another name."""
    header, at = {"__metadata__": metadata}, 0
    names = sorted(tensors, key=lambda name: -tensors[name].element_size())
    for name in names:
        size = tensors[name].numel() * tensors[name].element_size()
        header[name] = {"dtype": NAMES[tensors[name].dtype], "shape": list(tensors[name].shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{path}.part", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            tensor = tensors[name].detach().cpu().contiguous()
            file.write(ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()))
    os.replace(f"{path}.part", path)
