"""One attention layer as methods see it: positions, masks and weights of any queries over any keys.

`Layer` is what stays the same between forwards, `Look` is some queries looking at some keys, `Step` is a layer's
part of one forward. Plain PyTorch, in blocks of queries, so that no matrix of all pairs is ever whole in memory.
Knows nothing of hooks and of how keys are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from leadline.models.seams.parts import Pairs, Plan, View
from leadline.models.seams.rotary import Turner

if TYPE_CHECKING:
    from leadline.models.seams.store import Store

BLOCK = 2**24
"""Most pairs (batch * heads * queries * keys) whose logits are in memory at once."""
NARROW = 256
"""Queries in a block where few keys are read, so that few columns are read by any of them."""


class Kept(nn.Module):
    """What methods make of a layer's weights; a module, so that it counts as no one's cache."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[Any, Any] = {}
        """By method."""


@dataclass
class Layer:
    """What the host knows of one attention layer."""

    plan: Plan
    module: Any
    """The model's own attention module."""
    index: int
    """Place among all layers of the model."""
    rank: int
    """Place among the governed layers, counted from the lowest."""
    governed: int
    """How many layers the stack governs: all with attention, but in models that mix them none that slides."""
    rules: bool
    """Whether this is one of them."""
    window: int | None
    """Sliding window that the model reads through [tokens]; None for all."""
    trained: int
    """Length that the model was trained to [tokens]."""
    turn: Turner | None
    """Rotates to positions; None in layers that never rotate."""
    decoder: Any = None
    """The model's decoder."""
    kept: Kept = field(default_factory=lambda: Kept())
    """What methods make of the layer's weights, for as long as they are applied."""
    scaling: float = 1.0
    softcap: float | None = None
    sinks: Tensor | None = None
    """Learnt sinks (heads,) of GPT-OSS: one more logit in each softmax."""

    @property
    def raw(self) -> bool:
        """Whether queries and keys come unrotated."""
        return self.plan.raw and self.turn is not None

    @property
    def watched(self) -> bool:
        """Whether a policy chooses by the weights of every step."""
        return self.rules and any(policy.looks and policy.when == "always" for policy in self.plan.policies)

    @property
    def plain(self) -> bool:
        """Whether queries and keys are read as they come."""
        plan = self.plan
        changed = self.rules and (plan.tempers or plan.positions is not None)
        return not changed and self.softcap is None and self.sinks is None and not self.raw


