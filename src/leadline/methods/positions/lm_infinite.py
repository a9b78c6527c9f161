"""LM-Infinite: read the first tokens and a window, and let no distance grow beyond a limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import SPARE, Layer, Method, Policy, Positions, Store, View


@dataclass(frozen=True, kw_only=True)
class LmInfinite(Method, Positions, Policy):
    """LM-Infinite: read the first tokens and a window, and let no distance grow beyond a limit.

    Paper: Han et al., NAACL 2024, arXiv:2308.16137, section 4; official code
      https://github.com/Glaciohound/LM-Infinite@a0ce64c, MIT.
    Claims: fluent to 200M tokens; decoding 2.7 times faster in 7.5 times less memory.
    Differs: what no later query can read is freed (the code keeps all keys); the limit does not shrink for short
      inputs; without the optional retrieval of middle tokens.
    Shapes: positions (batch, queries), (batch, kv_heads, keys) -> two views of the same shapes.
    Cost: O(n_global + n_local) per token, cache of as many entries; phase: prefill and decode.
    """

    n_local: int = 2048
    """Window, the query itself included [tokens]; the trained length or less."""
    n_global: int = 10
    """First tokens of the text that are always read [tokens]."""
    limit: int = 0
    """Distance at which first tokens out of the window are read [tokens]; 0 for n_local."""

    when = "always"
    looks = False
    neutral = {"n_local": 200}
    trial = {"n_local": 12, "n_global": 3}

    def __post_init__(self) -> None:
        self.require(n_local=self.n_local >= 1, n_global=self.n_global >= 0, limit=self.limit >= 0)

    def views(self, layer: Layer, q_pos: Tensor, k_pos: Tensor) -> list[View]:
        far = torch.full_like(q_pos, self.limit or self.n_local)
        return [
            View(q_pos, k_pos, lambda i, j: i - j < self.n_local),
            View(far, torch.zeros_like(k_pos), lambda i, j: (i - j >= self.n_local) & (j < self.n_global)),
        ]

    def settle(self, store: Store, decoding: bool) -> None:
        # The next query reads n_local - 1 tokens before itself.
        store.keep_ends(self.n_global, self.n_local - 1, slack=SPARE if decoding else 0)

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return self.n_global + self.n_local - 1

    def reach(self, window: int) -> None:
        return None


def check(lab: Any) -> Any:
    """The loss of prose stays level to 8x the trained length, in a cache that does not grow; no limit is the control."""
    spec = "lm-infinite(n_local=480)"
    ours, plain = lab.loss(spec, 4096), lab.loss("", 4096)
    held = [lab.ask(spec, length=length, n=2, timed=True).cache_bytes for length in (1024, 4096)]

    def level(losses: list[float]) -> bool:
        return max(losses[1:]) < losses[0] + 0.3

    told = " ".join(f"{x:.1f}" for x in ours)
    return lab.finding(
        holds=level(ours) and held[1] < 1.05 * held[0],
        figure=f"loss by 512 tokens to 4,096: {told} nats; cache {held[0] / 1024:.0f} KiB at 1k, {held[1] / 1024:.0f} at 4k",
        control="plain: " + " ".join(f"{x:.1f}" for x in plain),
        control_holds=level(plain),
    )
