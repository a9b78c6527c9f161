"""TokenSelect: heads vote for the tokens that a chunk reads, at packed positions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, max_pool1d

from leadline.methods.attention._row import Row, by_row
from leadline.methods.base import Attention, Method, Step, stable_top

NOTE = "token-select"
"""Where a store remembers the last choice and the query that made it."""


@dataclass(frozen=True, kw_only=True)
class TokenSelect(Method, Attention):
    """TokenSelect: heads vote for the tokens that a chunk reads, at packed positions.

    Paper: Wu et al., EMNLP 2025, arXiv:2411.02886, section 4; official code
      https://github.com/pzs19/TokenSelect@8e1e97f, no licence.
    Claims: attention up to 23.8 times faster, 2.28 times end to end; Llama 3 8B and Qwen2 7B at 1M tokens.
    Differs: plain PyTorch, no paged kernel, so no speed is claimed; each query head votes by its own kv-head (the
      code's h % kv_heads takes another's); batches, row by row; of equal votes the earlier token; where all layers
      slide, the model's window still holds in the positions of the text.
    Shapes: queries (batch, heads, chunk, head_dim) -> votes (batch, keys) -> columns (batch, top), one set for all heads.
    Cost: O(first + top + local) per token and O(heads * keys) votes per chunk, keys cached unrotated, a rotation of what
      is read and (by the host) of all keys at each step, no memory; phase: prefill and decode.
    """

    first: int = 128
    """First tokens that are always read [tokens]."""
    top: int = 2048
    """Tokens that are chosen (1 or more) [tokens]."""
    local: int = 512
    """Newest tokens that are always read, a chunk or more [tokens]."""
    chunk: int = 512
    """Queries of a prompt that share a choice (1 or more); where it holds more than a question, votes blur [tokens]."""
    pool: int = 1
    """Neighbours over which the most votes count, odd; 1 for none [tokens]."""
    similarity: float | None = None
    """Cosine of queries from which on a step reads what the step before chose; the paper's is 0.9; None for never."""

    neutral = {"first": 4, "top": 200, "local": 16, "chunk": 8}
    trial = {"first": 2, "top": 5, "local": 9, "chunk": 8}
    raw = True
    phases = frozenset({"prefill", "decode"})
    excepts = {
        3: "what was generated chose at each step, as a part of one long prompt it chooses by chunks",
        4: "each chunk chooses for itself; chunks that end at multiples of `chunk` give what one prefill gives",
    }

    def __post_init__(self) -> None:
        self.require(
            first=self.first >= 0,
            top=self.top >= 1,
            local=self.local >= self.chunk,
            chunk=self.chunk >= 1,
            pool=self.pool >= 1 and self.pool % 2 == 1,
            similarity=self.similarity is None or self.similarity == self.similarity,
        )

    @property
    def most(self) -> int:
        """Tokens that are read at once, and so positions that the model sees."""
        return self.first + self.top + self.local

    def reach(self, window: int) -> int | None:
        return None if self.most <= window else window

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if step.look.keys <= self.most:
            return step.dense(v)
        for part in step.layer.plan.tempers:
            q = q * part.temper(step.layer, step.q_pos)[:, None, :, None].to(q.dtype)
        return by_row(step, q, k, v, lambda row: self._row(step, row))

    def _row(self, step: Step, row: Row) -> Tensor:
        # Guesses that are checked together choose one by one, as they would alone.
        queries, chunk = row.q.shape[1], self.chunk if step.prefill else 1
        cuts = [0, *range(chunk - int(row.q_pos[0]) % chunk, queries, chunk), queries]
        return torch.cat([self._part(step, row, a, b) for a, b in zip(cuts, cuts[1:], strict=False)], 1)

    def _part(self, step: Step, row: Row, a: int, b: int) -> Tensor:
        """Attention (heads, b - a, head_dim) of one chunk."""
        seen = row.k.shape[1] - row.q.shape[1] + b
        q_pos, index = row.q_pos[a:b], torch.arange(seen, device=row.q.device)
        at, k_at = q_pos, row.k_pos[:, :seen]
        if seen > self.most:
            index = torch.cat([index[: self.first], self.columns(step, row, a, b, seen), index[seen - self.local :]])
            k_at = torch.arange(len(index), device=index.device)
            at = k_at[len(index) - (b - a) :]
        q, k = turned(step, row, row.q[:, a:b], at), turned(step, row, row.k[:, index], k_at)
        return replace(row, q=q, k=k, v=row.v[:, index], q_pos=q_pos, k_pos=row.k_pos[:, index]).read(0, b - a)

    def columns(self, step: Step, row: Row, a: int, b: int, seen: int) -> Tensor:
        """Columns between the first and the local ones that queries a to b read, ascending."""
        at = self.local + torch.arange(b - a, device=row.q.device)
        mean = turned(step, row, row.q[:, a:b], at).float().mean(1)
        store, end = step.store, seen - self.local
        if step.prefill or self.similarity is None or store is None:
            return self.choose(mean, row.k[:, self.first : end]) + self.first
        if NOTE not in store.state:
            store.state[NOTE] = mean.new_full((step.look.batch, *mean.shape), torch.nan)
            store.notes[NOTE] = torch.zeros_like(store.pos, dtype=torch.uint8)
        # A view of the row's own columns, padding left out.
        before, flags = store.state[NOTE][row.index], store.notes[NOTE][row.index, :, store.length - row.k.shape[1] :]
        if not bool(cosine_similarity(before.flatten(), mean.flatten(), 0) >= self.similarity):
            before.copy_(mean)
            flags.zero_()
            flags[:, self.choose(mean, row.k[:, self.first : end]) + self.first] = 1
        return flags[0, self.first : end].nonzero()[:, 0] + self.first

    def choose(self, mean: Tensor, keys: Tensor) -> Tensor:
        """The most voted of unrotated keys (kv_heads, keys, head_dim) by a chunk's mean query (heads, head_dim)."""
        logits = mean.unflatten(0, (len(keys), -1)) @ keys.float().transpose(-1, -2)
        votes = torch.softmax(logits, -1).sum((0, 1))
        votes = max_pool1d(votes[None], self.pool, stride=1, padding=self.pool // 2)[0]
        return stable_top(votes, min(self.top, len(votes)))


def turned(step: Step, row: Row, x: Tensor, pos: Tensor) -> Tensor:
    """Vectors (any heads, tokens, head_dim) of a row rotated to positions (tokens,) or (any heads, tokens)."""
    turn = step.layer.turn
    if turn is None:
        return x
    if not turn.dynamic:
        return turn(x[None], pos[None])[0]
    # Frequencies are the rows' own and come for all rows at once.
    rows = step.look.batch
    return turn(x.expand(rows, *x.shape), pos.expand(rows, *pos.shape))[row.index]


def check(lab: Any) -> Any:
    """The needle beyond the trained length, and a time per token that hardly grows; few chosen tokens are the control."""
    spec = "token-select(first=16, top={}, local=128, chunk=24)"
    ours, plain = lab.ask(spec.format(256), length=2048), lab.ask(length=2048)
    control = lab.ask(spec.format(1), length=2048)
    times = {one: [lab.ask(one, length=n, n=3, timed=True).token_s for n in (2048, 8192)] for one in ("", spec.format(256))}
    flat, dense = (b / a for a, b in (times[spec.format(256)], times[""]))
    return lab.finding(
        holds=ours.score >= 0.9 and ours.low > plain.high and flat < 1.5,
        figure=f"needle at 4x {ours}, plain {plain}; a token at 8k takes {flat:.2f} times one at 2k (plain {dense:.2f})",
        control=f"one token chosen {control}",
        control_holds=control.score >= 0.9,
    )
