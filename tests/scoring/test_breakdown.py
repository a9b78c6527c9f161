"""Breakdown length and the search for it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leadline.nouns import UserError
from leadline.scoring.breakdown import breakdown
from leadline.scoring.search import Search

GRID = [1024 << i for i in range(9)]


def means(tau: float, n: float = 200, top: float = 0.95, low: float = 0.2) -> dict[int, tuple[float, float]]:
    """A steep fall: half way down a third of an octave after tau."""
    return {x: (low + (top - low) / (1 + math.exp(5 * (math.log2(x / tau) - 0.33))), n) for x in GRID}


def test_finds_it_between_the_lengths() -> None:
    got = breakdown(means(12_000), [1024])
    assert got.tokens is not None and got.low is not None and got.high is not None
    assert got.low <= 12_000 <= got.high and got.high / got.low < 2 and not got.censored
    assert set(got.to_json()) == {"tokens", "low", "high", "censored"}


def test_more_samples_narrow_it() -> None:
    few, many = breakdown(means(12_000, 20), [1024]), breakdown(means(12_000, 2000), [1024])
    assert few.high / few.low > many.high / many.low  # type: ignore[operator]


def test_not_reached() -> None:
    got = breakdown({x: (0.95, 100) for x in GRID}, [1024])
    assert got.censored and got.tokens == GRID[-1] and got.high is None and "not reached" in got.note


def test_already_below() -> None:
    got = breakdown({x: (0.95 if x == 1024 else 0.1, 100) for x in GRID}, [1024])
    assert got.censored and got.tokens == 2048 and got.low is None and "already below" in got.note


def test_no_number() -> None:
    assert breakdown({1024: (0.02, 50), 2048: (0.02, 50)}, [1024]).tokens is None
    assert breakdown({1024: (0.52, 50), 2048: (0.5, 50)}, [1024], chance=0.5).tokens is None
    assert breakdown({1024: (0.9, 50)}, [1024]).tokens is None


def test_chance_counts_as_nothing() -> None:
    """With a guessing level of a half, 0.85 of what lies above it is 0.9 x ..., not 0.8."""
    curve = {x: (0.5 + 0.5 * m, n) for x, (m, n) in means(12_000, 500, top=0.98, low=0.0).items()}
    got = breakdown(curve, [1024], chance=0.5)
    assert got.low is not None and got.high is not None and got.low <= 12_300 and got.high >= 11_700


def run(tau: float, seed: int = 0, **settings: float) -> tuple[Search, np.random.Generator]:
    rng = np.random.default_rng(seed)
    search = Search([1024], 2048, 1 << 18, seed=seed, **settings)  # type: ignore[arg-type]
    while (ask := search.next()) is not None:
        length, n = ask
        search.add(length, (rng.random(n) < (0.95 if length < tau else 0.3)).astype(float).tolist())
    return search, rng


def test_search_finds_and_saves() -> None:
    search, _ = run(12_000)
    got = search.estimate()
    assert got.low is not None and got.high is not None and got.tokens is not None
    assert got.low / 1.2 <= 12_000 <= got.high * 1.2 and got.high / got.low <= 2.0
    assert search.tokens < sum(GRID) * 10 / 10
    assert run(12_000)[0].asked == search.asked


def test_search_stops_outside() -> None:
    assert run(1e9)[0].estimate().censored
    below = run(1500)[0].estimate()
    assert below.censored and below.low is None


def test_search_asks_base_first_and_stops_in_any_case() -> None:
    search = Search([1024, 1536], 2048, 1 << 16, width=1.01, most=100)
    assert search.next() == (1024, 8)
    search.add(1024, [1.0] * 8)
    assert search.next() == (1536, 8)
    while (ask := search.next()) is not None:
        search.add(ask[0], [0.5] * ask[1])
    assert sum(search.asked.values()) <= 108


def test_bad_settings() -> None:
    with pytest.raises(UserError, match="base"):
        Search([4096], 2048, 8192)
    with pytest.raises(UserError, match="width"):
        Search([1024], 2048, 8192, width=1.0)
