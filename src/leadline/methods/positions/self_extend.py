"""Self-Extend: exact distances nearby, grouped ones far away, in one softmax."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from leadline.methods.base import Layer, Method, Positions, Temper, View


@dataclass(frozen=True, kw_only=True)
class SelfExtend(Method, Positions, Temper):
    """Self-Extend: exact distances nearby, grouped ones far away, in one softmax.

    Paper: Jin et al., ICML 2024, arXiv:2401.01325, algorithm 1; official code
      https://github.com/datamllab/LongLM@cdbbb06, MIT.
    Claims: all passkeys at 4 times the trained length without training; gains on LongBench and L-Eval.
    Differs: positions come from the cache, so batches, chunks and eviction are right too; layers that slide in models
      that mix them are left alone.
    Shapes: positions (batch, queries), (batch, kv_heads, keys) -> two views of the same shapes.
    Cost: twice the logits and O(keys) rotations at each step, no memory; phase: prefill and decode.
    """

    group: int = 8
    """Far positions that are read as one (1 or more); trained length - window, times group, + window is reached."""
    window: int = 1024
    """Distances below this are exact [tokens]; about half of the trained length, a multiple of the group."""
    log_scale: bool = False
    """Whether logits grow with ln(position) / ln(trained length) beyond the trained length."""

    neutral = {"group": 1, "window": 16}
    trial = {"group": 3, "window": 9}

    def __post_init__(self) -> None:
        self.require(group=self.group >= 1, window=self.window >= 1)

    def views(self, layer: Layer, q_pos: Tensor, k_pos: Tensor) -> list[View]:
        shift = self.window - self.window // self.group
        far_q, far_k = q_pos // self.group + shift, k_pos // self.group
        return [
            View(q_pos, k_pos, lambda i, j: i - j < self.window),
            View(far_q, far_k, lambda i, j: i - j >= self.window),
        ]

    def temper(self, layer: Layer, q_pos: Tensor) -> Tensor:
        if not self.log_scale:
            return q_pos.new_ones(q_pos.shape).float()
        return ((q_pos + 1).float().log() / math.log(layer.trained)).clamp(min=1)

    def reach(self, window: int) -> int:
        return max(window, (window - self.window) * self.group + self.window)


def check(lab: Any) -> Any:
    """Minnow retrieves at four and eight times its trained length; ungrouped far positions are the control."""
    spec = "self-extend(group={}, window=256)"
    plain, ours = lab.ask(length=2048, n=48), lab.ask(spec.format(8), length=2048, n=48)
    eight = lab.ask(spec.format(16), length=4096)
    control = lab.ask(spec.format(1), length=2048, n=48)
    return lab.finding(
        holds=ours.low > plain.high and ours.score >= 0.9 and eight.score >= 0.9,
        figure=f"needle at 4x the trained length {ours}, at 8x {eight}; plain at 4x {plain}",
        control=f"group=1 at 4x {control}",
        control_holds=control.low > plain.high and control.score >= 0.9,
    )
