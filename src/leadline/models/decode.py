"""The decode loop: one left-padded batch through a causal language model, token by token.

Prefill in chunks, logits of the last position only, stop tokens and stop strings, sampling per row. Knows
nothing of checkpoints, of how batches are made up, and of methods; any cache that transformers' forward
takes will do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from transformers import Cache, PreTrainedModel

from leadline.models.batches import Row
from leadline.nouns import UserError

Decode = Callable[[list[int]], str]


@dataclass
class Writer:
    """What one row has said so far, and whether it is done."""

    row: Row
    ends: frozenset[int]
    """Token ids that end an answer."""
    decode: Decode
    """Token ids to text, special tokens left out."""
    cached: int = 0
    """Prompt tokens read from a cache."""
    ids: list[int] = field(default_factory=list)
    taken: int = 0
    """Tokens made, the stop token included."""
    times: tuple[float, float] = (0.0, 0.0)
    """When the first token came and when the last [s, perf_counter]."""
    stop: str = ""
    text: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        """Prepare the row's own sampling."""
        request = self.row.request
        self.chance = torch.Generator().manual_seed(request.seed) if request.temperature > 0 else None
        # A token holds at least one byte, so a stop string lies within its length in bytes, and a few for luck
        # (bytes of a character cut in two, a space that a decoder drops at the start).
        self.tail = max((len(s.encode()) for s in request.stop), default=0) + 8

    def choose(self, logits: torch.Tensor, greedy: int) -> int:
        """The next token from logits (vocabulary), on the CPU and by the row's own generator if sampled."""
        if self.chance is None:
            return greedy
        odds = torch.softmax(logits.float().cpu() / self.row.request.temperature, -1)
        return int(torch.multinomial(odds, 1, generator=self.chance))

    def take(self, token: int, now: float) -> None:
        """Add a token; sets `stop` when the answer is done."""
        self.taken += 1
        self.times = (now if self.taken == 1 else self.times[0], now)
        if token in self.ends:
            self.stop = "stop"
        else:
            self.ids.append(token)
            if self.row.request.stop and self._stopped():
                self.stop = "stop"
                return
            if self.taken >= self.row.request.max_tokens:
                self.stop = "length"
        if self.stop:
            self.text = self.decode(self.ids)

    def _stopped(self) -> bool:
        tail = self.decode(self.ids[-self.tail :])
        if not any(s in tail for s in self.row.request.stop):
            return False
        text = self.decode(self.ids)
        found = [at for s in self.row.request.stop if (at := text.find(s)) >= 0]
        self.text = text[: min(found)] if found else ""
        return bool(found)


class Loop:
    """Feeds token ids to a model and lets writers take what comes out."""

    continues = True
    """Whether a prompt can go on from the cache of another."""

    def __init__(self, module: PreTrainedModel, chunk: int) -> None:
        """Args: module: a causal language model; chunk: tokens fed at once, all rows together."""
        self.module = module
        self.chunk = chunk
        self.fed = 0
        """Prompt tokens computed so far, padding included."""
        # BLOOM takes no positions; a few models have no way to leave logits out.
        self.takes = set(signature(module.forward).parameters)

    def prefill(self, ids: torch.Tensor, pads: Sequence[int], cache: Cache) -> torch.Tensor:
        """Feed what the cache does not hold yet.

        Args:
            ids: (batch, length), left-padded.
            pads: padding of each row [tokens].
            cache: filled in place; its logical length says where to begin.

        Returns:
            Logits (batch, vocabulary) of the last position.
        """
        batch, length = ids.shape
        start, step = cache.get_seq_length(), max(1, self.chunk // batch)
        logits = None
        for at in range(start, length, step):
            logits = self._forward(ids[:, at : at + step], at, pads, cache)
        self.fed += batch * (length - start)
        assert logits is not None
        return logits

    def decode(self, logits: torch.Tensor, length: int, pads: Sequence[int], cache: Cache, writers: Sequence[Writer]) -> None:
        """Let writers take tokens until all are done; `length` columns have been fed."""
        for writer, bad in zip(writers, torch.isnan(logits).any(-1).tolist(), strict=True):
            if bad:
                writer.stop, writer.error = "error", "the model's output is not a number (NaN): try dtype=float32"
        while True:
            best = logits.argmax(-1).tolist()
            tokens = [w.choose(logits[i], best[i]) if not w.stop else best[i] for i, w in enumerate(writers)]
            now = time.perf_counter()
            for writer, token in zip(writers, tokens, strict=True):
                if not writer.stop:
                    writer.take(token, now)
            if all(writer.stop for writer in writers):
                return
            logits = self._forward(torch.tensor(tokens, device=logits.device)[:, None], length, pads, cache)
            length += 1

    def _forward(self, ids: torch.Tensor, at: int, pads: Sequence[int], cache: Cache) -> torch.Tensor:
        """Feed columns at, at + 1, ... of a batch; returns logits (batch, vocabulary) of the last."""
        columns = torch.arange(at + ids.shape[1], device=ids.device)
        padding = torch.tensor(list(pads), device=ids.device)[:, None]
        inputs: dict[str, Any] = {"past_key_values": cache, "use_cache": True}
        # Without padding the mask is left out: fast attention kernels take none.
        if any(pads):
            inputs["attention_mask"] = (columns[None] >= padding).long()
        if "position_ids" in self.takes:
            inputs["position_ids"] = (columns[None, at:] - padding).clamp_(min=0)
        if "logits_to_keep" in self.takes:
            inputs["logits_to_keep"] = 1
        return self.module(input_ids=ids, **inputs).logits[:, -1]


def check(row: Row, vocabulary: int) -> None:
    """Raise UserError for a request that no model could answer."""
    request = row.request
    if request.max_tokens < 1:
        raise UserError(f"max_tokens must be at least 1, got {request.max_tokens}")
    if request.temperature < 0:
        raise UserError(f"temperature must be 0 (greedy) or more, got {request.temperature}")
    if "" in request.stop:
        raise UserError("a stop string is empty: leave it out")
    if not row.ids:
        raise UserError("a prompt has no tokens: give it some text")
    if max(row.ids) >= vocabulary:
        raise UserError(f"the tokenizer gives id {max(row.ids)}, the model knows {vocabulary} ids: they do not belong together")
