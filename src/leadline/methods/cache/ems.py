"""EMS: evict what is irrelevant, then merge what is middling into what is important, by global and local attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from leadline.methods.base import Step, Store, group_mean, minus_inf
from leadline.methods.cache._window import Observing


@dataclass(frozen=True, kw_only=True)
class Ems(Observing):
    """EMS: evict what is irrelevant, then merge what is middling into what is important, by global and local attention.

    Paper: Li, Li, Meng, Ma, Geng, Xia, Wang 2024, arXiv:2412.08521, re-derived from abstracts and public reviews; no
      official code found.
    Claims: 95 % of needles in under 2 % of the cache; 1.28 points over the best baseline on LongBench at 256 entries.
    Differs: formulas, threshold, window and number of candidates were not seen, the greater of the two aligned scores
      is a guess; similarities below 0 count as 0; acts once after a prompt, not again while decoding; no kernel, so
      global scores are a second pass; a later turn selects again among what is left.
    Shapes: weights (batch, heads, queries, keys) -> scores (batch, kv_heads, keys - window) -> classes of candidates.
    Cost: O(keys^2) in blocks for global scores, O(merge * budget^2 * head_dim) once, one float per entry; phase: prefill.
    """

    budget: int = 256
    """Entries kept per kv-head after the prompt, the window included; generated ones are added [tokens]."""
    merge: float = 1.0
    """Tokens that may be merged, as a multiple of those they are merged into (0 or more)."""
    threshold: float = 0.6
    """Least similarity of what is merged, the product of the cosines of keys and values (over 1 merges nothing)."""
    kernel: int = 1

    neutral = {"budget": 200, "window": 4}
    trial = {"budget": 12, "window": 4, "threshold": 0.1}
    excepts = {3: "the second question was not in the window when the first prompt was cut; what it needs may be gone"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(budget=self.budget > self.window, merge=self.merge >= 0)

    def observe(self, store: Store, step: Step) -> None:
        super().observe(store, step)
        if not step.prefill:
            return
        look = step.look
        sums = store.notes.get("ems", torch.zeros(look.batch, look.kv_heads, store.length, device=look.k_pos.device))
        for a, b in look.blocks(look.heads):
            weights = step.weights(a, b)
            if step.valid is not None:
                weights = weights * step.valid[:, None, a:b, None]
            sums = sums + group_mean(weights.sum(2), look.kv_heads)
        store.notes["ems"] = sums

    def settle(self, store: Store, decoding: bool) -> None:
        local, count = self.scores(store)
        if store.length <= self.budget:
            return
        scores = minus_inf(self.aligned(store.notes["ems"][..., :-count], local), local > -torch.inf)
        centres = self.budget - count
        order = scores.sort(dim=-1, descending=True, stable=True)
        index = order.indices[..., :centres].sort(dim=-1).values
        others = slice(centres, centres + int(self.merge * centres))
        candidates, real = order.indices[..., others], order.values[..., others] > -torch.inf
        merged = self.merged(*store.read(), scores, index, candidates, real)
        store.keep(self.newest(store, index, count))
        for held, new in zip(store.read(), merged, strict=True):
            # Rows may have lost columns that only held padding.
            own = held[:, :, : held.shape[2] - count]
            own.copy_(new[:, :, new.shape[2] - own.shape[2] :])

    def aligned(self, everywhere: Tensor, local: Tensor) -> Tensor:
        """The greater of global scores and local ones (batch, kv_heads, keys) brought to the same mean."""
        real = local > -torch.inf
        own = local.masked_fill(~real, 0)
        mean = (everywhere * real).sum(-1, keepdim=True) / own.sum(-1, keepdim=True).clamp(min=torch.finfo(own.dtype).tiny)
        return torch.maximum(everywhere, own * mean)

    def merged(
        self, keys: Tensor, values: Tensor, scores: Tensor, index: Tensor, candidates: Tensor, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Keys and values (batch, kv_heads, centres, head_dim) after candidates were merged into them.

        Args:
            keys: all of them (batch, kv_heads, keys, head_dim).
            values: as keys.
            scores: (batch, kv_heads, keys - window).
            index: columns of the centres (batch, kv_heads, centres).
            candidates: columns of what may be merged (batch, kv_heads, candidates).
            real: which of these are no padding.
        """

        def at(x: Tensor, place: Tensor) -> Tensor:
            return x.gather(2, place[..., None].expand(*place.shape, x.shape[-1])).float()

        k, v, more_k, more_v = at(keys, index), at(values, index), at(keys, candidates), at(values, candidates)
        alike = [(normalize(a, dim=-1) @ normalize(b, dim=-1).mT).clamp(min=0) for a, b in ((more_k, k), (more_v, v))]
        # The last class is zero: what is like no centre goes there, and is lost with it.
        zero = torch.full_like(more_k[..., :1], self.threshold)
        target = torch.cat([alike[0] * alike[1], zero], -1).argmax(-1)[..., None]
        target = torch.where(real[..., None], target, index.shape[-1])
        weight, more = (scores.gather(2, place).clamp(min=0)[..., None] for place in (index, candidates))

        def total(own: Tensor, new: Tensor) -> Tensor:
            classes = torch.cat([own, torch.zeros_like(own[:, :, :1])], 2)
            return classes.scatter_add(2, target.expand_as(new), new)[:, :, :-1]

        joined = total(torch.zeros_like(weight), torch.ones_like(more)) > 0
        length = k.norm(dim=-1, keepdim=True)
        direction = total(weight * normalize(k, dim=-1), more * normalize(more_k, dim=-1))
        mean = total(weight * v, more * more_v) / total(weight, more).clamp(min=torch.finfo(weight.dtype).tiny)
        k, v = torch.where(joined, length * normalize(direction, dim=-1), k), torch.where(joined, mean, v)
        return k.to(keys.dtype), v.to(values.dtype)

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return min(tokens, self.budget) + generated


def check(lab: Any) -> Any:
    """How much of retrieval is left at 2 % of the cache, and at which budget 95 % of it is."""
    reach, length = "self-extend(group=16, window=256)", 4096
    full = lab.ask(reach, length=length, n=16)
    scores = {b: lab.ask(f"{reach} + ems(budget={b}, window=24)", length=length, n=16) for b in (82, 164, 328)}
    control = lab.ask(f"{reach} + snapkv(budget=82, window=24)", length=length, n=16)
    blind = lab.ask(f"{reach} + ems(budget=25, window=24)", length=length, n=16)
    held = [b for b, seen in scores.items() if seen.score >= 0.95 * full.score]
    told = ", ".join(f"{b} ({b / length:.0%}) {seen}" for b, seen in scores.items())
    falls = f"95 % is kept from {min(held)} entries on" if held else "95 % is not kept at any of these"
    return lab.finding(
        # The catalogue asks for 95 % at 2 %, or to say where it falls.
        holds=bool(held),
        figure=f"needle at 4,096 under Self-Extend, full cache {full}; entries kept: {told}: {falls}; SnapKV with 82 {control}",
        control=f"one entry beside the window: {blind}",
        control_holds=blind.score >= 0.95 * full.score,
    )