class Look:
    """Queries that look at keys, in the positions and under the mask that a layer has.

    The queries are the newest tokens: query r of R sees keys up to column N - R + r of N, among them those within
    the model's window and the method's views.
    """

    def __init__(
        self, layer: Layer, q: Tensor, q_pos: Tensor, valid: Tensor | None, k: Tensor, k_pos: Tensor, whole: bool = False
    ) -> None:
        """Shapes.

        Args:
            layer: the layer.
            q: (batch, heads, queries, head_dim), as they came from the model (unrotated if `layer.raw`).
            q_pos: (batch, queries), positions in the text.
            valid: (batch, queries), False for padding; None where there is none.
            k: (batch, kv_heads, keys, head_dim), as cached.
            k_pos: (batch, 1 or kv_heads, keys), -1 where there is none.
            whole: whether the newest query is known to read all keys, in one of the views.
        """
        self.whole = whole
        self._masks: list[Tensor] | None = None
        self.layer, self.q_pos, self.valid, self.k_pos = layer, q_pos, valid, k_pos
        self.batch, self.heads, self.queries, self.dim = q.shape
        self.kv_heads, self.keys = k.shape[1], k.shape[2]
        plan = layer.plan
        for part in plan.tempers if layer.rules else ():
            q = q * part.temper(layer, q_pos)[:, None, :, None].to(q.dtype)
        mapped = plan.positions is not None and layer.rules
        self.views = plan.positions.views(layer, q_pos, k_pos) if plan.positions and mapped else [View(q_pos, k_pos)]
        self.mapped = mapped
        self.single = self.queries == 1 and len(self.views) > 1
        self._queries: Tensor | None = None
        turn = layer.turn if layer.raw else None
        if turn is None:
            self.placed = [(q, k)] * len(self.views)
        elif self.single:
            # A single query reads each key in one view at most, so keys need one rotation, not one for each view.
            spots = self.views[0].k
            for view, mask in zip(self.views[1:], self.masks(0, 1)[1:], strict=True):
                spots = torch.where(mask[:, :, 0], view.k, spots)
            turned = turn(k, spots)
            queries = turn(q.expand(-1, -1, len(self.views), -1), torch.cat([view.q for view in self.views], -1))
            self.placed = [(queries[:, :, i : i + 1], turned) for i in range(len(self.views))]
            self._queries = queries
        else:
            self.placed = [(turn(q, view.q), turn(k, view.k)) for view in self.views]

    @property
    def simple(self) -> bool:
        """Whether one view with plain logits is all there is."""
        return len(self.views) == 1 and self.layer.softcap is None and self.layer.sinks is None

    def blocks(self, maps: int, most: int = 2**30) -> Iterator[tuple[int, int]]:
        """Ranges of at most `most` queries, small enough for BLOCK with so many maps for each of the batch."""
        size = min(most, max(1, BLOCK // max(1, self.batch * maps * self.keys)))
        for at in range(0, self.queries, size):
            yield at, min(at + size, self.queries)

    def masks(self, a: int, b: int, where: Pairs | None = None) -> list[Tensor]:
        """For each view, which keys up to the last that is seen queries a to b read.

        Returns:
            bool (batch or 1, 1 or kv_heads or heads, b - a, keys - queries + b) each.
        """
        if self._masks is not None and where is None:
            return self._masks
        seen = self.keys - self.queries + b
        i, j = self.q_pos[:, None, a:b, None], self.k_pos[:, :, None, :seen]
        base = j >= 0
        if b - a > 1:
            row = torch.arange(a, b, device=i.device) + (self.keys - self.queries)
            base = (torch.arange(seen, device=i.device)[None] <= row[:, None]) & base
        if where is not None:
            base = base & where(i, j)
        masks = []
        for view in self.views:
            mask = base if view.where is None else base & view.where(i, j)
            if self.layer.window is not None:
                mask = mask & (view.q[:, None, a:b, None] - view.k[:, :, None, :seen] < self.layer.window)
            masks.append(mask)
        if self.valid is not None:
            # What padding reads is of no account, but it must be numbers.
            masks[0] = masks[0] | ~self.valid[:, None, a:b, None]
        if self.single and where is None:
            self._masks = masks
        return masks

    def logits(self, a: int, b: int, which: int, mask: Tensor, columns: Tensor | None) -> Tensor:
        """Logits of a view, float32, -inf where nothing is read.

        Args:
            a: first query.
            b: after the last.
            which: the view's number.
            mask: what is read (batch or 1, 1 or kv_heads or heads, b - a, columns).
            columns: which keys these are; None for the first ones.

        Returns:
            (batch, kv_heads, groups, b - a, columns).
        """
        q, k = self.placed[which]
        keys = k[:, :, : mask.shape[-1]] if columns is None else k[:, :, columns]
        # Queries of one kv-head lie in one matrix, so that keys need not be repeated.
        grouped = q[:, :, a:b].unflatten(1, (self.kv_heads, -1)).flatten(2, 3)
        logits = (grouped @ keys.transpose(-1, -2)).float().unflatten(2, (-1, b - a)) * self.layer.scaling
        if self.layer.softcap is not None:
            logits = torch.tanh(logits / self.layer.softcap) * self.layer.softcap
        return torch.where(self._grouped(mask), logits, -torch.inf)

    def weights(self, a: int, b: int, where: Pairs | None = None) -> Tensor:
        """Attention weights (batch, heads, b - a, keys) of queries a to b, float32; rows that see nothing are 0."""
        if self.whole and self.simple and not self.mapped and where is None and b - a == 1 and b == self.queries:
            q, k = self.placed[0]
            grouped = q[:, :, a:].unflatten(1, (self.kv_heads, -1)).flatten(2, 3)
            return ((grouped @ k.transpose(-1, -2)).float() * self.layer.scaling).softmax(-1).flatten(1, 2)[:, :, None]
        if self._queries is not None:
            logits = self._joint(where)
        else:
            masks = self.masks(a, b, where)
            logits = self.logits(a, b, 0, masks[0], None)
            for which, mask in enumerate(masks[1:], start=1):
                logits = torch.maximum(logits, self.logits(a, b, which, mask, None))
        if self.layer.sinks is not None:
            lse = torch.logaddexp(logits.logsumexp(-1), self._sinks())
            weights = torch.exp(logits - _finite(lse)[..., None])
        else:
            weights = torch.exp(logits - _finite(logits.amax(-1, keepdim=True)))
            # At least 1 where anything is seen.
            weights = weights / weights.sum(-1, keepdim=True).clamp(min=1)
        missing = self.keys - weights.shape[-1]
        weights = weights.flatten(1, 2)
        return torch.nn.functional.pad(weights, (0, missing)) if missing else weights

    def _joint(self, where: Pairs | None) -> Tensor:
        """Logits of a single query in all its views at once (batch, kv_heads, groups, 1, keys)."""
        assert self._queries is not None
        grouped = self._queries.unflatten(1, (self.kv_heads, -1)).flatten(2, 3)
        logits = (grouped @ self.placed[0][1].transpose(-1, -2)).float() * self.layer.scaling
        logits = logits.unflatten(2, (-1, len(self.views)))
        if self.layer.softcap is not None:
            logits = torch.tanh(logits / self.layer.softcap) * self.layer.softcap
        masks = torch.cat([self._grouped(mask).expand(-1, self.kv_heads, -1, -1, -1) for mask in self.masks(0, 1, where)], 3)
        return torch.where(masks, logits, -torch.inf).amax(3, keepdim=True)

    def read(self, v: Tensor, where: Pairs | None = None, lse: bool = False) -> tuple[Tensor, Tensor | None]:
        """Attention in blocks of queries, over the columns that any of a block's queries reads.

        Args:
            v: values (batch, kv_heads, keys, head_dim).
            where: pairs that are read, beside the causal rule; None for all.
            lse: whether the log-sum-exp is wanted, by which two attentions are merged.

        Returns:
            (batch, heads, queries, head_dim), and the log-sum-exp of the logits (batch, heads, queries) in float32.
        """
        if self.single and not lse:
            # Each key is read in one view at most: one softmax over all, instead of a part for each view.
            weights = self.weights(0, 1, where).to(v.dtype).unflatten(1, (self.kv_heads, -1)).flatten(2, 3)
            return (weights @ v).flatten(1, 2)[:, :, None], None
        out = v.new_empty(self.batch, self.heads, self.queries, v.shape[-1])
        norms = v.new_empty(self.batch, self.heads, self.queries, dtype=torch.float) if lse else None
        narrow = where is not None or self.mapped or self.layer.window is not None
        fused = self.simple and not lse
        for a, b in self.blocks(1 if fused else self.heads, NARROW if narrow else 2**30):
            total: tuple[Tensor, Tensor] | None = None
            for which, mask in enumerate(self.masks(a, b, where)):
                columns = None
                if narrow:
                    kept = mask.flatten(0, -2).any(0).nonzero()[:, 0]
                    if not len(kept) and which:
                        continue
                    if len(kept) < 0.75 * mask.shape[-1]:
                        columns, mask = kept, mask[..., kept]
                values = v[:, :, : mask.shape[-1]] if columns is None else v[:, :, columns]
                if fused:
                    out[:, :, a:b] = self._fused(a, b, mask, columns, values)
                    continue
                one = self._part(a, b, which, mask, columns, values)
                total = one if total is None else merged(total, one)
            if total is None:
                continue
            result, norm = total
            if self.layer.sinks is not None:
                with_sink = torch.logaddexp(norm, self._sinks())
                result, norm = result * torch.exp(norm - with_sink)[..., None], with_sink
            out[:, :, a:b] = result.flatten(1, 2)
            if norms is not None:
                norms[:, :, a:b] = norm.flatten(1, 2)
        return out, norms

    def _part(self, a: int, b: int, which: int, mask: Tensor, columns: Tensor | None, values: Tensor) -> tuple[Tensor, Tensor]:
        """One view's attention (batch, kv_heads, groups, b - a, head_dim) and log-sum-exp, float32."""
        if values.device.type == "cpu" and self.layer.softcap is None:
            out, lse = part(*self._matrices(a, b, which, mask, columns), values, self.layer)
            return out.unflatten(2, (-1, b - a)), lse.unflatten(2, (-1, b - a))
        logits = self.logits(a, b, which, mask, columns)
        lse = logits.logsumexp(-1)
        weights = torch.exp(logits - _finite(lse)[..., None]).to(values.dtype)
        return (weights.flatten(2, 3) @ values).unflatten(2, (-1, b - a)).float(), lse

    def _fused(self, a: int, b: int, mask: Tensor, columns: Tensor | None, values: Tensor) -> Tensor:
        q, keys, mask = self._matrices(a, b, 0, mask, columns)
        out = scaled_dot_product_attention(q, keys, values, attn_mask=mask, scale=self.layer.scaling)
        return out.unflatten(2, (-1, b - a)).flatten(1, 2)

    def _matrices(self, a: int, b: int, which: int, mask: Tensor, columns: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries with those of one kv-head in one matrix, their keys, and the mask for them."""
        q, k = self.placed[which]
        keys = k[:, :, : mask.shape[-1]] if columns is None else k[:, :, columns]
        grouped = q[:, :, a:b].unflatten(1, (self.kv_heads, -1))
        mask = self._grouped(mask).expand(-1, -1, grouped.shape[2], -1, -1).flatten(2, 3)
        return grouped.flatten(2, 3), keys, mask

    def _grouped(self, mask: Tensor) -> Tensor:
        """A mask as (batch or 1, 1 or kv_heads, 1 or groups, queries, keys)."""
        if mask.shape[1] == self.heads and self.heads > 1:
            return mask.unflatten(1, (self.kv_heads, -1))
        return mask[:, :, None]

    def _sinks(self) -> Tensor:
        assert self.layer.sinks is not None
        return self.layer.sinks.float().view(1, self.kv_heads, -1, 1)


def part(q: Tensor, k: Tensor, mask: Tensor | None, v: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """Attention over some of the keys, to be merged with that over others; sinks are not in it.

    Args:
        q: (batch, kv_heads, queries, head_dim), those of the heads of one kv-head one after the other.
        k: (batch, kv_heads, keys, head_dim).
        mask: what is read (batch or 1, 1 or kv_heads, queries, keys); None for all.
        v: as `k`.
        layer: gives scaling and softcap.

    Returns:
        Output (batch, kv_heads, queries, head_dim) and log-sum-exp (batch, kv_heads, queries), float32; 0 and -inf where
        nothing is read.
    """
    if v.device.type == "cpu" and layer.softcap is None:
        bias = None if mask is None else torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, -torch.inf)
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q.contiguous(), k.contiguous(), v.contiguous(), attn_mask=bias, scale=layer.scaling
        )
        out, lse = out.float(), lse.float()
        if mask is not None:
            some = mask.any(-1).expand(lse.shape)
            out, lse = torch.where(some[..., None], out, 0.0), torch.where(some, lse, -torch.inf)
        return out, lse
    logits = (q @ k.transpose(-1, -2)).float() * layer.scaling
    if layer.softcap is not None:
        logits = torch.tanh(logits / layer.softcap) * layer.softcap
    if mask is not None:
        logits = torch.where(mask, logits, -torch.inf)
    lse = logits.logsumexp(-1)
    return (torch.exp(logits - _finite(lse)[..., None]).to(v.dtype) @ v).float(), lse


def _finite(lse: Tensor) -> Tensor:
    """Norms to subtract from logits: where nothing is read all are -inf, and -inf is not to be taken from itself."""
    return torch.where(lse == -torch.inf, 0.0, lse)


def merged(x: tuple[Tensor, Tensor], y: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Two attentions over different keys as one: outputs (..., head_dim) and log-sum-exps (...)."""
    lse = torch.logaddexp(x[1], y[1])
    norm = _finite(lse)
    return x[0] * torch.exp(x[1] - norm)[..., None] + y[0] * torch.exp(y[1] - norm)[..., None], lse


@dataclass
class Step:
    """A layer's part of one forward."""

    layer: Layer
    q_pos: Tensor
    """(batch, queries)."""
    valid: Tensor | None
    """(batch, queries), False for padding; None where there is none among the new tokens."""
    prefill: bool
    """Whether these tokens are a part of a prompt."""
    complete: bool
    """Whether the prompt is known to have ended with them; always so when not `prefill`."""
    store: Store | None = None
    """None where nothing is kept."""
    q: Tensor = field(init=False)
    """Queries as they came from the model (batch, heads, queries, head_dim); unrotated if `layer.raw`."""
    padded: bool = False
    """Whether there is padding among the keys."""
    _look: Look | None = None
    _weights: Tensor | None = None
    """Those of a single query, where attention was made by them."""
    pos: Tensor | None = None
    """`q_pos` as entries keep it (batch, 1, queries), int32, -1 for padding; the same for all layers of a forward."""
    hidden: Tensor | None = None
    """What the layer's attention reads of the new tokens (batch, queries, hidden), until the store has taken note of it."""

    def run(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention (batch, heads, queries, head_dim) over keys and values as the store gave them."""
        self.padded = self.valid is not None or (self.store is not None and self.store.padded)
        self.q, self._keys = q, (k, self.store.pos if self.store is not None else self._new_pos())
        kernel = self.layer.plan.kernel(self.prefill) if self.layer.rules else None
        if kernel is not None:
            return kernel.attend(self, q, k, v) if kernel.raw else kernel.attend(self, *self.look.placed[0], v)
        return self.dense(v)

    @property
    def look(self) -> Look:
        """These queries over all that is kept; made when it is first asked for."""
        if self._look is None:
            self._look = Look(self.layer, self.q, self.q_pos, self.valid, *self._keys, whole=self.whole)
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        self._look, self._weights = look, None

    @property
    def whole(self) -> bool:
        """Whether the newest query reads all that is kept."""
        window = self.layer.window
        gapped = self.store is not None and self.store.gapped
        return not self.padded and (window is None or (self._keys[0].shape[2] <= window and not gapped))

    def dense(self, v: Tensor) -> Tensor:
        """Attention to all that may be seen."""
        layer, q, k = self.layer, self.q, self._keys[0]
        if layer.plain and self.whole:
            queries = q.shape[2]
            if queries == 1 and layer.watched:
                # A policy wants the weights of every step: they are made once.
                self._weights = self.look.weights(0, 1)
                grouped = self._weights.to(v.dtype).unflatten(1, (k.shape[1], -1)).flatten(2, 3)
                return (grouped @ v).flatten(1, 2)[:, :, None]
            if queries == 1 or queries == k.shape[2]:
                # transformers' own call, so that what changes nothing gives the very same numbers.
                return sdpa_attention_forward(layer.module, q, k, v, None, scaling=layer.scaling)[0].transpose(1, 2)
        look = self.look
        if look.simple and not look.mapped and self.whole and (look.queries == 1 or look.queries == look.keys):
            q, k = look.placed[0]
            return sdpa_attention_forward(layer.module, q, k, v, None, scaling=layer.scaling)[0].transpose(1, 2)
        return look.read(v)[0]

    def read(self, v: Tensor, where: Pairs) -> Tensor:
        """Attention to the pairs of a rule."""
        return self.look.read(v, where)[0]

    def weights(self, a: int, b: int) -> Tensor:
        """Attention weights (batch, heads, b - a, keys) of queries a to b, float32."""
        return self.look.weights(a, b) if self._weights is None else self._weights

    def _new_pos(self) -> Tensor:
        pos = self.q_pos if self.valid is None else torch.where(self.valid, self.q_pos, -1)
        return pos[:, None]
