"""Means with intervals, paired differences and corrections, all of them aware of clusters.

Questions on one document share its luck, so clusters are the units that count. Plain numpy on arrays of scores
in [0, 1]; knows nothing about tasks, lengths or records.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

PRIOR_CLUSTERS = 4.0
"""How many clusters' worth of trust the assumed design effect gets before the data speak."""
PRIOR_ICC = 0.2
"""Share of the variance that lies between documents, assumed until the data speak."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; `n` is what it rests on [samples]."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Difference:
    """A paired mean difference with its interval, and how often chance alone would give as much."""

    value: float
    low: float
    high: float
    p: float
    n: int


@lru_cache(maxsize=4096)
def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t for any degrees of freedom >= 1 (normal beyond 1,000).

    With t = sqrt(df) tan(a) the density is proportional to cos(a)**(df - 1), which is integrated numerically.
    """
    if df > 1000:
        return NormalDist().inv_cdf(p)
    # Points lie dense at both ends, where the quantiles of few degrees of freedom are.
    angles = math.pi / 2 * np.sin(np.linspace(-math.pi / 2, math.pi / 2, 8001))
    density = np.cos(angles) ** (df - 1)
    steps = np.diff(angles) * (density[1:] + density[:-1]) / 2
    cdf = np.concatenate([[0.0], np.cumsum(steps)])
    return math.sqrt(df) * math.tan(float(np.interp(p, cdf / cdf[-1], angles)))


def codes(clusters: Sequence[Hashable] | np.ndarray | None, n: int) -> np.ndarray:
    """Cluster names as numbers 0..k-1 (int[n]); without names each sample is its own cluster."""
    if clusters is None:
        return np.arange(n)
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(c, len(numbers)) for c in clusters], dtype=int)


def mean_interval(
    scores: Sequence[float] | np.ndarray, clusters: Sequence[Hashable] | None = None, level: float = 0.95
) -> Interval:
    """Mean of scores in [0, 1] with an interval that holds near 0 and 1 too.

    Wilson's interval on the effective number of samples, with Student's t for the number of clusters. The
    effective number is n over the design effect: the cluster variance over that of n independent yes/no scores
    (below 1 for scores between 0 and 1, above 1 for clustered ones), pulled towards an assumption where the data
    hold little of it, so that 25 right of 25 is not called certain.

    Args:
        scores: float[n].
        clusters: names of the documents that samples share; None where each stands alone.
        level: confidence.
    """
    x = np.asarray(scores, dtype=float)
    n = len(x)
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    group = codes(clusters, n)
    k = int(group.max()) + 1
    mean = float(x.mean())
    deff = design_effect(x, group)
    df = max(k - 1, 1) if k < n else math.inf
    t = t_quantile(0.5 + level / 2, df)
    low, high = wilson(mean, n / deff, t)
    return Interval(mean, low, high, n)


def design_effect(x: np.ndarray, group: np.ndarray) -> float:
    """Variance of the mean over that of as many independent yes/no scores, steadied where the data say little."""
    n, k = len(x), int(group.max()) + 1
    binary = bool(np.all((x == 0) | (x == 1)))
    if k == n and binary:
        return 1.0
    sizes = np.bincount(group, minlength=k)
    # Expected design effect of clusters of these sizes; 1 where each stands alone.
    assumed = 1 + PRIOR_ICC * (float((sizes**2).sum()) / n - 1)
    p = (x.sum() + 1) / (n + 2)
    sums = np.bincount(group, weights=x - x.mean(), minlength=k)
    robust = k / max(k - 1, 1) * float((sums**2).sum()) / n
    # Information about the spread is what the data hold of it: none where all scores are equal.
    weight = k * min(1.0, 4 * x.mean() * (1 - x.mean()))
    deff = (weight * robust / (p * (1 - p)) + PRIOR_CLUSTERS * assumed) / (weight + PRIOR_CLUSTERS)
    return max(deff, 1.0) if binary else deff


def wilson(mean: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval for a share seen on `n` (effective, real-valued) samples."""
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    # At 0 and 1 the ends are exact; rounding must not move them.
    return (0.0 if mean <= 0 else max(0.0, centre - half)), (1.0 if mean >= 1 else min(1.0, centre + half))


def paired_difference(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> Difference:
    """Mean of a - b over the same samples.

    The interval is Student's t over cluster sums, never narrower than one differing sample would allow; the p-value is that of
    flipping the signs of whole clusters (every pattern where there are at most 12 clusters).

    Args:
        a: float[n], scores.
        b: float[n], scores of the same samples.
        clusters: names of shared documents, or None.
        level: confidence.
        draws: random patterns of signs, where there are too many to try all.
        seed: for those.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    assert x.shape == y.shape and x.ndim == 1
    n = len(x)
    if n == 0:
        return Difference(math.nan, -1.0, 1.0, 1.0, 0)
    group = codes(clusters, n)
    k = int(group.max()) + 1
    sums = np.bincount(group, weights=x - y, minlength=k)
    mean = float(sums.sum()) / n
    centred = sums - np.bincount(group, minlength=k) * mean
    # One more cluster that differs by one sample either way: equal scores on few samples are no certainty.
    var = k / max(k - 1, 1) * (float((centred**2).sum()) + 1.0) / n**2
    half = t_quantile(0.5 + level / 2, max(k - 1, 1)) * math.sqrt(var)
    return Difference(mean, max(-1.0, mean - half), min(1.0, mean + half), sign_flip(sums, draws, seed), n)


def sign_flip(sums: np.ndarray, draws: int = 4000, seed: int = 0) -> float:
    """Two-sided p-value of a total under random signs: how often it is at least as far from 0 (float[k] cluster sums)."""
    sums = sums[sums != 0]
    k = len(sums)
    if k == 0:
        return 1.0
    if k <= 12:
        signs = 1 - 2 * ((np.arange(2**k)[:, None] >> np.arange(k)) & 1)
        return float(np.mean(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12))
    signs = 1 - 2 * np.random.default_rng(seed).integers(0, 2, (draws, k))
    return float((1 + np.sum(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12)) / (draws + 1))


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979): valid under any dependence, never weaker than Bonferroni."""
    order = np.argsort(p, kind="stable")
    corrected, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * float(p[i])))
        corrected[int(i)] = worst
    return corrected


def samples_needed(width: float, p: float = 0.5, deff: float = 1.0, level: float = 0.95) -> int:
    """Fewest samples for which the interval of a mean near `p` is at most `width` wide.

    Args:
        width: high - low, in (0, 1).
        p: the expected mean; 0.5 needs the most.
        deff: design effect, above 1 where samples share documents.
        level: confidence.
    """
    assert 0 < width < 1 and 0 <= p <= 1 and deff > 0
    z = NormalDist().inv_cdf(0.5 + level / 2)

    def wide(n: int) -> bool:
        low, high = wilson(p, n / deff, z)
        return high - low > width

    low, high = 0, 1
    while wide(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return high
