"""NTK: a larger RoPE base, which stretches slow frequencies and leaves fast ones alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from leadline.methods.base import Method, Rope, RopeFacts, from_base, unscaled


@dataclass(frozen=True, kw_only=True)
class Ntk(Method, Rope):
    """NTK: a larger RoPE base, which stretches slow frequencies and leaves fast ones alone.

    Paper: bloc97 2023, "NTK-Aware Scaled RoPE" (a post); written down in arXiv:2309.00071, eq. 15-16.
    Claims: a longer text without fine-tuning, at little cost in perplexity (a post; no figures).
    Differs: nothing known.
    Shapes: inverse frequencies (rotary dim / 2,) -> (rotary dim / 2,).
    Cost: nothing, no memory; phase: prefill and decode.
    """

    factor: float = 2.0
    """How much the slowest frequency is slowed down (1 or more); reaches somewhat less than so many trained lengths."""

    neutral = {"factor": 1.0}
    trial = {"factor": 2.0}

    def __post_init__(self) -> None:
        self.require(factor=self.factor >= 1)

    def inv_freq(self, rope: RopeFacts, length: Tensor | None) -> tuple[Tensor, float]:
        unscaled(rope, self.id())
        return from_base(rope, rope.base * self.factor ** (rope.dim / (rope.dim - 2))), 1.0

    def reach(self, window: int) -> int:
        return int(window * self.factor)
