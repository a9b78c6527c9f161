"""ActQKV: read the far blocks that a window's probe query, led by its unusual queries, is most like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, pad

from leadline.methods.base import Attention, Layer, Method, Positions, Step, Store, UserError, View

Moments = tuple[Tensor, Tensor, Tensor]
"""Mean and unbiased variance (heads * head_dim,) of so many queries (); none yet where that is 0."""


@dataclass(frozen=True, kw_only=True)
class ActQKV(Method, Positions, Attention):
    """ActQKV: read the far blocks that a window's probe query, led by its unusual queries, is most like.

    Paper: Xiao et al. 2025, arXiv:2502.13542, as a summary and its code's defaults tell; official code
      https://github.com/MrXiaoaa/ActQKV, no licence seen.
    Claims: the best on LongBench and InfiniteBench at 2k entries read (Llama 3 8B, Qwen2.5).
    Differs: nothing is moved off the device, so that it bounds what is read, not what is held; the question has no say,
      as none is known; the bias acts from the second window on (the code: after 1000); statistics are a layer's and a
      row's own and weigh windows by their length; tokens stand for their block per kv-head; those between the newest
      whole far block and the local window are read.
    Shapes: queries (batch, heads, window, head_dim) -> probe (heads * head_dim,) -> scores (blocks,).
    Cost: O(init + topk * block + local) pairs per token, a second pass over local weights, one float per entry;
      phase: prefill and decode.
    """

    init: int = 64
    """First tokens of the text that are always read [tokens]."""
    local: int = 512
    """Nearest tokens, read at their true distances; all others are read at this one [tokens]."""
    block: int = 32
    """Far tokens that are chosen together [tokens]."""
    topk: int = 46
    """Far blocks read for a window, on average over layers [blocks]."""
    least: int = 32
    """Fewest far blocks that a layer reads, where it has as many; over `topk` it overruns that [blocks]."""
    represent: int = 4
    """Tokens that stand for a block, those most attended to from nearby [tokens]."""
    window: int = 256
    """Queries of a prompt that choose together; while decoding each chooses alone [tokens]."""
    warmup: int = 100
    """Decoding steps after which layers share blocks by how spread their scores were in the last so many [tokens]."""

    phases = frozenset({"prefill", "decode"})
    neutral = {"local": 200}
    trial = {"init": 2, "local": 8, "block": 4, "topk": 2, "least": 1, "represent": 2, "window": 8, "warmup": 2}
    excepts = {
        3: "a window of queries that choose together does not reach over turns",
        4: "a window that chunks cut chooses in parts",
    }

    def __post_init__(self) -> None:
        self.require(init=self.init >= 0, local=self.local >= 1, block=self.block >= 1, topk=self.topk >= 1)
        self.require(least=self.least >= 0, represent=self.represent >= 1, window=self.window >= 1, warmup=self.warmup >= 1)

    def views(self, layer: Layer, q_pos: Tensor, k_pos: Tensor) -> list[View]:
        return [
            View(q_pos, k_pos, lambda i, j: i - j < self.local),
            View(torch.full_like(q_pos, self.local), torch.zeros_like(k_pos), lambda i, j: i - j >= self.local),
        ]

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        look, store = step.look, step.store
        if store is not None and store.ledger.recording:
            raise UserError(f"{self} learns from every query: leave out methods that guess tokens, which are then taken back")
        received = self._received(step)
        if store is not None:
            received = store.notes["act-qkv"] = received + store.notes.get("act-qkv", 0)
        blocks = max(0, int(look.k_pos.max()) - self.init) // self.block + 1
        far_q, far_k = look.placed[1]
        keys = self.block_keys(far_k.float(), look.k_pos, received, blocks)
        keys = keys.repeat_interleave(look.heads // look.kv_heads, 1).transpose(1, 2).flatten(2)
        queries = far_q.float().transpose(1, 2).flatten(2)
        size = self.window if step.prefill else 1
        valid = torch.ones_like(step.q_pos, dtype=torch.bool) if step.valid is None else step.valid
        place = step.q_pos // size
        lowest = place.masked_fill(~valid, torch.iinfo(place.dtype).max).amin(-1)
        place = (place - lowest[:, None]).clamp(min=0)
        # Which blocks each window reads; the last is of no block.
        chosen = torch.zeros(look.batch, int(place.max()) + 1, blocks + 1, dtype=torch.bool, device=q.device)
        spread = self._spread(step)
        density = torch.ones(look.batch, device=q.device)
        seen = self._moments(step, queries)
        for row in range(look.batch):
            for w in place[row][valid[row]].unique().tolist():
                mine = valid[row] & (place[row] == w)
                first = int(step.q_pos[row][mine].min())
                far = min(blocks, max(0, (first - self.local - self.init + 1) // self.block))
                chosen[row, w, far:blocks] = True
                probe = self.probe(queries[row, mine], seen[row])
                if step.prefill:
                    seen[row] = self.learnt(queries[row, mine], seen[row])
                if not far:
                    continue
                scores = cosine_similarity(keys[row, :far], probe[None], dim=-1)
                density[row] = self.density(scores)
                count = self.share(step.layer.rank, far, spread[row])
                chosen[row, w, scores.sort(descending=True, stable=True).indices[:count]] = True
        if store is not None:
            store.state["act-qkv"] = tuple(torch.stack(parts) for parts in zip(*seen, strict=True))
            if not step.prefill:
                old = store.state.get("act-qkv densities", density[:, None][:, :0])
                store.state["act-qkv densities"] = torch.cat([old, density[:, None]], 1)[:, -self.warmup :]

        def where(i: Tensor, j: Tensor) -> Tensor:
            windows = (i[:, 0, :, 0] // size - lowest[:, None]).clamp(0, chosen.shape[1] - 1)
            # [B, 1, queries, blocks + 1]
            mine = chosen[torch.arange(len(i), device=i.device)[:, None], windows][:, None]
            column = self._block(j, blocks).long()
            shape = (len(i), j.shape[1], i.shape[2], j.shape[3])
            far = mine.expand(-1, j.shape[1], -1, -1).gather(3, column.expand(shape))
            return far | (i - j < self.local) | (j < self.init)

        return step.read(v, where)

    def probe(self, queries: Tensor, before: Moments) -> Tensor:
        """The window's query (channels,): a mean of queries (tokens, channels), the unusual ones weighing more."""
        mean, variance, count = before
        if not count:
            return queries.mean(0)
        bias = ((queries - mean).square() / (variance + variance.mean() / 100).clamp(min=1e-12)).mean(-1)
        return (bias / bias.sum().clamp(min=1e-12)) @ queries if bias.sum() > 0 else queries.mean(0)

    def learnt(self, queries: Tensor, before: Moments) -> Moments:
        """Mean and variance after queries (tokens, channels) more."""
        old, variance, had = before
        # So that what is new always counts.
        had, count = had.clamp(max=1000 * self.window), len(queries)
        mean, square = queries.mean(0), (queries - queries.mean(0)).square().sum(0)
        square = square + variance * (had - 1).clamp(min=0) + (mean - old).square() * (had * count / (had + count))
        return (old * had + mean * count) / (had + count), square / (had + count - 1).clamp(min=1), had + count

    def density(self, scores: Tensor) -> float:
        """How spread scores (blocks,) are: 1 for equal ones, 0 for a single one that stands out."""
        z = scores.softmax(0)
        return float(-(z * z.clamp(min=1e-30).log()).sum()) / math.log(len(scores)) if len(scores) > 1 else 1.0

    def share(self, layer: int, blocks: int, spread: list[float]) -> int:
        """Blocks that a layer reads of `blocks`, when all layers share `topk` each by their spread."""
        left, count = float(self.topk * len(spread)), 0
        for place in range(layer + 1):
            part = left * spread[place] / max(sum(spread[place:]), 1e-12)
            count = max(min(self.least, blocks), min(round(part), 2 * self.topk, blocks))
            left = max(0.0, left - count)
        return count

    def block_keys(self, keys: Tensor, pos: Tensor, received: Tensor, blocks: int) -> Tensor:
        """Mean key (batch, kv_heads, blocks, head_dim) of those tokens of each block that stand for it.

        Args:
            keys: (batch, kv_heads, keys, head_dim).
            pos: (batch, 1 or kv_heads, keys).
            received: attention received from nearby (batch, kv_heads, keys).
            blocks: how many there are.
        """
        block = self._block(pos, blocks).long().expand_as(received).contiguous()
        order = received.sort(dim=-1, descending=True, stable=True).indices
        order = order.gather(2, block.gather(2, order).sort(dim=-1, stable=True).indices)
        ranked = block.gather(2, order)
        rank = torch.arange(ranked.shape[2], device=keys.device) - torch.searchsorted(ranked, ranked)
        stands = torch.zeros_like(received).scatter(2, order, (rank < self.represent).to(received.dtype))
        count = stands.new_zeros(*stands.shape[:2], blocks + 1).scatter_add(2, block, stands)
        total = keys.new_zeros(*stands.shape[:2], blocks + 1, keys.shape[3])
        total = total.scatter_add(2, block[..., None].expand_as(keys), keys * stands[..., None])
        return (total / count.clamp(min=1)[..., None])[:, :, :-1]

    def _block(self, pos: Tensor, blocks: int) -> Tensor:
        """Block of each position; `blocks` for those of none."""
        return torch.where(pos < self.init, blocks, (pos - self.init) // self.block)

    def _received(self, step: Step) -> Tensor:
        """Attention that entries receive from queries nearby, all heads of a kv-head together."""
        look = step.look
        q, k = look.placed[0]
        out = torch.zeros(look.batch, look.kv_heads, look.keys, device=q.device)
        for a, b in look.blocks(look.heads):
            near = look.masks(a, b)[0][:, :, None]
            logits = q[:, :, a:b].unflatten(1, (look.kv_heads, -1)) @ k[:, :, None, : near.shape[-1]].mT
            weights = (logits.float() * step.layer.scaling).masked_fill(~near, -torch.inf).softmax(-1).nan_to_num(0.0)
            if step.valid is not None:
                weights = weights * step.valid[:, None, None, a:b, None]
            out = out + pad(weights.sum((2, 3)), (0, look.keys - weights.shape[-1]))
        return out

    def _moments(self, step: Step, queries: Tensor) -> list[Moments]:
        """What is known of the queries (batch, queries, channels) before these, of each row."""
        none = torch.zeros_like(queries[:, 0])
        state = step.store.state.get("act-qkv") if step.store is not None else None
        return list(zip(*(state or (none, none, none[:, 0])), strict=True))

    def _spread(self, step: Step) -> list[list[float]]:
        """How spread the scores of each layer were lately, of each row; equal until that is known."""
        layers, rows = step.layer.governed, step.q_pos.shape[0]
        if step.store is None or step.prefill:
            return [[1.0] * layers] * rows
        shared = step.store.ledger.shared.setdefault("act_qkv", {"stores": {}})
        stores: dict[int, Store] = shared["stores"]
        stores[step.layer.rank] = step.store
        if step.layer.rank == 0 or "spread" not in shared:
            held = [stores[r].state.get("act-qkv densities") for r in sorted(stores)]
            known = len(held) == layers and all(x is not None and x.shape[1] >= self.warmup for x in held)
            means = torch.stack([x.mean(1) for x in held if x is not None], 1).tolist() if known else None
            shared["spread"] = means or [[1.0] * layers] * rows
        return shared["spread"]


def check(lab: Any) -> Any:
    """The needle at 4x from blocks that the probe finds; the offloaded cache of the paper is not in this file."""
    spec = "act-qkv(init=16, local=128, block=16, topk={}, least=1, window=32)"
    ours, plain, control = lab.ask(spec.format(16), length=2048), lab.ask(length=2048), lab.ask(spec.format(1), length=2048)
    return lab.finding(
        holds=None if ours.low > plain.high else False,
        figure=f"needle at 4x, 16 blocks of 16 read {ours}, plain {plain}; not shown: retrieval from an offloaded cache",
        control=f"one block {control}",
        control_holds=control.low > plain.high,
    )
