"""Breakdown length: where a model's score falls under a share of its base, with an interval.

A posterior over curves, on a grid: the score at length L is base x g(L) / (mean of g over the base lengths), where g
falls from 1 to a floor, as a logistic or an exponential decay, steep or slow. Each curve is named by its breakdown
length itself, so that its interval is read off directly, whatever the steepness and the floor. `search.py` asks it
where to measure next. Works on means of scores in [0, 1]; knows nothing about records, tasks or models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

SHARE = 0.85
"""Share of the base under which a model counts as broken down."""
STEP = 0.1
"""Grid of breakdown lengths [octaves]."""
WIDTHS = (0.03, 0.12, 0.3, 0.6, 1.2, 2.4, 4.8)
"""How slowly scores fall [octaves]."""
FLOORS = (0.0, 0.25, 0.5, 0.75)
"""What is left in the end [share of the base]."""
NEVER = 0.1
"""Prior probability that the score never falls."""
BASES = np.sin(np.linspace(0.0, math.pi / 2, 61)[1:]) ** 2 * 0.999
"""Grid of base scores, as fine everywhere as their standard error is."""


@dataclass(frozen=True)
class Breakdown:
    """A breakdown length [tokens] with its 95 % interval.

    Censored: `tokens` is only a bound, the longest length measured where the breakdown was not reached (`high` is
    None), or the shortest where scores were under the share already (`low` is None). `tokens` is None where there is no
    number at all, and `note` says why.
    """

    tokens: int | None
    low: int | None = None
    high: int | None = None
    censored: bool = False
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        out: dict[str, Any] = {"tokens": self.tokens, "low": self.low, "high": self.high, "censored": self.censored}
        return {**out, "note": self.note} if self.note else out


class Posterior:
    """What is known of a breakdown length after some measurements.

    Args:
        base_lengths: lengths whose mean score is the base [tokens].
        high: the longest length in question [tokens]; breakdown lengths reach an octave beyond, and "never".
        share: of the base.
        chance: what guessing scores; the curve falls to it, not to 0.
    """

    def __init__(self, base_lengths: Sequence[int], high: int, *, share: float = SHARE, chance: float = 0.0) -> None:
        self.base_lengths, self.high, self.share, self.chance = tuple(sorted(base_lengths)), high, share, chance
        self.taus, self.middles, self.base, allowed = _curves(self.base_lengths, high, share)
        prior = allowed / allowed.sum(1, keepdims=True).clip(1)
        prior[:-1] *= (1 - NEVER) / (len(self.taus) - 1)
        prior[-1] *= NEVER
        with np.errstate(divide="ignore"):
            # float32[taus, shapes, bases]
            self.log = np.repeat(np.log(prior, dtype=np.float32)[:, :, None], len(BASES), axis=2)
        self.lengths: set[int] = set()

    def add(self, length: int, mean: float, n: float) -> None:
        """Take in a mean score at a length, worth `n` independent yes/no samples (may be a fraction)."""
        if n <= 0:
            return
        self.lengths.add(length)
        right, wrong = _likelihoods(self.base_lengths, self.high, self.share, self.chance, length)
        if mean > 0:
            self.log += np.float32(n * mean) * right
        if mean < 1:
            self.log += np.float32(n * (1 - mean)) * wrong
        self.log -= self.log.max()
        self.__dict__.pop("weights", None)

    @cached_property
    def weights(self) -> np.ndarray:
        """Posterior probabilities, float[taus, shapes, bases]."""
        w = np.exp(self.log, dtype=float)
        return w / w.sum()

    def quantiles(self, *ps: float) -> list[float]:
        """Quantiles of log2 of the breakdown length; inf where they lie in "never"."""
        w = self.weights.sum((1, 2))
        # Each grid point stands for the step around it.
        cdf = np.concatenate([[0.0], np.cumsum(w[:-1])])
        edges = np.concatenate([self.taus[:-1] - STEP / 2, [self.taus[-2] + STEP / 2]])
        return [math.inf if p > cdf[-1] else float(np.interp(p, cdf, edges)) for p in ps]

    def information(self, lengths: Sequence[int]) -> np.ndarray:
        """Mutual information between one more yes/no sample at each length and the breakdown length, float[lengths] in nats."""
        w = self.weights
        by_tau = w.sum((1, 2)).clip(1e-300)
        base = w @ BASES
        out = []
        for length in lengths:
            p = self.chance + (1 - self.chance) * (base * _fall(math.log2(length), self.middles) / self.base).sum(1) / by_tau
            p = p.clip(0, 1)
            out.append(_entropy(p @ by_tau) - _entropy(p) @ by_tau)
        return np.array(out, dtype=float).clip(0)

    def estimate(self, level: float = 0.95) -> Breakdown:
        """The median with its interval, censored where it lies outside what was measured."""
        long = sorted(self.lengths - set(self.base_lengths))
        if not long or not self.lengths & set(self.base_lengths):
            return Breakdown(None, note="no scores at base lengths, or none at long ones")
        low, middle, high = self.quantiles(0.5 - level / 2, 0.5, 0.5 + level / 2)
        first, last = long[0], long[-1]
        top = None if high > math.log2(last) else round(2**high)
        if middle > math.log2(last):
            return Breakdown(last, min(round(2**low), last), None, True, f"not reached up to {last}")
        if middle < math.log2(first):
            return Breakdown(
                first, None, round(2 ** min(high, math.log2(last))), True, f"already below {self.share:g} of base at {first}"
            )
        note = "" if top else f"upper end beyond the longest length measured, {last}"
        return Breakdown(round(2**middle), round(2**low), top, False, note)


def _entropy(p: np.ndarray | float) -> np.ndarray:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -(p * np.log(p) + (1 - p) * np.log1p(-p))


def _fall(x: float | np.ndarray, middles: np.ndarray) -> np.ndarray:
    """G at log2 lengths x: float[..., shapes] for middles float[..., shapes]; shapes run over form, width, floor."""
    widths = np.tile(np.repeat(WIDTHS, len(FLOORS)), 2)
    floors = np.tile(FLOORS, 2 * len(WIDTHS))
    z = ((x - middles) / widths).clip(-40, 40)
    logistic = np.arange(len(widths)) < len(widths) // 2
    # Exponential decay in the length itself looks like this over log length: a late, ever steeper fall.
    h = np.where(logistic, 1 / (1 + np.exp(z)), np.exp(-np.exp(z.clip(None, 5))))
    return floors + (1 - floors) * h


@lru_cache(maxsize=64)
def _likelihoods(
    base_lengths: tuple[int, ...], high: int, share: float, chance: float, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Log probability of a right and of a wrong answer at a length, float32[taus, shapes, bases] each."""
    _, middles, base, _ = _curves(base_lengths, high, share)
    g = (_fall(math.log2(length), middles) / base).astype(np.float32)
    p = (chance + (1 - chance) * g[:, :, None] * BASES.astype(np.float32)).clip(1e-4, 1 - 1e-4)
    return np.log(p), np.log1p(-p)


