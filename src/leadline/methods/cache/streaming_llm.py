"""StreamingLLM: keep the first tokens and the newest, and number positions inside the cache."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from leadline.methods.base import SPARE, Layer, Method, Policy, Positions, Store, View


@dataclass(frozen=True, kw_only=True)
class StreamingLlm(Method, Positions, Policy):
    """StreamingLLM: keep the first tokens and the newest, and number positions inside the cache.

    Paper: Xiao, Tian, Chen, Han, Lewis, ICLR 2024, arXiv:2309.17453, section 3.2; official code
      https://github.com/mit-han-lab/streaming-llm@2e50426, MIT.
    Claims: level perplexity to 4M tokens; up to 22 times faster than a window that is computed anew.
    Differs: a forward of many tokens gives what feeding them one by one gives (the code needs pieces that fit).
    Shapes: positions (batch, queries), (batch, kv_heads, keys) -> two views of the same shapes.
    Cost: O(start + recent) per token, cache of as many entries; phase: prefill and decode.
    """

    start: int = 4
    """First tokens of the text that are always kept [tokens]."""
    recent: int = 1020
    """Newest tokens that are kept, the query itself included [tokens]."""

    when = "always"
    looks = False
    neutral = {"recent": 200}
    trial = {"start": 3, "recent": 12}

    def __post_init__(self) -> None:
        self.require(start=self.start >= 0, recent=self.recent >= 1)

    def views(self, layer: Layer, q_pos: Tensor, k_pos: Tensor) -> list[View]:
        # Inside the window distances are those of the text; from a moving origin, so that positions stay small.
        origin = (q_pos.min(-1, keepdim=True).values - self.recent).clamp(min=0)
        # Once the cache is full a query has its last slot, and the first tokens have theirs.
        slot = q_pos.clamp(max=self.start + self.recent - 1)
        return [
            View(q_pos - origin, k_pos - origin[:, None], lambda i, j: i - j < self.recent),
            View(slot, k_pos, lambda i, j: (i - j >= self.recent) & (j < self.start)),
        ]

    def settle(self, store: Store, decoding: bool) -> None:
        # The next query reads recent - 1 tokens before itself.
        store.keep_ends(self.start, self.recent - 1, slack=SPARE if decoding else 0)

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return self.start + self.recent - 1

    def reach(self, window: int) -> None:
        return None
