"""Decoding with guesses: several tokens checked in one forward, in our own loop and under transformers' `generate`.

Every token is chosen by the model's own logits given what was accepted before it, greedily or by the same draw as
without guesses; a guess only decides how many can be chosen at once. Knows nothing of how guesses are made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

from leadline.models.decode import Loop, Writer
from leadline.models.seams.hold import Hold
from leadline.models.seams.store import Store, end_prompt, ledger_of
from leadline.nouns import UserError


class Taker(Protocol):
    """One row: chooses tokens and knows when it is done (`decode.Writer` is one)."""

    stop: str

    def choose(self, logits: Tensor, greedy: int) -> int:
        """The next token from logits (vocabulary,)."""
        ...

    def take(self, token: int, now: float) -> None:
        """Add a token."""
        ...


def speculate(
    model: PreTrainedModel,
    cache: Cache,
    logits: Tensor,
    texts: list[list[int]],
    takers: Sequence[Taker],
    rooms: Sequence[Callable[[], int]],
    draft: Callable[[np.ndarray, int], list[int]],
) -> None:
    """Let takers take tokens until all are done.

    Args:
        model: held by methods, a cache of theirs filled with the prompts.
        cache: that cache.
        logits: (batch, vocabulary) of the prompts' last tokens.
        texts: token ids of each row so far; what is taken is appended.
        takers: one for each row.
        rooms: how many tokens each row may still take.
        draft: guesses what follows token ids, at most so many.
    """
    ledger = ledger_of(cache)
    assert ledger is not None
    stores = [layer for layer in cache.layers if isinstance(layer, Store)]
    end_prompt(cache)
    pending: list[list[int]] = [[] for _ in texts]

    def take(row: int, scores: Tensor, best: int) -> int:
        token = takers[row].choose(scores, best)
        takers[row].take(token, time.perf_counter())
        texts[row].append(token)
        return token

    best = logits.argmax(-1).tolist()
    for row in range(len(texts)):
        if not takers[row].stop:
            pending[row] = [take(row, logits[row], best[row])]
    ledger.recording = True
    try:
        while not all(taker.stop for taker in takers):
            for row, taker in enumerate(takers):
                room = rooms[row]() - 1
                guess = draft(np.asarray(texts[row]), room) if not taker.stop and room > 0 else []
                pending[row] = [] if taker.stop else pending[row] + guess[:room]
            width = max(map(len, pending))
            ids = torch.tensor([[0] * (width - len(p)) + p for p in pending], device=logits.device)
            valid = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in pending], device=logits.device)
            # The first pending token is the last of the text, the others come after it.
            ends = torch.tensor([len(t) + len(p) - 2 for t, p in zip(texts, pending, strict=True)], device=logits.device)
            pos = (ends[:, None] - torch.arange(width - 1, -1, -1, device=logits.device)).clamp(min=0)
            out = model(
                input_ids=ids, attention_mask=valid.long(), position_ids=pos, past_key_values=cache, use_cache=True,
                logits_to_keep=width,
            ).logits  # fmt: skip
            best_of = out.argmax(-1).tolist()
            lost = []
            for row, fed in enumerate(pending):
                taken: list[int] = []
                for at in range(len(fed)):
                    if takers[row].stop:
                        break
                    column = width - len(fed) + at
                    taken.append(take(row, out[row, column], best_of[row][column]))
                    if at + 1 < len(fed) and taken[-1] != fed[at + 1]:
                        break
                # Each token taken accepts the one it was chosen after.
                lost.append(len(fed) - len(taken))
                pending[row] = taken[-1:]
            for store in stores:
                store.retract(lost)
    finally:
        ledger.recording = False


class Driven(Loop):
    """The decode loop of local models under methods that change what is fed or how tokens come out."""

    def __init__(self, hold: Hold, loop: Loop) -> None:
        """Args: hold: the methods on the model; loop: the plain one, which this one stands in for."""
        super().__init__(loop.module, loop.chunk)
        self.hold, self.fed = hold, loop.fed
        self.continues = hold.plan.context is None
        self._texts: list[list[int]] = []

    def prefill(self, ids: Tensor, pads: Sequence[int], cache: Cache) -> Tensor:
        """As `Loop.prefill`; the cache is told where the prompt ends, and the context method chooses what is fed."""
        self._texts = [row[pad:] for row, pad in zip(ids.tolist(), pads, strict=True)]
        ledger = ledger_of(cache)
        if ledger is None:
            return super().prefill(ids, pads, cache)
        columns = torch.arange(ids.shape[1], device=ids.device)
        valid = columns[None] >= torch.tensor(list(pads), device=ids.device)[:, None]
        if self.hold.plan.context is not None:
            if cache.get_seq_length():
                raise UserError(f"{self.hold.name} reads a whole prompt at once: it cannot go on from a kept cache")
            self.fed += ids.numel()
            ids, valid = self.hold.select(ids, valid, ledger)
            pads = (~valid).sum(-1).tolist()
        common = self.hold.share(ids, valid, cache) if self.hold.plan.shares and not cache.get_seq_length() else None
        if common is not None:
            ids, pads = common.ids, (~common.valid).sum(-1).tolist()
            self.fed += common.fed
        ledger.expect = ids.shape[1]
        # The loop counts positions from the start of what it feeds.
        shift, ledger.shift = ledger.shift, None if common is None else -common.taken
        try:
            return super().prefill(ids, pads, cache)
        finally:
            ledger.shift = shift

    def decode(self, logits: Tensor, length: int, pads: Sequence[int], cache: Cache, writers: Sequence[Writer]) -> None:
        """As `Loop.decode`, with guesses where the stack makes them."""
        drafter = self.hold.plan.drafter
        if drafter is None:
            return super().decode(logits, length, pads, cache, writers)
        for writer, bad in zip(writers, torch.isnan(logits).any(-1).tolist(), strict=True):
            if bad:
                writer.stop, writer.error = "error", "the model's output is not a number (NaN): try dtype=float32"
        rooms = [partial(_room, writer) for writer in writers]
        with torch.no_grad():
            speculate(self.module, cache, logits, self._texts, writers, rooms, drafter.draft)


def _room(writer: Writer) -> int:
    return writer.row.request.max_tokens - writer.taken


@dataclass
class _Row:
    """One row of transformers' `generate`."""

    ids: Tensor
    """Prompt, padding included, and what was taken (tokens,)."""
    processors: Any
    criteria: Any
    sample: bool
    streamer: Any
    stop: str = ""
    taken: list[int] = field(default_factory=list)

    def choose(self, logits: Tensor, greedy: int) -> int:
        scores = self.processors(self.ids[None], logits[None].float())
        if not self.sample:
            return int(scores.argmax(-1))
        return int(torch.multinomial(torch.softmax(scores, -1), 1))

    def take(self, token: int, now: float) -> None:
        new = torch.tensor([token], device=self.ids.device)
        self.ids = torch.cat([self.ids, new])
        self.taken.append(token)
        if self.streamer is not None:
            self.streamer.put(new.cpu())
        if bool(self.criteria(self.ids[None], None)):
            self.stop = "stop"


