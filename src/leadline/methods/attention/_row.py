"""One row of a batch without its padding, and attention over columns chosen for each head. No plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.methods.base import Layer, Step, stable_top

BLOCK = 2**24
"""Most logits in memory at once."""


@dataclass
class Row:
    """Queries of one row, the newest tokens, and all its keys: query r of R sees columns up to N - R + r of N."""

    layer: Layer
    index: int
    """Place in the batch."""
    q: Tensor
    """(heads, queries, head_dim)."""
    k: Tensor
    """(kv_heads, keys, head_dim)."""
    v: Tensor
    """As `k`."""
    q_pos: Tensor
    """Positions in the text (queries,)."""
    k_pos: Tensor
    """Positions in the text (1 or kv_heads, keys)."""

    @property
    def heads_of(self) -> Tensor:
        """The kv-head of each query head (heads,)."""
        return torch.arange(len(self.q), device=self.q.device) // (len(self.q) // len(self.k))

    def scores(self, q: Tensor) -> Tensor:
        """Logits (heads, any, keys) of vectors (heads, any, head_dim) over all keys, float32, nothing masked."""
        grouped = q.float().unflatten(0, (len(self.k), -1)).flatten(1, 2)
        out = (grouped @ self.k.float().transpose(-1, -2)).view(*q.shape[:2], -1)
        return self._capped(out * self.layer.scaling)

    def logits(self, a: int, b: int, chosen: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits of queries a to b over chosen columns, in blocks of queries.

        Args:
            a: first query.
            b: the one after the last.
            chosen: bool (heads, keys), columns that each head reads; None for all that are seen.

        Yields:
            (heads, some queries, kept) in float32, -inf where nothing is read; and the columns (heads, kept).
        """
        heads, keys = len(self.q), self.k.shape[1]
        seen = keys - self.q.shape[1] + b
        if chosen is None:
            index = torch.arange(seen, device=self.q.device).expand(heads, -1)
            real = torch.ones_like(index, dtype=torch.bool)
        else:
            chosen = chosen[:, :seen]
            index = stable_top(chosen.byte(), int(chosen.sum(-1).max()))
            real = chosen.gather(1, index)
        k = self.k[self.heads_of[:, None], index]
        pos = self.k_pos.expand(len(self.k), -1)[self.heads_of[:, None], index]
        size = max(1, BLOCK // max(1, index.numel()))
        for c in range(a, b, size):
            e = min(c + size, b)
            last = torch.arange(c, e, device=index.device) + keys - self.q.shape[1]
            mask = real[:, None] & (index[:, None] <= last[:, None])
            if self.layer.window is not None:
                mask = mask & (self.q_pos[c:e, None] - pos[:, None] < self.layer.window)
            out = self._capped((self.q[:, c:e] @ k.transpose(-1, -2)).float() * self.layer.scaling)
            yield out.masked_fill(~mask, -torch.inf), index

    def read(self, a: int, b: int, chosen: Tensor | None = None) -> Tensor:
        """Attention (heads, b - a, head_dim) of queries a to b over chosen columns; arguments as `logits`."""
        out, values = [], None
        for logits, index in self.logits(a, b, chosen):
            if self.layer.sinks is not None:
                logits = torch.cat([logits, self.layer.sinks.float()[:, None, None].expand(*logits.shape[:2], 1)], -1)
            if values is None:
                values = self.v[self.heads_of[:, None], index]
            weights = torch.softmax(logits, -1).nan_to_num(0.0)[..., : index.shape[1]]
            out.append(weights.to(values.dtype) @ values)
        return torch.cat(out, 1) if out else self.v.new_empty(len(self.q), 0, self.v.shape[-1])

    def _capped(self, logits: Tensor) -> Tensor:
        cap = self.layer.softcap
        return logits if cap is None else torch.tanh(logits / cap) * cap


def by_row(step: Step, q: Tensor, k: Tensor, v: Tensor, attend: Callable[[Row], Tensor]) -> Tensor:
    """Attention row by row: `attend` is given each row and returns (heads, queries, head_dim); padding gets zeros.

    Args:
        step: of the layer.
        q: (batch, heads, queries, head_dim).
        k: (batch, kv_heads, keys, head_dim).
        v: as `k`.
        attend: what to do with a row.

    Returns:
        (batch, heads, queries, head_dim).
    """
    out = v.new_zeros(*q.shape[:3], v.shape[-1])
    k_pos, (batch, _, queries, _) = step.look.k_pos, q.shape
    # Padding stands at the left, of queries and of keys.
    skip_q = [0] * batch if step.valid is None else (~step.valid).sum(-1).tolist()
    skip_k = (k_pos[:, 0] < 0).sum(-1).tolist()
    for b in range(batch):
        i, j = skip_q[b], skip_k[b]
        if i < queries:
            row = Row(step.layer, b, q[b, :, i:], k[b, :, j:], v[b, :, j:], step.q_pos[b, i:], k_pos[b, :, j:])
            out[b, :, i:] = attend(row)
    return out
