"""LongHeads: each head reads the chunks that fit its query, laid side by side within the trained length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Attention, Facts, Method, Step, UserError

GATHERED = 2**22
"""Most gathered numbers of keys in memory at once."""
NEVER = 2**30
"""A position that no token has."""


@dataclass(frozen=True, kw_only=True)
class LongHeads(Method, Attention):
    """LongHeads: each head reads the chunks that fit its query, laid side by side within the trained length.

    Paper: Lu et al., Findings of EMNLP 2024, arXiv:2402.10685, section 3; official code
      https://github.com/LuLuLuyi/LongHeads@1c9f72e, no licence.
    Claims: all passkeys at 128k with Llama 2 7B (4k) without training, in linear time.
    Differs: a query always reads itself, its own chunk and the one before (the code leaves itself out in prefill, and
      forces other chunks in decoding); choosing begins at `attended` tokens; of equal chunks the earlier is read;
      queries are kept for the open chunk alone (the code keeps all); all keys stay on the device.
    Shapes: queries (batch, heads, queries, head_dim) -> features (batch, heads, chunks, head_dim) -> output as queries.
    Cost: O(attended + keys / chunk) logits and the gathering of as many keys per token, O(keys) rotations at each step,
      one vector per head and chunk; phase: prefill and decode.
    """

    attended: int = 0
    """What each head reads of the text at most [tokens]; 0 for the trained length, more than that is out of it."""
    chunk: int = 0
    """What is chosen as one [tokens], a quarter of attended or less; 0 for a sixteenth of it."""

    phases = frozenset({"prefill", "decode"})
    raw = True
    neutral = {"attended": 208, "chunk": 13}
    trial = {"attended": 20, "chunk": 4}

    def __post_init__(self) -> None:
        self.require(attended=self.attended >= 0, chunk=self.chunk >= 0)

    def accept(self, model: Facts) -> None:
        size, count = self.sizes(model.trained)
        if count < 4:
            raise UserError(
                f"{self.id()} always reads the first chunk and the two nearest, and {self.attended or model.trained} tokens "
                f"hold only {count} of {size}: let chunk be a quarter of attended or less"
            )

    def reach(self, window: int) -> None:
        return None

    def sizes(self, trained: int) -> tuple[int, int]:
        """Tokens of a chunk, and how many chunks are read, for a trained length."""
        attended = self.attended or trained
        size = self.chunk or max(1, attended // 16)
        return size, attended // size

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        size, count = self.sizes(step.layer.trained)
        chunks = _Chunks(step, k, v, size)
        features = _features(step, chunks, q)
        if int(step.q_pos.max()) < size * count:
            return step.dense(v)
        # A factor of the logits is one of the queries; it does not change what is chosen.
        for part in step.layer.plan.tempers:
            q = q * part.temper(step.layer, step.q_pos)[:, None, :, None].to(q.dtype)
        out = torch.empty_like(q)
        rows = max(1, GATHERED // (q.shape[0] * q.shape[1] * count * size * q.shape[3]))
        for a in range(0, q.shape[2], rows):
            part_q, q_pos = q[:, :, a : a + rows], step.q_pos[:, a : a + rows]
            chosen = self.choose(part_q, q_pos // size, features, count)
            out[:, :, a : a + rows] = chunks.read(part_q, q_pos, chosen)
        return out

    def choose(self, q: Tensor, own: Tensor, features: Tensor, count: int) -> Tensor:
        """Which chunks each query reads.

        Args:
            q: unrotated queries (batch, heads, queries, head_dim).
            own: the chunk that each lies in (batch, queries).
            features: (batch, heads, chunks, head_dim).
            count: how many to read.

        Returns:
            (batch, heads, queries, count), ascending, with -1 at the left where there are fewer.
        """
        number, own = torch.arange(features.shape[2], device=q.device), own[:, None, :, None]
        scores = (q @ features.transpose(-1, -2)).float()
        scores = scores.masked_fill((number == 0) | (number >= own - 1), torch.inf).masked_fill(number > own, -torch.inf)
        best, index = scores.sort(dim=-1, descending=True, stable=True)
        return index.masked_fill(best == -torch.inf, -1)[..., :count].sort(dim=-1).values


class _Chunks:
    """Keys and values by chunks of the text, counted from each row's first token; what is gone leaves a hole."""

    def __init__(self, step: Step, k: Tensor, v: Tensor, size: int) -> None:
        self.layer, self.k, self.v, self.size = step.layer, k, v, size
        pos = step.look.k_pos.long()
        self.count = int(pos.max()) // size + 1
        places = self.count * size
        column = torch.arange(k.shape[2], device=k.device).expand_as(pos)
        table = pos.new_full((*pos.shape[:2], places + 1), -1)
        # Columns by place (batch, 1 or kv_heads, places), -1 for holes.
        self.table = table.scatter(2, torch.where(pos >= 0, pos, places), column)[..., :-1]
        place = torch.arange(places, device=k.device)
        self.pos = torch.where(self.table >= 0, place, -1).unflatten(2, (self.count, size))

    @cached_property
    def keys(self) -> Tensor:
        """(batch, kv_heads, chunks, size, head_dim), each rotated to its place in its chunk."""
        x = self._by_place(self.k)
        local = torch.arange(self.size, device=x.device).repeat(len(x), self.count)
        return self.turn(x, local).unflatten(2, (self.count, self.size))

    @cached_property
    def values(self) -> Tensor:
        """(batch, kv_heads, chunks, size, head_dim)."""
        return self._by_place(self.v).unflatten(2, (self.count, self.size))

    def _by_place(self, x: Tensor) -> Tensor:
        return x.gather(2, self.table.clamp(min=0)[..., None].expand(-1, x.shape[1], -1, x.shape[3]))

    def turn(self, x: Tensor, pos: Tensor) -> Tensor:
        """Rotate, in layers that do."""
        return x if self.layer.turn is None else self.layer.turn(x, pos)

    def pick(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Of (batch, 1 or kv_heads, chunks, ...) those of a number (batch, heads, queries, count)."""
        row = torch.arange(len(chosen), device=x.device)[:, None, None, None]
        head = torch.arange(chosen.shape[1], device=x.device)[:, None, None] // (chosen.shape[1] // x.shape[1])
        return x[row, head, chosen.clamp(min=0)]

    def read(self, q: Tensor, q_pos: Tensor, chosen: Tensor) -> Tensor:
        """Attention (batch, heads, queries, head_dim) to chosen chunks (batch, heads, queries, count)."""
        count, layer, own = chosen.shape[-1], self.layer, q_pos[:, None, :, None, None]
        # The own chunk is the last of them; the one s places before it stands s chunks away, wherever it comes from.
        away = torch.arange(count - 1, -1, -1, device=q.device) * self.size
        spots = (q_pos[..., None] % self.size + away).flatten(1)
        placed = self.turn(q.repeat_interleave(count, 2), spots).unflatten(2, (-1, count))
        logits = (self.pick(self.keys, chosen) @ placed[..., None])[..., 0].float() * layer.scaling
        if layer.softcap is not None:
            logits = torch.tanh(logits / layer.softcap) * layer.softcap
        at = self.pick(self.pos, chosen)
        seen = (chosen[..., None] >= 0) & (at >= 0) & (at <= own)
        if layer.window is not None:
            seen = seen & (own - at < layer.window)
        logits = logits.masked_fill(~seen, -torch.inf).flatten(3)
        if layer.sinks is not None:
            logits = torch.cat([logits, layer.sinks.float()[None, :, None, None].expand(*logits.shape[:3], 1)], -1)
        # Padding sees nothing; what it gives is of no account, but it must be numbers.
        weights = logits.softmax(-1).nan_to_num(0.0)[..., : count * self.size].to(q.dtype)
        return (weights[..., None, :] @ self.pick(self.values, chosen).flatten(3, 4))[..., 0, :]

    def summary(self, q: Tensor, number: Tensor) -> Tensor:
        """What chunks (batch, span) are chosen by (batch, heads, span, head_dim), from their queries (.., size, head_dim)."""
        index = number.clamp(max=self.count - 1)[:, None, None].expand(-1, q.shape[1], 1, -1)
        k, v, pos = (self.pick(x, index)[:, :, 0] for x in (self.keys, self.values, self.pos))
        local = torch.arange(self.size, device=q.device).repeat(len(q), q.shape[2])
        q = self.turn(q.flatten(2, 3), local).unflatten(2, (-1, self.size))

        def attend(q: Tensor, v: Tensor) -> Tensor:
            logits = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
            return logits.masked_fill((pos < 0)[..., None, :], -torch.inf).softmax(-1).nan_to_num(0.0).to(v.dtype) @ v

        return attend(attend(q, v).mean(-2, keepdim=True), k)[..., 0, :]


def _features(step: Step, chunks: _Chunks, q: Tensor) -> Tensor:
    """What each chunk is chosen by (batch, heads, chunks, head_dim); made when it is full, and kept."""
    state = step.store.state if step.store is not None else {}
    pos = step.q_pos if step.valid is None else step.q_pos.masked_fill(~step.valid, -1)
    start = pos.masked_fill(pos < 0, NEVER).min(-1, keepdim=True).values
    features = state.get("features", q.new_zeros(*q.shape[:2], 0, q.shape[3]))
    # One more, for what is made of chunks that are not full.
    features = torch.nn.functional.pad(features, (0, 0, 0, max(0, chunks.count - features.shape[2]) + 1))
    if "open" in state:
        before, where = state["open"]
        # Tokens that were taken back are no longer what they were.
        q, pos = torch.cat([before, q], 2), torch.cat([where.masked_fill(where >= start, -1), pos], 1)
    first = (pos.masked_fill(pos < 0, NEVER).min(-1, keepdim=True).values // chunks.size).clamp(max=chunks.count)
    span = max(0, int((pos // chunks.size - first).max()) + 1)
    # Queries by place, from each row's first open chunk on.
    slot = torch.where(pos >= 0, pos - first * chunks.size, span * chunks.size)
    there = torch.zeros(len(q), span * chunks.size + 1, dtype=torch.bool, device=q.device).scatter(1, slot, True)
    full = there[:, :-1].unflatten(1, (span, chunks.size)).all(-1)
    if full.any():
        own = q.new_zeros(*q.shape[:2], there.shape[1], q.shape[3]).scatter(2, slot[:, None, :, None].expand_as(q), q)
        number = first + torch.arange(span, device=q.device)
        made = chunks.summary(own[:, :, :-1].unflatten(2, (span, chunks.size)), number)
        number = torch.where(full, number, features.shape[2] - 1)
        features = features.scatter(2, number[:, None, :, None].expand_as(made), made)
    features = features[:, :, :-1]
    if step.store is not None:
        end = pos.max(-1, keepdim=True).values + 1
        # What is on trial may be taken back, so the chunk that it began in stays open.
        end = torch.minimum(start, end) if step.store.ledger.recording else end
        kept = pos >= end // chunks.size * chunks.size
        order = kept.byte().sort(dim=-1, stable=True).indices[:, pos.shape[1] - int(kept.sum(-1).max()) :]
        rows = order[:, None, :, None].expand(-1, q.shape[1], -1, q.shape[3])
        state["features"], state["open"] = features, (q.gather(2, rows), pos.masked_fill(~kept, -1).gather(1, order))
    return features


def check(lab: Any) -> Any:
    """The needle at 4x, and time that grows as the text does; only the chunks that are always read are the control."""
    spec = "longheads(attended=480, chunk=16)"
    ours, plain = lab.ask(spec, length=2048, n=48), lab.ask(length=2048, n=48)
    control = lab.ask("longheads(attended=64, chunk=16)", length=2048, n=48)
    times = [lab.ask(spec, length=length, n=3, timed=True).ttft_s for length in (2048, 8192)]
    return lab.finding(
        holds=ours.score >= 0.9 and ours.low > plain.high and times[1] < 8 * times[0],
        figure=f"needle at 4x {ours}, plain {plain}; prefill of 8k takes {times[1] / times[0]:.1f} times that of 2k",
        control=f"four chunks, three of them fixed: {control}",
        control_holds=control.score >= 0.9,
    )