def generate_with(hold: Hold) -> Callable[..., Any]:
    """What stands in for a model's `generate` while guesses are made: its own, with our decoding handed to it."""
    model: Any = hold.model

    def generate(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("custom_generate") is not None or kwargs.get("assistant_model") is not None:
            raise UserError(f"{hold.name} decodes in its own way: leave custom_generate and assistant_model out")
        # transformers hands no streamer to a decoding of one's own.
        own = _decoding(hold, kwargs.get("streamer"))
        return type(model).generate(model, *args, custom_generate=own, **kwargs)

    return generate


def _decoding(hold: Hold, streamer: Any) -> Callable[..., Any]:
    drafter = hold.plan.drafter
    assert drafter is not None

    def decode(
        model: Any, input_ids: Tensor, logits_processor: Any, stopping_criteria: Any, generation_config: Any, **inputs: Any
    ) -> Any:
        wants = [n for n in ("output_scores", "output_logits", "output_attentions", "output_hidden_states")
                 if getattr(generation_config, n)]  # fmt: skip
        if wants or generation_config.num_beams > 1:
            what = ", ".join(wants) or f"num_beams={generation_config.num_beams}"
            raise UserError(f"{hold.name} cannot give {what}: it checks guesses, greedily or sampling, and returns tokens")
        cache, mask = inputs["past_key_values"], inputs.get("attention_mask")
        past, batch = cache.get_seq_length(), input_ids.shape[0]
        fresh = input_ids if mask is not None and mask.shape[1] > input_ids.shape[1] else input_ids[:, past:]
        feed = dict(input_ids=fresh, attention_mask=mask, past_key_values=cache, use_cache=True, logits_to_keep=1)
        if (positions := inputs.get("position_ids")) is not None:
            feed["position_ids"] = positions[:, -fresh.shape[1] :]
        if (ledger := ledger_of(cache)) is not None and hold.plan.context is None:
            ledger.expect = past + fresh.shape[1]
        logits = model(**feed).logits[:, -1]
        pads = [0] * batch if mask is None else (mask[:, -input_ids.shape[1] :] == 0).sum(-1).tolist()
        rows = [
            _Row(ids, logits_processor, stopping_criteria, bool(generation_config.do_sample), streamer) for ids in input_ids
        ]
        limit = generation_config.max_length
        speculate(
            model,
            cache,
            logits,
            [ids[pad:].tolist() for ids, pad in zip(input_ids, pads, strict=True)],
            rows,
            [lambda row=row: limit - len(row.ids) for row in rows],
            drafter.draft,
        )
        if streamer is not None:
            streamer.end()
        longest = max(len(row.ids) for row in rows)
        pad = generation_config._pad_token_tensor
        out = input_ids.new_full((batch, longest), 0 if pad is None else int(pad))
        for into, row in zip(out, rows, strict=True):
            into[: len(row.ids)] = row.ids
        if generation_config.return_dict_in_generate:
            from transformers.generation.utils import GenerateDecoderOnlyOutput

            return GenerateDecoderOnlyOutput(sequences=cast(Any, out), past_key_values=cache)
        return out

    return decode
