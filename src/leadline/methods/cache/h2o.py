"""H2O: keep the heavy hitters, which received most attention so far, and the newest tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from leadline.methods.base import Method, Policy, Step, Store, minus_inf, stable_top

id = "h2o"


@dataclass(frozen=True, kw_only=True)
class H2O(Method, Policy):
    """H2O: keep the heavy hitters, which received most attention so far, and the newest tokens.

    Paper: Zhang et al., NeurIPS 2023, arXiv:2306.14048, algorithm 1; official code
      https://github.com/FMInference/H2O@ac75c2a, no licence stated.
    Claims: a fifth of the cache keeps quality; up to 29 times the throughput of offloading systems.
    Differs: sizes in tokens, not shares of the prompt; kv-heads choose by the sum over their query heads; each row of a
      batch by itself.
    Shapes: weights (batch, heads, queries, keys) -> sums (batch, kv_heads, keys).
    Cost: a second pass over all weights at prefill, O(budget) at a step, one float per entry; phase: prefill and decode.
    """

    budget: int = 1024
    """Entries kept per kv-head [tokens]."""
    recent: int = 512
    """Of these, the newest; the others are heavy hitters [tokens]."""

    when = "always"
    neutral = {"budget": 200, "recent": 8}
    trial = {"budget": 12, "recent": 4}
    excepts = {3: "what one turn evicts a later one cannot read"}

    def __post_init__(self) -> None:
        self.require(budget=self.budget >= 1, recent=0 <= self.recent <= self.budget)

    def observe(self, store: Store, step: Step) -> None:
        look = step.look
        sums = store.notes.get("h2o")
        if sums is None:
            sums = torch.zeros(look.batch, look.kv_heads, store.length, device=look.k_pos.device)
        for a, b in look.blocks(look.heads):
            weights = step.weights(a, b)
            if step.valid is not None:
                weights = weights * step.valid[:, None, a:b, None]
            sums = sums + weights.sum(2).unflatten(1, (look.kv_heads, -1)).sum(2)
        store.notes["h2o"] = sums

    def settle(self, store: Store, decoding: bool) -> None:
        if store.length <= self.budget:
            return
        sums = store.notes["h2o"]
        column = torch.arange(store.length, device=sums.device)
        newest = column >= store.length - self.recent
        scores = minus_inf(sums, store.valid).masked_fill(newest, torch.inf)
        store.keep(stable_top(scores, self.budget))

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return self.budget