@lru_cache(maxsize=16)
def _curves(base_lengths: tuple[int, ...], high: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Breakdown lengths (log2, the last is inf); the curves that break down there: their middles, means at base, whether any.

    A curve breaks down where it equals `share` of its own mean over the base lengths; the last such middle is taken.
    """
    start, stop = math.log2(max(base_lengths)), math.log2(high) + 1
    taus = np.append(np.arange(start + STEP / 2, max(stop, start + 1), STEP), math.inf)
    shapes = 2 * len(WIDTHS) * len(FLOORS)
    middles = np.full((len(taus), shapes), 1e6)
    allowed = np.zeros((len(taus), shapes))
    allowed[-1, 0] = 1.0
    offsets = np.linspace(-6, 14, 401)
    widths = np.tile(np.repeat(WIDTHS, len(FLOORS)), 2)
    for i, tau in enumerate(taus[:-1]):
        m = tau + offsets[:, None] * widths
        base = np.mean([_fall(math.log2(b), m) for b in base_lengths], axis=0)
        above = _fall(tau, m) - share * base
        last = len(offsets) - 1 - np.argmax((above <= 0)[::-1], axis=0)
        found = (above <= 0).any(0) & (last < len(offsets) - 1) & (np.tile(FLOORS, 2 * len(WIDTHS)) < share)
        # The crossing lies between this middle and the next.
        column, after = np.arange(shapes), np.minimum(last + 1, len(offsets) - 1)
        part = above[last, column] / np.where(found, above[last, column] - above[after, column], 1)
        middles[i] = np.where(found, m[last, column] + part * (m[after, column] - m[last, column]), 1e6)
        allowed[i] = found
    base = np.mean([_fall(math.log2(b), middles) for b in base_lengths], axis=0)
    for a in (taus, middles, base, allowed):
        a.setflags(write=False)
    return taus, middles, base, allowed


def breakdown(
    means: Mapping[int, tuple[float, float]], base_lengths: Sequence[int], *, share: float = SHARE, chance: float = 0.0
) -> Breakdown:
    """Breakdown length from means at several lengths.

    Args:
        means: by length [tokens]: the mean score and its effective number of samples (n over the design effect). Pairing
            over lengths is not used, which makes the interval a little wide where items are paired.
        base_lengths: which of the lengths are base.
        share: of the base, both taken above chance.
        chance: what guessing scores.
    """
    short = [means[length] for length in base_lengths if length in means]
    long = [length for length in means if length not in base_lengths]
    if not short or not long:
        return Breakdown(None, note="no scores at base lengths, or none at long ones")
    base = sum(m for m, _ in short) / len(short)
    error = math.sqrt(sum(max(m * (1 - m), 1 / (n + 2)) / n for m, n in short)) / len(short)
    if base - chance < max(0.05 * (1 - chance), 2 * error):
        return Breakdown(None, note=f"base too low: {base:.3f}, chance {chance:.2f}")
    posterior = Posterior(base_lengths, max(long), share=share, chance=chance)
    for length, (mean, n) in means.items():
        posterior.add(length, mean, n)
    return posterior.estimate()
