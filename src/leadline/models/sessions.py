"""Prompts that are read in several goes: the turns of a conversation, or a shared context before its questions.

What a cache keeps may depend on where a prompt ended: a method that evicts does so there, by what was asked there. So a
request names the ends of the prompts before it, each is read as a prompt of its own, and the next goes on from what is
left; the answer does not depend on what was asked before or is asked beside it. What several requests begin with is read
once and kept. Knows nothing of methods, tasks and scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import Cache

from leadline.models.batches import Row
from leadline.models.decode import Loop
from leadline.models.seams.store import copied


@dataclass(frozen=True)
class Goes:
    """A row with the places where the prompts before it ended, and its own end [tokens]."""

    row: Row
    ends: tuple[int, ...]
    kept: int
    """The end after which later requests go on [tokens]; 0 for none."""


def goes(row: Row, ends: Callable[[str], np.ndarray]) -> Goes:
    """Find the ends of a row's prompts among its tokens.

    Args:
        row: the row.
        ends: of a text, where each of its tokens ends [characters].
    """
    request, there = row.request, ends(row.request.text)

    def place(chars: int) -> int:
        # A token that stands across the end belongs to what follows.
        beyond = np.flatnonzero(there > chars)
        return int(beyond[0]) if len(beyond) else len(row.ids)

    found = dict.fromkeys(end for chars in request.turns if 0 < (end := place(chars)) < len(row.ids))
    return Goes(row, (*found, len(row.ids)), place(request.shared_chars))


@dataclass
class Sessions:
    """What was read last, as it was left at the end of a prompt that others go on from."""

    ends: tuple[int, ...] = ()
    ids: list[int] = field(default_factory=list)
    cache: Cache | None = None

    def forget(self) -> None:
        """Drop it."""
        self.ends, self.ids, self.cache = (), [], None

    def begun(self, one: Goes) -> int:
        """How many of a row's prompts have been read already."""
        n = len(self.ends)
        same = self.cache is not None and n < len(one.ends) and one.ends[:n] == self.ends
        return n if same and one.row.ids[: self.ends[-1]] == self.ids else 0

    def read(self, one: Goes, loop: Loop, make: Callable[[], Cache], share: bool) -> tuple[torch.Tensor, Cache, int]:
        """Read a row's prompts one after the other.

        Args:
            one: the row.
            loop: feeds the model.
            make: makes an empty cache.
            share: whether what was read before may be gone on from, and what is read be kept.

        Returns:
            Logits (1, vocabulary) of the last token, the cache, and how many tokens were there already.
        """
        ids = torch.tensor([one.row.ids], device=loop.module.device)
        start = self.begun(one) if share else 0
        cached = self.ends[start - 1] if start else 0
        cache = copied(self.cache) if start and self.cache is not None else make()
        logits = None
        for i, end in enumerate(one.ends[start:], start + 1):
            logits = loop.prefill(ids[:, :end], [0], cache)
            if share and end == one.kept:
                self.ends, self.ids, self.cache = one.ends[:i], one.row.ids[:end], copied(cache)
        assert logits is not None
        return logits, cache, cached


def order(rows: Sequence[Goes]) -> list[Goes]:
    """So that what is kept is gone on from at once: a conversation's turns in a row, questions over one context together."""
    return sorted(rows, key=lambda one: (one.row.ids, one.ends))
