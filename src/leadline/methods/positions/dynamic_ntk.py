"""Dynamic NTK: a RoPE base that grows with the text, and is the model's own up to its trained length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.methods.base import Method, Rope, RopeFacts, from_base, unscaled


@dataclass(frozen=True, kw_only=True)
class DynamicNtk(Method, Rope):
    """Dynamic NTK: a RoPE base that grows with the text, and is the model's own up to its trained length.

    Paper: emozilla 2023, "Dynamically Scaled RoPE" (a post); written down in arXiv:2309.00071, section 3.3.
    Claims: no cost within the trained length and a slow decay beyond it (a post; no figures).
    Differs: keys are cached unrotated, so that all are read in the base of the moment (others mix bases once the cache
      has keys of several); each row of a batch has its own base.
    Shapes: lengths (rows, 1) -> inverse frequencies (rows, rotary dim / 2).
    Cost: O(keys) rotations at each step, no memory; phase: prefill and decode.
    """

    factor: float = 1.0
    """Steepness: the base grows as factor * length / trained - (factor - 1); 1 stretches just to the length."""
    trained: int = 0
    """Length up to which nothing changes [tokens]; 0 for what the model's configuration says."""

    dynamic = True
    neutral = {"factor": 1.0, "trained": 200}
    trial = {"factor": 2.0, "trained": 24}
    excepts = {
        3: "beyond the trained length the first turn was read in the base of its own length, one long prompt in a larger one",
        4: "beyond the trained length an early chunk is read in a smaller base, unless the prompt's length is told ahead",
    }

    def __post_init__(self) -> None:
        self.require(factor=self.factor >= 1, trained=self.trained >= 0)

    def inv_freq(self, rope: RopeFacts, length: Tensor | None) -> tuple[Tensor, float]:
        unscaled(rope, self.id())
        trained = self.trained or rope.trained
        ones = torch.ones(1, 1, device=rope.own.device)
        times = ones if length is None else (length / trained).clamp(min=1)
        growth = self.factor * times - (self.factor - 1)
        own = times == 1
        return torch.where(own, rope.own, from_base(rope, rope.base * growth ** (rope.dim / (rope.dim - 2)))), 1.0

    def reach(self, window: int) -> None:
        return None
