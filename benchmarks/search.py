"""What the adaptive search for a breakdown length saves against a full grid, on simulated models.

Models break down at 3k, 12k, 50k and 200k tokens within 1k to 1m, as a logistic, as a step, or as a straight line over
log length (which is none of the shapes that the estimate assumes). The grid asks the same number of samples at the
base length and every doubling; that number is the smallest with which half of its runs get an interval as narrow as the
search's. Both use the same estimate. Usage: python benchmarks/search.py [--seeds 100] [--width 2]
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from leadline.scoring.breakdown import SHARE, Posterior
from leadline.scoring.search import Search

BASE, LOW, HIGH = 1024, 2048, 1 << 20
GRID = [BASE << i for i in range(11)]
TRUTHS = (3_000, 12_000, 50_000, 200_000)
TOP = 0.95
"""The models' base score."""
MOST = 4096
"""Samples a length that the grid is tried with at most."""


def score(shape: str, truth: int, length: float) -> float:
    """The true score at a length; it is 0.85 of the one at the base length at `truth`, and 0.2 of it in the end."""
    x, tau = math.log2(length), math.log2(truth)
    if shape == "step":
        return TOP if x < tau else 0.2 * TOP
    if shape == "line":
        # From the base length on, or over the last octave and a half before the breakdown, whichever is shorter.
        start = max(tau - 1.5, math.log2(BASE))
        slope = (1 - SHARE) / (tau - start)
        return TOP * min(1.0, max(0.2, 1 - slope * (x - start)))

    def curve(at: float, middle: float) -> float:
        return 0.2 + 0.8 / (1 + math.exp(2.5 * (at - middle)))

    low, high = tau - 5, tau + 5
    for _ in range(60):
        middle = (low + high) / 2
        under = curve(tau, middle) < SHARE * curve(math.log2(BASE), middle)
        low, high = (middle, high) if under else (low, middle)
    return TOP * curve(x, high)


def draw(rng: np.random.Generator, shape: str, truth: int, length: int, n: int) -> np.ndarray:
    """N yes/no scores at a length."""
    return (rng.random(n) < score(shape, truth, length)).astype(float)


def searched(shape: str, truth: int, seed: int, width: float) -> tuple[int, bool, float, int]:
    """Tokens spent, whether the interval holds the truth, its log2 width, and the samples asked."""
    rng = np.random.default_rng([seed, truth, len(shape)])
    search = Search([BASE], LOW, HIGH, width, seed=seed)
    while (ask := search.next()) is not None:
        search.add(ask[0], draw(rng, shape, truth, *ask))
    low, high = search.posterior.quantiles(0.025, 0.975)
    return search.tokens, low <= math.log2(truth) <= high, high - low, sum(search.asked.values())


def gridded(shape: str, truth: int, seed: int, n: int) -> tuple[bool, float]:
    """Whether the grid's interval holds the truth, and its log2 width."""
    rng = np.random.default_rng([seed, truth, len(shape), n])
    posterior = Posterior([BASE], HIGH)
    for length in GRID:
        posterior.add(length, float(draw(rng, shape, truth, length, n).mean()), n)
    low, high = posterior.quantiles(0.025, 0.975)
    return low <= math.log2(truth) <= high, high - low


def size(shape: str, truth: int, seeds: int, width: float) -> tuple[int, float]:
    """Samples a length with which the median grid is as narrow as asked (MOST where none is), and its coverage."""
    n = 8
    while True:
        runs = [gridded(shape, truth, seed, n) for seed in range(min(seeds, 25))]
        if n >= MOST or np.median([w for _, w in runs]) <= math.log2(width):
            return min(n, MOST), float(np.mean([ok for ok, _ in runs]))
        n = math.ceil(n * 1.2)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--width", type=float, default=2.0, help="upper end of the interval over its lower one")
    args = parser.parse_args()
    print("| shape | breaks down at | grid: samples a length, tokens | search: median samples, tokens ", end="")
    print("| fewer tokens: median (worst) | truth held: search (grid) | median width |")
    print("|---|---|---|---|---|---|---|")
    ratios, held, started = [], [], time.perf_counter()
    for shape in ("logistic", "step", "line"):
        for truth in TRUTHS:
            n, grid_held = size(shape, truth, args.seeds, args.width)
            cost = n * sum(GRID)
            runs = [searched(shape, truth, seed, args.width) for seed in range(args.seeds)]
            ratio = [cost / r[0] for r in runs]
            ratios += ratio
            held += [r[1] for r in runs]
            tokens, _, wide, samples = np.median(np.array(runs, dtype=float), axis=0)
            told = 100 * np.mean([r[1] for r in runs])
            at_most = ">= " if n == MOST else ""
            print(f"| {shape} | {truth:,} | {at_most}{n}, {cost / 1e6:.0f}M | {samples:.0f}, {tokens / 1e6:.2f}M ", end="")
            print(f"| {np.median(ratio):.1f}x ({min(ratio):.1f}x) | {told:.0f} % ({100 * grid_held:.0f} %) ", end="")
            print(f"| {2**wide:.2f} |", flush=True)
    low = np.percentile(ratios, 10)
    print(f"\nAll: median {np.median(ratios):.1f}x, tenth percentile {low:.1f}x, worst {min(ratios):.1f}x; ", end="")
    print(f"truth held {100 * np.mean(held):.1f} % of {len(held)}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
