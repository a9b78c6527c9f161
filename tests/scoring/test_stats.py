"""Intervals, paired differences, corrections."""

from __future__ import annotations

import numpy as np
import pytest

from leadline.scoring import stats


def test_t_quantiles_of_the_tables() -> None:
    for df, want in ((1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (30, 2.0423), (1e6, 1.95996)):
        assert stats.t_quantile(0.975, df) == pytest.approx(want, abs=2e-4)


def test_interval_never_degenerates() -> None:
    for scores in ([1.0] * 25, [0.0] * 25, [0.5] * 25):
        got = stats.mean_interval(scores)
        assert got.high - got.low > 0.05
        assert 0 <= got.low <= got.value <= got.high <= 1
    assert stats.mean_interval([1.0] * 25, ["one document"] * 25).low < 0.5
    assert stats.mean_interval([]).n == 0


def test_clusters_widen() -> None:
    x = np.repeat([1, 0, 1, 1, 0, 1, 0, 0, 1, 1], 10).astype(float)
    alone, together = stats.mean_interval(x), stats.mean_interval(x, np.repeat(np.arange(10), 10).tolist())
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_interval_covers() -> None:
    """94-98 % of 400 simulated means, near the edge too."""
    rng = np.random.default_rng(0)
    for p in (0.3, 0.9, 0.98):
        held = [(i := stats.mean_interval((rng.random(60) < p).astype(float))).low <= p <= i.high for _ in range(400)]
        assert np.mean(held) > 0.93


def test_paired() -> None:
    rng = np.random.default_rng(0)
    a = (rng.random(200) < 0.6).astype(float)
    b = np.where(rng.random(200) < 0.2, 0.0, a)
    got = stats.paired_difference(a, b)
    assert got.low > 0 and got.p < 0.001 and got.value == pytest.approx((a - b).mean())
    same = stats.paired_difference(a, a)
    assert same.value == 0 and same.p == 1 and same.low < 0 < same.high
    # Six clusters, all one way: two of 64 patterns of signs are as far out.
    assert stats.paired_difference([1.0] * 6, [0.0] * 6).p == pytest.approx(2 / 64)


def test_holm_and_samples() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([]) == []
    n = stats.samples_needed(0.1)
    low, high = stats.wilson(0.5, n, 1.96)
    assert 370 < n < 400 and high - low <= 0.1
    assert stats.samples_needed(0.1, 0.9) < n < stats.samples_needed(0.1, deff=2)
