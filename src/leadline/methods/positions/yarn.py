"""YaRN: stretch slow frequencies, keep fast ones, blend between, and sharpen attention a little."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.methods.base import Method, Rope, RopeFacts, unscaled


@dataclass(frozen=True, kw_only=True)
class Yarn(Method, Rope):
    """YaRN: stretch slow frequencies, keep fast ones, blend between, and sharpen attention a little.

    Paper: Peng, Quesnelle, Fan, Shippole, ICLR 2024, arXiv:2309.00071, eq. 17-22; official code
      https://github.com/jquesnelle/yarn@995db5b, MIT.
    Claims: 10 times fewer tokens and 2.5 times fewer steps than earlier scalings; Llama 2 at 64k and 128k.
    Differs: blends over the pair index, as the official code does (the paper over the number of rotations).
    Shapes: inverse frequencies (rotary dim / 2,) -> (rotary dim / 2,).
    Cost: nothing, no memory; phase: prefill and decode.
    """

    factor: float = 4.0
    """How many times the trained length is to be read (1 or more)."""
    beta_fast: float = 32.0
    """Pairs that turn more often than this in the trained length are kept [rotations]; presumes windows of 4k or more."""
    beta_slow: float = 1.0
    """Pairs that turn less often than this are stretched in full [rotations]."""
    attention_factor: float | None = None
    """Factor of cos and sin (above 0); None for 0.1 ln(factor) + 1."""
    trained: int = 0
    """Length that the model was trained to [tokens]; 0 for what its configuration says."""
    truncate: bool = True
    """Whether the ends of the blend are rounded outward to whole pairs."""

    neutral = {"factor": 1.0}
    trial = {"factor": 4.0, "beta_fast": 8.0}

    def __post_init__(self) -> None:
        self.require(
            factor=self.factor >= 1,
            beta_fast=self.beta_fast > self.beta_slow,
            beta_slow=self.beta_slow > 0,
            attention_factor=self.attention_factor is None
            or (isinstance(self.attention_factor, int | float) and self.attention_factor > 0),
            trained=self.trained >= 0,
        )

    def inv_freq(self, rope: RopeFacts, length: Tensor | None) -> tuple[Tensor, float]:
        unscaled(rope, self.id())
        low, high = self.ends(rope.dim, rope.base, self.trained or rope.trained)
        pairs = torch.arange(rope.dim // 2, dtype=torch.float, device=rope.own.device)
        stretched = ((pairs - low) / (high - low)).clamp(0, 1)
        freq = rope.own / self.factor * stretched + rope.own * (1 - stretched)
        return freq, self.attention_factor or 0.1 * math.log(self.factor) + 1

    def ends(self, dim: int, base: float, trained: int) -> tuple[float, float]:
        """First and last pair of the blend, for a rotary dim, a base and a trained length [tokens]."""
        low, high = (
            dim * math.log(trained / (2 * math.pi * turns)) / (2 * math.log(base)) for turns in (self.beta_fast, self.beta_slow)
        )
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, dim - 1)
        return low, high + 0.001 if low == high else high

    def reach(self, window: int) -> int:
        return int(window * self.factor)
