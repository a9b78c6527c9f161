"""Vertical-slash: at prefill read the columns and diagonals that the last queries attend to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from leadline.methods.base import Attention, Method, Step, stable_top

LAST = 64
"""Queries that the pattern is estimated from [tokens]."""
ROWS = 64
"""Queries that share gathered keys [tokens]."""


@dataclass(frozen=True, kw_only=True)
class VerticalSlash(Method, Attention):
    """Vertical-slash: at prefill read the columns and diagonals that the last queries attend to.

    Paper: Jiang et al., NeurIPS 2024, arXiv:2407.02490, section 3.2 and algorithm 1; official code
      https://github.com/microsoft/MInference@fb56c91, MIT.
    Claims: with the other patterns prefill up to 10 times faster at 1M tokens on an A100.
    Differs: the same sizes for all heads (the code has them per head, found offline); exact to the token (the kernel
      rounds diagonals to tiles of 64 and so reads more); a chunk is estimated from its own last queries.
    Shapes: weights (batch, heads, 64, keys) -> columns and diagonals (batch, heads, keys) -> output as the queries.
    Cost: O(vertical + slash) per token and its gathering, in plain PyTorch; phase: prefill.
    """

    vertical: int = 1000
    """Columns read by all later queries, per head [tokens]."""
    slash: int = 6096
    """Distances at which all queries read, per head [tokens]."""
    first: int = 30
    """First tokens of the text that are always among the columns [tokens]."""
    near: int = 100
    """Shortest distances that are always among the diagonals [tokens]."""

    neutral = {"vertical": 200, "slash": 200}
    trial = {"vertical": 6, "slash": 8, "first": 2, "near": 4}
    excepts = {
        3: "the pattern is estimated from the last queries of what is fed",
        4: "each chunk is estimated from its own last queries",
    }

    def __post_init__(self) -> None:
        self.require(
            vertical=self.vertical >= self.first,
            slash=self.slash >= self.near,
            first=self.first >= 0,
            near=self.near >= 1,
        )

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        look = step.look
        if look.keys <= max(self.vertical, self.slash) or not look.simple:
            return step.dense(v)
        columns, offsets = self.choose(step)
        groups = look.heads // look.kv_heads
        out = torch.empty_like(q)
        for a in range(0, look.queries, ROWS):
            b = min(a + ROWS, look.queries)
            index, mask = self._gathered(step, columns, offsets, a, b)
            # [B, Hq, kept, D] of each query head's own columns.
            keys, values = (
                x.repeat_interleave(groups, 1).gather(2, index[..., None].expand(-1, -1, -1, x.shape[-1])) for x in (k, v)
            )
            out[:, :, a:b] = scaled_dot_product_attention(q[:, :, a:b], keys, values, attn_mask=mask, scale=step.layer.scaling)
        return out

    def choose(self, step: Step) -> tuple[Tensor, Tensor]:
        """Which columns and which offsets to read, bool (batch, heads, keys) each."""
        look = step.look
        last = min(LAST, look.queries)
        weights = step.weights(look.queries - last, look.queries)
        if step.valid is not None:
            weights = weights * step.valid[:, None, -last:, None]
        pos = look.k_pos if look.k_pos.shape[1] == 1 else look.k_pos.repeat_interleave(look.heads // look.kv_heads, 1)
        vertical = weights.sum(2).masked_fill((pos >= 0) & (pos < self.first), torch.inf)
        # Query r at column c is at offset keys - last + r - c: shift each row to the last one's place, then flip.
        rows = [pad(weights[:, :, r], (last - 1 - r, 0))[..., : look.keys] for r in range(last)]
        slash = torch.stack(rows).sum(0).flip(-1)
        slash[..., : self.near] = torch.inf
        columns, offsets = torch.zeros_like(vertical, dtype=torch.bool), torch.zeros_like(slash, dtype=torch.bool)
        columns.scatter_(2, stable_top(vertical, min(self.vertical, look.keys)), True)
        offsets.scatter_(2, stable_top(slash, min(self.slash, look.keys)), True)
        return columns, offsets

    def _gathered(self, step: Step, columns: Tensor, offsets: Tensor, a: int, b: int) -> tuple[Tensor, Tensor]:
        """Columns (batch, heads, kept) that queries a to b of each head read, and which of them each query does."""
        look = step.look
        base = look.masks(a, b)[0]
        base = base if base.shape[1] == 1 else base.repeat_interleave(look.heads // look.kv_heads, 1)
        column = torch.arange(base.shape[-1], device=base.device)
        row = torch.arange(a, b, device=base.device) + look.keys - look.queries
        chosen = columns[:, :, None, : len(column)] | offsets[:, :, (row[:, None] - column).clamp(min=0)]
        mask = chosen & base
        used = mask.any(2)
        index = stable_top(used.byte(), int(used.sum(-1).max()))
        return index, mask.gather(3, index[:, :, None].expand(-1, -1, b - a, -1))
