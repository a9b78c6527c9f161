"""Entropy-ABF: a larger RoPE base, and logits that grow with ln(position), which keeps attention as sharp as it was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from leadline.methods.base import Layer, Method, Rope, RopeFacts, Temper, from_base, unscaled


@dataclass(frozen=True, kw_only=True)
class EntropyAbf(Method, Rope, Temper):
    """Entropy-ABF: a larger RoPE base, and logits that grow with ln(position), which keeps attention as sharp as it was.

    Paper: Zhang, Li, Liu 2024, arXiv:2401.07004, section 3; official code
      https://github.com/GAIR-NLP/Entropy-ABF@a5e9107, no licence.
    Claims: Llama 2 7B chat reads 16k after tuning on 100 samples, better than PI, YaRN and plain ABF on the same data.
    Differs: the lowest layers are exempt, as in the paper (the code means to, but scales them all); the inference part
      alone, so a model that was not tuned to it may read worse than by its own base.
    Shapes: inverse frequencies (rotary dim / 2,) -> (rotary dim / 2,); positions (batch, queries) -> factors alike.
    Cost: one factor for each query, no memory; phase: prefill and decode.
    """

    base: float = 500000.0
    """RoPE base; 0 for the model's own."""
    exempt: int = 2
    """Lowest layers of the model whose logits stay as they are (0 or more)."""
    trained: int = 0
    """Length up to which logits stay as they are (2 or more) [tokens]; 0 for what the model's configuration says."""

    neutral = {"base": 0.0, "trained": 200}
    trial = {"base": 40000.0, "exempt": 1, "trained": 16}

    def __post_init__(self) -> None:
        self.require(
            base=self.base == 0 or self.base > 1, exempt=self.exempt >= 0, trained=self.trained == 0 or self.trained >= 2
        )

    def inv_freq(self, rope: RopeFacts, length: Tensor | None) -> tuple[Tensor, float]:
        if not self.base:
            return rope.own, rope.scale
        unscaled(rope, self.id())
        return from_base(rope, self.base), 1.0

    def temper(self, layer: Layer, q_pos: Tensor) -> Tensor:
        if layer.index < self.exempt:
            return q_pos.new_ones(q_pos.shape).float()
        return ((q_pos + 1).float().log() / math.log(self.trained or layer.trained)).clamp(min=1)

    def reach(self, window: int) -> None:
        return None


def check(lab: Any) -> Any:
    """The factor is 1 within the trained length and ln(4L) / ln L at 4L; tuning on 100 samples is not in this file yet."""
    model, ids = lab.tiny(), lab.words(60)
    base = model.config.rope_parameters["rope_theta"]
    spec = f"entropy-abf(base={base}, exempt=0)"
    within = float((lab.logits(model, spec, ids[:50]) - lab.logits(model, "", ids[:50])).abs().max())
    beyond = float((lab.logits(model, spec, ids * 4) - lab.logits(model, "", ids * 4)).abs().max())
    scores = {name: lab.ask(f"{name}", length=1024) for name in ("entropy-abf(base=40000.0, exempt=0)", "ntk(factor=4)")}
    told = ", ".join(f"{name} {seen}" for name, seen in scores.items())
    return lab.finding(
        holds=None if within < 1e-4 < beyond else False,
        figure=f"{within:.0e} from the plain logits within the trained length, {beyond:.1f} beyond; untuned at 2x: {told}; "
        "not shown: tuned on 100 samples",
        control=f"beyond the trained length it differs from the plain model by {beyond:.1f}",
        control_holds=beyond < 1e-4,
    )
