"""SirLLM: keep the first tokens and those that surprised the model most, fading from round to round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Facts, Layer, Method, Policy, Positions, Step, Store, UserError, View, minus_inf, stable_top

id = "sir-llm"
BLOCK = 2**24
"""Most logits (batch * tokens * vocabulary) in memory at once."""


@dataclass(frozen=True, kw_only=True)
class SirLLM(Method, Positions, Policy):
    """SirLLM: keep the first tokens and those that surprised the model most, fading from round to round.

    Paper: Yao, Li, Zhao, ACL 2024, arXiv:2405.12528, section 3; official code
      https://github.com/Zoeyyao27/SirLLM@4c95578, no licence file.
    Claims: better than StreamingLLM with the same cache on three kinds of endless dialogue.
    Differs: a round is read with all that was held before it and cut after, once its prompt has ended (the code makes
      room for it before), and its answer is added, so that a round must fit the window; a round is a prompt; models
      that scale their logits are refused.
    Shapes: logits (batch, tokens, vocabulary) -> surprise (batch, 1, keys) [nats], one choice for all layers and heads.
    Cost: the output head on all tokens of a prompt, in blocks; O(keys) rotations at each step, one float per entry;
      phase: prefill and decode.
    """

    start: int = 4
    """First tokens of the text that are always kept [tokens]."""
    entropy: int = 1000
    """Tokens kept for their surprise [tokens]."""
    recent: int = 1000
    """Newest of the others that are kept [tokens]; 0 in the paper's own runs."""
    decay: float = 1.0
    """What surprise is multiplied by at each later round (0 to 1)."""

    when = "always"
    neutral = {"entropy": 200}
    trial = {"start": 2, "entropy": 6, "recent": 4, "decay": 0.7}
    excepts = {3: "what one turn evicts a later one cannot read"}

    def __post_init__(self) -> None:
        self.require(start=self.start >= 0, entropy=self.entropy >= 0, recent=self.recent >= 0)
        self.require(decay=0 <= self.decay <= 1, recent=self.start + self.entropy + self.recent >= 1)

    def accept(self, model: Facts) -> None:
        for name in ("logit_scale", "logits_scaling"):
            if getattr(model.config, name, 1) not in (None, 1):
                raise UserError(f"{self}: this model multiplies its logits ({name}), which is not known here: choose another")

    def views(self, layer: Layer, q_pos: Tensor, k_pos: Tensor) -> list[View]:
        # Where a token lies in the cache, whatever lay between.
        place = ((k_pos >= 0).cumsum(-1) - 1).clamp(min=0)
        return [View(place[:, 0, place.shape[-1] - q_pos.shape[1] :], place)]

    def observe(self, store: Store, step: Step) -> None:
        stores = store.ledger.shared.setdefault("sir_llm", {})
        stores[store.layer.rank] = store
        if store.layer.rank:
            return
        opens, hold = step.prefill and not store.pending, store.ledger.owner

        def see(decoder: Any, args: Any, kwargs: Any, output: Any) -> None:
            handle.remove()
            self._see(hold, list(stores.values()), step, opens, kwargs, output.last_hidden_state)

        # No seam shows logits: look once at what this very forward ends with.
        handle = hold.decoder.register_forward_hook(see, with_kwargs=True)  # pyright: ignore[reportAttributeAccessIssue]

    def _see(self, hold: Any, stores: list[Store], step: Step, opens: bool, kwargs: Any, hidden: Tensor) -> None:
        """Note the surprise of the tokens of a forward, and cut if a prompt ended with them."""
        ids, state, new = kwargs.get("input_ids"), stores[0].state, hidden.shape[1]
        if ids is None:
            raise UserError(f"{self} asks how likely tokens were: pass input_ids, not inputs_embeds")
        valid = torch.ones_like(ids, dtype=torch.bool) if step.valid is None else step.valid
        last, first, most = state.get("sir-llm") or (hidden[:, -1], step.q_pos[:, 0] * 0 - 1, hidden[:, 0, 0].float())
        surprise = self.surprise(hold, torch.cat([last[:, None], hidden[:, :-1]], 1), ids)
        if opens:
            first = torch.full_like(first, -1)
        # The first token of a round has the greatest surprise of the round.
        fresh = (first < 0) & valid.any(-1)
        start = step.q_pos.masked_fill(~valid, torch.iinfo(step.q_pos.dtype).max).amin(-1)
        first = torch.where(fresh, start, first)
        opening = step.q_pos == first[:, None]
        if step.prefill:
            high = surprise.masked_fill(~valid | opening, 0).amax(-1)
            most = torch.where(fresh, high, torch.maximum(most, high))
        state["sir-llm"] = last, first, most = hidden[:, -1].clone(), first, most
        for store in stores:
            place = store.pos - (step.q_pos[:, -1:, None] - new + 1)
            noted = surprise[:, None].expand(-1, place.shape[1], -1).gather(2, place.clamp(0, new - 1).long())
            old = store.notes.get("sir-llm", torch.zeros_like(noted)) * (self.decay if opens else 1)
            e = torch.where(place >= 0, noted, old)
            store.notes["sir-llm"] = torch.where(store.pos == first[:, None, None], most[:, None, None], e)
            store.state["sir-llm known"] = store.seen
            if step.prefill and step.complete:
                self.settle(store, decoding=False)

    def surprise(self, hold: Any, before: Tensor, ids: Tensor) -> Tensor:
        """Minus log likelihood of tokens (batch, tokens) [nats] by the last hidden states before each."""
        head, cap = hold.model.get_output_embeddings(), getattr(hold.config, "final_logit_softcapping", None)
        if head is None:
            raise UserError(f"{self} asks how likely tokens were: apply it to the whole model, with its output head")
        size, out = max(1, BLOCK // (len(ids) * head.weight.shape[0])), []
        for a in range(0, ids.shape[1], size):
            logits = head(before[:, a : a + size]).float()
            logits = torch.tanh(logits / cap) * cap if cap else logits
            out.append(-logits.log_softmax(-1).gather(2, ids[:, a : a + size, None])[..., 0])
        return torch.cat(out, 1)

    def settle(self, store: Store, decoding: bool) -> None:
        total = self.start + self.entropy + self.recent
        # Inside the forward that ends a prompt it is not known yet; the end of that forward comes here again.
        if decoding or store.length <= total or store.state.get("sir-llm known") != store.seen:
            return
        e = minus_inf(store.notes["sir-llm"], store.valid)
        chosen = torch.zeros_like(e).scatter(2, stable_top(e, min(self.entropy, store.length)), 1) > 0
        column = torch.arange(store.length, device=e.device, dtype=e.dtype).expand_as(e)
        order = column.masked_fill(chosen | (store.pos < self.start), torch.inf)
        store.keep(stable_top(minus_inf(order, store.valid), total))

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return min(tokens, self.start + self.entropy + self.recent) + generated


def check(lab: Any) -> Any:
    """A needle long past in a cache of fixed size; sink and window of the same size are the control."""
    spec = "sir-llm(start=4, entropy=120, recent=120)"
    ours = lab.ask(spec, length=512, n=48, depth=0.2)
    control = lab.ask("streaming-llm(start=4, recent=240)", length=512, n=48, depth=0.2)
    held = [lab.ask(spec, length=length, n=2, depth=0.2, timed=True).cache_bytes for length in (512, 2048)]
    return lab.finding(
        holds=ours.low > control.high and held[1] < 1.1 * held[0],
        figure=f"needle at depth .2 of 512 in 244 entries {ours}; "
        f"cache {held[0] / 1024:.0f} KiB at 512, {held[1] / 1024:.0f} at 2k",
        control=f"sink and window of 244 {control}",
        control_holds=control.score >= ours.score,
    )
