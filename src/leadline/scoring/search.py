"""Finds a breakdown length by measuring where it tells most for the tokens it costs.

A pure state machine: ask `next`, measure, `add`, until `next` gives None. Knows nothing about how samples are asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from leadline.nouns import UserError
from leadline.scoring.breakdown import SHARE, Breakdown, Posterior

SPACING = 0.25
"""Distance of the lengths that may be asked [octaves]."""


class Search:
    """Adaptive search for the breakdown length.

    Args:
        base_lengths: lengths whose mean score is the base [tokens].
        low: shortest long length that may be asked [tokens].
        high: longest [tokens].
        width: how narrow the 95 % interval must become: its upper end over its lower one.
        share: of the base.
        batch: samples asked at a time.
        seed: settles ties, so that a run can be repeated.
        chance: what guessing scores.
        most: samples after which it stops in any case.

    Raises:
        UserError: low, high or width make no sense together.
    """

    def __init__(
        self,
        base_lengths: Sequence[int],
        low: int,
        high: int,
        width: float = 2.0,
        share: float = SHARE,
        batch: int = 8,
        seed: int = 0,
        *,
        chance: float = 0.0,
        most: int = 5000,
    ) -> None:
        if not base_lengths or not max(base_lengths) < low < high:
            raise UserError(f"a search needs base lengths < low < high, got base {list(base_lengths)}, low {low}, high {high}")
        if not width > 1:
            raise UserError(f"a search's width is the interval's upper end over its lower one, above 1; got {width}")
        self.width, self.batch, self.most = width, batch, most
        self.posterior = Posterior(base_lengths, high, share=share, chance=chance)
        steps = round(math.log2(high / low) / SPACING)
        long = {round(low * (high / low) ** (i / max(steps, 1))) for i in range(steps + 1)}
        self.lengths = [*sorted(base_lengths), *sorted(long)]
        self.asked: dict[int, int] = {}
        """Samples by length, so far."""
        self._rng = np.random.default_rng(seed)

    @property
    def tokens(self) -> int:
        """What was spent so far [tokens]."""
        return sum(length * n for length, n in self.asked.items())

    @property
    def done(self) -> bool:
        """Whether the interval is narrow enough, or surely outside what may be asked, or the samples are spent."""
        if not all(b in self.asked for b in self.posterior.base_lengths) or len(self.asked) == len(self.posterior.base_lengths):
            return False
        low, high = self.posterior.quantiles(0.025, 0.975)
        inside = high - low <= math.log2(self.width) and high <= math.log2(self.lengths[-1])
        outside = low >= math.log2(self.lengths[-1]) or high <= math.log2(self.lengths[len(self.posterior.base_lengths)])
        return inside or outside or sum(self.asked.values()) >= self.most

    def next(self) -> tuple[int, int] | None:
        """The length to ask next and how many samples there; None when there is nothing more to ask."""
        for length in self.posterior.base_lengths:
            if length not in self.asked:
                return length, self.batch
        if self.done:
            return None
        worth = self.posterior.information(self.lengths) / np.array(self.lengths)
        best = np.flatnonzero(worth >= worth.max() * (1 - 1e-9))
        return self.lengths[int(self._rng.choice(best))], self.batch

    def add(self, length: int, scores: Sequence[float], effective: float | None = None) -> None:
        """Take in scores in [0, 1]; where they share documents, `effective` is how many independent ones they are worth."""
        if len(scores):
            self.posterior.add(length, float(np.mean(scores)), len(scores) if effective is None else effective)
        self.asked[length] = self.asked.get(length, 0) + len(scores)

    def estimate(self) -> Breakdown:
        """The breakdown length as known so far."""
        return self.posterior.estimate()
