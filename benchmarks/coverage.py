"""How often LongScore's 95 % interval holds the truth, on simulated models whose LongScore is known.

Each model answers n items at three base lengths and five long ones. An answer is right where a latent difficulty
lies under the threshold of its length: difficulty = document + item + chance of the day, shares drawn for each
model, so that items are paired over lengths and (in clustered cells, five a document) alike within a document.
The thresholds make the population's score exactly what the model's curve says: base as given, then falling to
a share of it drawn from 0.1 to 1. Usage: python benchmarks/coverage.py [--models 1000] [--seed 0]
"""

from __future__ import annotations

import argparse
import math
from statistics import NormalDist

import numpy as np

from leadline.scoring.longscore import longscore, moments

BASE, LONG = [2048, 4096, 6144], [8192, 16384, 32768, 65536, 131072]
LENGTHS = BASE + LONG
PER_DOCUMENT = 5


def model(rng: np.random.Generator, base: float, least: float = 0.1) -> np.ndarray:
    """A falling curve of true scores, float[8]: base at the base lengths, a random share of it at the end."""
    end, middle, steep = rng.uniform(least, 1), rng.uniform(13, 17), rng.uniform(0.5, 3)
    fall = 1 / (1 + np.exp(-steep * (np.log2(LONG) - middle)))
    long = base * (1 - (1 - end) * fall / fall[-1])
    return np.concatenate([np.full(len(BASE), base), long])


def answers(rng: np.random.Generator, curve: np.ndarray, n: int, clustered: bool) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong for each item and length (float[n, 8]), and each item's document (int[n])."""
    document = rng.uniform(0.05, 0.35) if clustered else 0.0
    item = rng.uniform(0.2, 0.6)
    groups = np.arange(n) // PER_DOCUMENT if clustered else np.arange(n)
    shared = math.sqrt(document) * rng.normal(size=n)[groups] + math.sqrt(item) * rng.normal(size=n)
    latent = shared[:, None] + math.sqrt(1 - document - item) * rng.normal(size=(n, len(curve)))
    return (latent < np.array([NormalDist().inv_cdf(p) for p in curve])).astype(float), groups


def bootstrapped(rng: np.random.Generator, scores: np.ndarray, groups: np.ndarray, draws: int = 1000) -> np.ndarray:
    """The plain way: documents drawn again with all their lengths, percentiles of the ratio, float[2]."""
    size = np.bincount(groups)
    sums = np.stack([scores[groups == g].sum(0) for g in range(len(size))])
    pick = rng.integers(0, len(size), (draws, len(size)))
    means = sums[pick].sum(1) / size[pick].sum(1)[:, None]
    base, long = means[:, : len(BASE)].mean(1), means[:, len(BASE) :].mean(1)
    some = base > 0.05
    return np.percentile(100 * (long[some] / base[some] - 1), [2.5, 97.5])


def cell(n: int, base: float, clustered: bool, models: int, seed: int, least: float = 0.1) -> dict[str, float]:
    """Coverage, median width and the like of one cell; a base under the floor gives no number and is counted apart."""
    held, width, silent, below, above = 0, [], 0, 0, 0
    inside = inside_held = plain = 0
    for i in range(models):
        rng = np.random.default_rng([seed, n, round(100 * base), clustered, i])
        curve = model(rng, base, least)
        scores, groups = answers(rng, curve, n, clustered)
        truth = 100 * (curve[len(BASE) :].mean() / base - 1)
        low, high = bootstrapped(rng, scores, groups)
        plain += low <= truth <= high
        got, _ = longscore({"task": moments(scores, LENGTHS, BASE, groups)})
        if got.low is None or got.high is None:
            silent += 1
            continue
        ok = got.low <= truth <= got.high
        held += ok
        below += truth < got.low
        above += truth > got.high
        width.append(got.high - got.low)
        if curve.min() >= 0.2 and curve.max() <= 0.9:
            inside += 1
            inside_held += ok
    told = models - silent
    return {
        "coverage": held / told,
        "inside": inside_held / inside if inside else math.nan,
        "inside_n": inside,
        "below": below / told,
        "above": above / told,
        "width": float(np.median(width)),
        "silent": silent / models,
        "plain": plain / models,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=1000, help="simulated models a cell")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(
        "| n | base | items | coverage | where .2-.9 (models) | truth below / above | median width | no number | percentile bootstrap |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for n in (25, 100):
        for base in (0.3, 0.6, 0.99):
            for clustered in (False, True):
                r = cell(n, base, clustered, args.models, args.seed)
                inside = f"{100 * r['inside']:.1f} % ({r['inside_n']:.0f})" if r["inside_n"] else "-"
                print(
                    f"| {n} | {base} | {'clustered' if clustered else 'independent'} | {100 * r['coverage']:.1f} % | {inside} "
                    f"| {100 * r['below']:.1f} / {100 * r['above']:.1f} % | {r['width']:.1f} "
                    f"| {100 * r['silent']:.1f} % | {100 * r['plain']:.1f} % |"
                )


if __name__ == "__main__":
    main()
