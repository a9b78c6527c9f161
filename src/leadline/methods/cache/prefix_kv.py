"""PrefixKV: give each layer the size at which all layers keep the same share of attention."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Method, Policy, Step, Store, minus_inf, stable_top

id = "prefix-kv"


@dataclass(frozen=True, kw_only=True)
class PrefixKV(Method, Policy):
    """PrefixKV: give each layer the size at which all layers keep the same share of attention.

    Paper: Wang et al., NeurIPS 2025, arXiv:2412.03409, section 3; official code
      https://github.com/THU-MIG/PrefixKV@39b7265, MIT.
    Claims: at 20 % of the cache perplexity 3.69 against 3.20 in full and 48.3 with H2O (LLaVA-1.5-7B).
    Differs: sizes are found for each prompt (the code averages them over samples beforehand); the threshold is found
      by sorting, not by bisection, so that they sum to the budget exactly; protected tokens count in a layer's size
      (the code adds them, then rescales); a later turn selects again among what is left.
    Shapes: weights (batch, heads, queries, keys) -> scores (batch, 1, keys), one choice for all heads of a layer.
    Cost: a second pass over all weights and a sort of layers * keys once, one float per entry; phase: prefill and decode.
    """

    keep: float = 0.5
    """Share of all tokens kept, on average over layers, over 0 and up to 1; generated ones count too."""
    start: int = 1
    """First tokens of the text that are always kept; the last one of the prompt is too [tokens]."""
    distance: int = 25
    """While decoding, what is dropped lay this far before the end of the prompt's cache, or in its middle [tokens]."""

    when = "always"
    neutral = {"keep": 1.0}
    trial = {"keep": 0.3, "distance": 4}
    excepts = {3: "what one turn evicts a later one cannot read"}

    def __post_init__(self) -> None:
        self.require(keep=0 < self.keep <= 1, start=self.start >= 0, distance=self.distance >= 1)

    def observe(self, store: Store, step: Step) -> None:
        # All layers of a cache must have seen a prompt before any of them knows its size.
        store.ledger.shared.setdefault("prefix_kv", {})[store.layer.rank] = store
        if not step.prefill:
            return
        look = step.look
        sums = store.notes.get("prefix-kv", torch.zeros(look.batch, 1, store.length, device=look.k_pos.device))
        for a, b in look.blocks(look.heads):
            weights = step.weights(a, b)
            if step.valid is not None:
                weights = weights * step.valid[:, None, a:b, None]
            sums = sums + weights.mean(1).sum(1)[:, None]
        store.notes["prefix-kv"] = sums

    def settle(self, store: Store, decoding: bool) -> None:
        if decoding:
            return self._drop(store)
        stores: dict[int, Store] = store.ledger.shared["prefix_kv"]
        layers = [stores[rank] for rank in sorted(stores)]
        fed = {layer.seen for layer in layers}
        done = store.state.get("prefix-kv")
        if len(layers) < store.layer.governed or len(fed) > 1 or (done and done[0] == fed.pop()):
            return
        for layer in layers:
            # What a sliding layer can no longer see is no part of its size.
            layer.keep_newest(self._reach(layer))
        lengths = self._lengths(store)
        protected = [self._protected(layer) for layer in layers]
        sizes = [
            self.sizes(
                [layer.notes["prefix-kv"][row, 0][layer.valid[row, 0]] for layer in layers],
                [int(flags[row].sum()) for flags in protected],
                lengths[row],
            )
            for row in range(len(lengths))
        ]
        for layer, flags, kept in zip(layers, protected, zip(*sizes, strict=True), strict=True):
            if list(kept) != layer.rows:
                scores = minus_inf(layer.notes["prefix-kv"], layer.valid).masked_fill(flags, torch.inf)
                layer.keep(stable_top(scores, list(kept)))
            counts = torch.tensor([kept, lengths], device=layer.pos.device)
            layer.state["prefix-kv"] = [layer.seen, counts.T]

    def sizes(self, scores: list[Tensor], least: list[int], length: int) -> list[int]:
        """Entries that each layer keeps of a row.

        Args:
            scores: attention received by the entries of each layer (entries,).
            least: entries that each layer keeps anyway.
            length: tokens that `keep` is a share of.
        """
        total = min(sum(map(len, scores)), round(self.keep * length * len(scores)))
        costs, owner = [], []
        for place, (score, low) in enumerate(zip(scores, least, strict=True)):
            # A layer takes its entry o + 1 once the threshold passes the share that its highest o hold.
            share = score.double().sort(descending=True).values.cumsum(0) / score.double().sum()
            cost = torch.cat([share.new_zeros(1), share])[low : len(score)]
            costs.append(cost)
            owner.append(torch.full(cost.shape, place, device=cost.device))
        first = torch.cat(costs).sort(stable=True).indices[: max(0, total - sum(least))]
        more = torch.bincount(torch.cat(owner)[first], minlength=len(scores)).tolist()
        return [a + b for a, b in zip(least, more, strict=True)]

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return max(self.start + 1, min(tokens, math.ceil(self.keep * tokens * layers))) + generated

    def _lengths(self, store: Store) -> list[int]:
        """Tokens so far in each row, as far back as the layer reads."""
        return [min(last + 1, self._reach(store)) for last in store.pos.amax((1, 2)).tolist()]

    def _reach(self, store: Store) -> int:
        return store.window - 1 if store.window is not None else store.seen

    def _protected(self, store: Store) -> Tensor:
        last = torch.arange(store.length, device=store.pos.device) == store.length - 1
        return store.valid[:, :1] & ((store.pos[:, :1] < self.start) | last)

    def _drop(self, store: Store) -> None:
        """Drop an entry of each row that has more than its share of all tokens so far."""
        if "prefix-kv" not in store.state:
            # A prompt of one token is a step, and all that is held.
            return
        sizes, lengths = store.state["prefix-kv"][1].T.tolist()
        flags = store.valid[:, :1].clone()
        for row, (size, length, now) in enumerate(zip(sizes, lengths, self._lengths(store), strict=True)):
            # In whole numbers: the share that was kept of the prompt, of all tokens so far, rounded up.
            wanted = -(-size * now // length)
            if size < length and store.rows[row] > wanted:
                slot = size - self.distance if size > self.distance else size // 2
                flags[row, 0, store.length - store.rows[row] + slot] = False
        kept = flags.sum(-1)[:, 0].tolist()
        if kept != store.rows:
            store.keep(stable_top(flags.byte(), kept))


def check(lab: Any) -> Any:
    """Layers of their own sizes against equal ones of the same sum, by the same scores (H2O)."""
    scores = {
        keep: (
            lab.ask(f"prefix-kv(keep={keep})", length=512, n=48),
            lab.ask(f"h2o(budget={int(keep * 512)}, recent=1)", length=512, n=48),
        )
        for keep in (0.5, 0.25)
    }
    bytes_ = [lab.ask(s, length=512, n=3, timed=True).cache_bytes for s in ("", "prefix-kv(keep=0.25)")]
    told = "; ".join(f"keep {keep}: {a}, uniform {b}" for keep, (a, b) in scores.items())
    control = lab.ask("prefix-kv(keep=0.05)", length=512, n=48)
    return lab.finding(
        holds=all(a.score > b.score for a, b in scores.values()) and bytes_[1] < 0.35 * bytes_[0],
        figure=f"needle at 512: {told}; a quarter kept holds {bytes_[1] / bytes_[0]:.2f} of the bytes",
        control=f"keep .05: {control}",
        control_holds=control.score > scores[0.5][1].score,
    )
