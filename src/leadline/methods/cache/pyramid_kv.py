"""PyramidKV: SnapKV's selection with a budget that shrinks from the lowest layer to the highest."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.methods.base import Store, stable_top
from leadline.methods.cache._window import Observing

id = "pyramid-kv"


@dataclass(frozen=True, kw_only=True)
class PyramidKV(Observing):
    """PyramidKV: SnapKV's selection with a budget that shrinks from the lowest layer to the highest.

    Paper: Cai et al. 2024, arXiv:2406.02069, section 4; official code
      https://github.com/Zefan-Cai/KVCache-Factory, MIT.
    Claims: on LongBench as good as the full cache with 12 % of it.
    Differs: the layers' sum is the budget exactly (the code's integer steps overshoot it); selects for kv-heads by the
      mean over their query heads.
    Shapes: queries (batch, heads, window, head_dim) -> scores (batch, kv_heads, keys - window).
    Cost: O(window * keys) once, budget entries on average and window queries; phase: prefill.
    """

    budget: int = 1024
    """Entries kept per kv-head after the prompt, on average over layers, the window included [tokens]."""
    beta: int = 20
    """Steepness (1 or more): the highest layer keeps the beta-th part of the average beside the window."""
    window: int = 8
    kernel: int = 7
    pooling: str = "max"

    neutral = {"budget": 200, "window": 4}
    trial = {"budget": 14, "window": 4, "kernel": 3, "beta": 3}
    excepts = {3: "the second question was not in the window when the first prompt was cut; what it needs may be gone"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(beta=self.beta >= 1)

    def settle(self, store: Store, decoding: bool) -> None:
        scores, count = self.scores(store)
        layer = store.layer
        kept = [self.budgets(row, layer.governed)[layer.rank] for row in store.rows]
        if any(n < row - count for n, row in zip(kept, store.rows, strict=True)):
            store.keep(self.newest(store, stable_top(scores, kept), count))

    def budgets(self, tokens: int, layers: int) -> list[int]:
        """Entries that each layer keeps beside the window, of a prompt of `tokens`."""
        cap, rest = self.budget - self.window, max(0, tokens - self.window)
        if tokens <= self.budget:
            return [rest] * layers
        if tokens < 2 * cap or layers == 1:
            return [cap] * layers
        low = cap // self.beta
        high = 2 * cap - low
        if high >= rest:
            high, low = rest, 2 * cap - rest
        line = [high - place * (high - low) / (layers - 1) for place in range(layers)]
        whole = [int(n) for n in line]
        rest = layers * cap - sum(whole)
        broken = [place for place in range(layers) if line[place] > whole[place]]
        return [n + (place in broken[:rest]) for place, n in enumerate(whole)]

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return self.budgets(tokens, layers)[layer] + min(tokens, self.window) + generated
