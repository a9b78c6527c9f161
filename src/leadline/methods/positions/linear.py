"""Linear: read all positions at a fraction of their distance (position interpolation)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from leadline.methods.base import Method, Rope, RopeFacts


@dataclass(frozen=True, kw_only=True)
class Linear(Method, Rope):
    """Linear: read all positions at a fraction of their distance.

    Paper: Chen, Wong, Chen, Tian 2023, arXiv:2306.15595, eq. 4 (kaiokendev's post at the same time).
    Claims: LLaMA reads 32k after at most 1,000 steps of fine-tuning.
    Differs: nothing known; scales the frequencies that the model has, so it also stands on top of other scalings.
    Shapes: inverse frequencies (rotary dim / 2,) -> (rotary dim / 2,).
    Cost: nothing, no memory; phase: prefill and decode.
    """

    factor: float = 2.0
    """How many times the trained length is to be read (1 or more)."""

    neutral = {"factor": 1.0}
    trial = {"factor": 2.0}

    def __post_init__(self) -> None:
        self.require(factor=self.factor >= 1)

    def inv_freq(self, rope: RopeFacts, length: Tensor | None) -> tuple[Tensor, float]:
        return rope.own / self.factor, rope.scale

    def reach(self, window: int) -> int:
        return int(window * self.factor)
