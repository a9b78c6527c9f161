"""Prompt lookup: guess that what followed the last words before follows them again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadline.methods.base import Drafter, Method


@dataclass(frozen=True, kw_only=True)
class PromptLookup(Method, Drafter):
    """Prompt lookup: guess that what followed the last words before follows them again.

    Paper: Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding (no paper); no licence stated.
    Claims: 2 to 4 times faster where answers repeat the prompt, never slower than greedy decoding.
    Differs: shorter guesses at the end of the text count too, as in transformers; batches; sampling draws the same
      tokens as without guesses.
    Shapes: ids (tokens,) -> guesses of at most `tokens`.
    Cost: O(tokens of the text) integer comparisons per forward, no memory; phase: decode.
    """

    ngram: int = 3
    """Longest run of last tokens that is looked for [tokens]."""
    tokens: int = 10
    """Most tokens that are guessed at once [tokens]."""

    neutral = {}
    trial = {"ngram": 2, "tokens": 4}

    def __post_init__(self) -> None:
        self.require(ngram=self.ngram >= 1, tokens=self.tokens >= 1)

    def draft(self, ids: np.ndarray, room: int) -> list[int]:
        most = min(self.tokens, room)
        for n in range(min(self.ngram, len(ids) - 1), 0, -1):
            # The run at the end has nothing after it.
            windows = np.lib.stride_tricks.sliding_window_view(ids[:-1], n)
            hits = np.flatnonzero((windows == ids[-n:]).all(1))
            if len(hits) and most > 0:
                return ids[hits[0] + n : hits[0] + n + most].tolist()
        return []
