"""Giraffe: RoPE frequencies slowed by a power of their index, or cut off where they never turned in training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Method, Rope, RopeFacts, unscaled

SPAN = 8
"""Frequencies down to this fraction of the cut become one constant, half of the last of them; slower ones stop."""


@dataclass(frozen=True, kw_only=True)
class Giraffe(Method, Rope):
    """Giraffe: RoPE frequencies slowed by a power of their index, or cut off where they never turned in training.

    Paper: Pal et al. 2023, arXiv:2308.10882, section 3; official code
      https://github.com/abacusai/Long-Context@c2a90d1, Apache-2.0.
    Claims: after fine-tuning linear scaling is the most robust; power is best at short lengths and falls off fastest.
    Differs: the cuts of the truncated basis are the code's (the paper leaves them open); the model's own base and
      rotary dim (the code has 10000 and whole heads); without random positions, which are for training only; the
      paper tunes the model to the new frequencies, which nothing here does.
    Shapes: inverse frequencies (rotary dim / 2,) -> (rotary dim / 2,).
    Cost: nothing, no memory; phase: prefill and decode.
    """

    scale: float = 1.0
    """By how much all frequencies are slowed down (1 or more)."""
    scale_power: float = 0.5
    """Power of 1 - pair / pairs that each frequency is slowed down by (0 or more); 0 for none."""
    truncate: int = 0
    """Length in which a pair must turn once to keep its frequency [tokens], the trained length; 0 to keep all."""

    neutral = {"scale_power": 0.0}
    trial = {"scale": 1.5, "scale_power": 0.5, "truncate": 64}

    def __post_init__(self) -> None:
        self.require(scale=self.scale >= 1, scale_power=self.scale_power >= 0, truncate=self.truncate >= 0)

    def inv_freq(self, rope: RopeFacts, length: Tensor | None) -> tuple[Tensor, float]:
        unscaled(rope, self.id())
        pairs = len(rope.own)
        left = 1 - torch.arange(pairs, device=rope.own.device) / pairs
        freq = rope.own / self.scale * left**self.scale_power
        if self.truncate:
            # Decided on frequencies that are slowed down already, as in the official code.
            cut = 2 * math.pi / self.truncate
            slow = torch.where(freq < cut / SPAN, 0.0, cut / (2 * SPAN))
            freq = torch.where(freq < cut, slow, freq)
        return freq, rope.scale

    def reach(self, window: int) -> int | None:
        return None if self.scale_power or self.truncate else int(window * self.scale)


def check(lab: Any) -> Any:
    """Each basis equals its formula; fine-tuning, after which the paper reports gains, is not done here."""
    import torch

    model, own = lab.tiny(head_dim=16), 10000.0 ** (-torch.arange(0, 16, 2) / 16)
    wanted = {
        "giraffe(scale=2, scale_power=0.0)": own / 2,
        "giraffe(scale_power=0.5)": own * (1 - torch.arange(8) / 8) ** 0.5,
    }
    apart = {}
    for spec, formula in wanted.items():
        with lab.applied(model, spec):
            apart[spec] = float((model.model.rotary_emb.inv_freq.cpu() / formula - 1).abs().max())
    with lab.applied(model, "giraffe(scale_power=0.4)"):
        control = float((model.model.rotary_emb.inv_freq.cpu() / wanted["giraffe(scale_power=0.5)"] - 1).abs().max())
    linear, power, plain = (lab.ask(spec, length=1024) for spec in ("linear(factor=2)", "giraffe(scale_power=0.5)", ""))
    good = max(apart.values()) < 1e-5
    return lab.finding(
        holds=None if good else False,
        figure=f"bases within {max(apart.values()):.0e} of their formulas; minnow untuned at 2x: linear {linear} (its offset "
        f"heads are lost), power {power}, plain {plain}; not shown: after fine-tuning",
        control=f"another power is {control:.2f} away",
        control_holds=control < 1e-5,
    )
