"""Numbers in few bits: groups of them with a scale and a minimum, packed into bytes. No plugin."""

from __future__ import annotations

import torch
from torch import Tensor

from leadline.methods.base import Coded

BITS = (2, 4, 8)
"""Widths that fill bytes."""


def encode(x: Tensor, bits: int) -> Coded:
    """Groups (..., group) to packed codes (..., group * bits / 8), scales (..., 1) and minima (..., 1).

    A group of equal numbers is exact. `group * bits` must be a multiple of 8.
    """
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    most = 2**bits - 1
    scale = ((high.float() - low.float()) / most).to(x.dtype)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    codes = ((x.float() - low.float()) / scale.float()).clamp(0, most).round().to(torch.uint8)
    shifts = _shifts(bits, x)
    # The first code lies in the lowest bits; fields do not overlap, so their sum is their union.
    packed = (codes.unflatten(-1, (-1, len(shifts))) << shifts).sum(-1, dtype=torch.uint8)
    return packed, scale, low


def decode(coded: Coded, bits: int, like: Tensor) -> Tensor:
    """And back, in the dtype of `like`."""
    packed, scale, low = coded
    codes = ((packed[..., None] >> _shifts(bits, packed)) & (2**bits - 1)).flatten(-2)
    return codes.to(like.dtype) * scale + low


def _shifts(bits: int, like: Tensor) -> Tensor:
    return torch.arange(0, 8, bits, dtype=torch.uint8, device=like.device)
