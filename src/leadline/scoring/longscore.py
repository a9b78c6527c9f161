"""LongScore: how much of its short-length score a model keeps at long lengths, with an interval.

Paper: Yang et al. 2025, "100-LongBench", arXiv 2505.19293: Base = mean score at the base lengths,
LC_l = (S_l - Base) / Base, LongScore = the mean of LC_l over the long lengths, x 100. So 0 is nothing lost and
-100 all lost. Works on arrays and tables of scores; knows nothing about records, tasks or models.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from leadline.nouns import UserError
from leadline.scoring.stats import codes, t_quantile, wilson

id = "longscore"
FLOOR = 0.05
"""Lowest base (chance taken out) that a score is divided by; our choice, as is the second rule of two standard errors."""
NAMED = 5
"""Tasks that a note names; of more it says how many."""
EDGE_WEIGHT = 0.5
"""Clusters' worth of spread added where scores lie so near 0 or 1 that the data show none."""
EDGE_POWER = 3
"""How fast that fades towards the middle; both set by benchmarks/coverage.py."""


@dataclass(frozen=True)
class LongScore:
    """A LongScore [percent] with its 95 % interval; `value` is None where there is no number, and `note` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    base: float | None = None
    """Mean score at the base lengths, chance not taken out [0 to 1]."""
    raw: float | None = None
    """The value without chance correction, where there is a chance level [percent]."""
    ratios_first: LongScore | None = None
    """The other order of aggregation (order B), for a value that spans several tasks."""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; what is not there is left out, except value, low and high."""
        extra: dict[str, Any] = {k: v for k, v in (("base", self.base), ("raw", self.raw)) if v is not None}
        if self.ratios_first is not None:
            extra["ratios_first"] = self.ratios_first.to_json()
        return {"value": self.value, "low": self.low, "high": self.high, **extra, **({"note": self.note} if self.note else {})}


@dataclass(frozen=True)
class Moments:
    """What the interval needs to know of one task: means at base and long lengths, their covariance over clusters."""

    base: float
    long: float
    cov: tuple[float, float, float]
    """Variance of base, covariance, variance of long."""
    k: int
    """Clusters."""
    n: int
    """Items."""
    chance: float = 0.0
    raw_base: float = math.nan
    raw_long: float = math.nan
    missing: tuple[int, ...] = ()
    """Lengths without any score."""

    @property
    def too_low(self) -> bool:
        """Whether the base is too near nothing to divide by."""
        return not self.base >= max(FLOOR, 2 * math.sqrt(self.cov[0]))


def moments(
    scores: np.ndarray,
    lengths: Sequence[int],
    base_lengths: Sequence[int],
    clusters: Sequence[Hashable] | None = None,
    *,
    chance: float = 0.0,
) -> Moments | None:
    """Means and covariance of one task's scores.

    Args:
        scores: float[items, lengths] in [0, 1]; NaN where an item was not asked or does not count.
        lengths: the columns' lengths [tokens].
        base_lengths: which of them are base.
        clusters: one name an item; None where each stands alone.
        chance: what guessing scores; taken out of every score as (s - chance) / (1 - chance).

    Returns:
        None where there is no score at all at the base lengths or at the long ones.
    """
    scores = np.asarray(scores, dtype=float)
    seen = ~np.isnan(scores)
    counts = seen.sum(0)
    is_base = np.isin(np.asarray(lengths), np.asarray(base_lengths))
    missing = tuple(int(length) for length, count in zip(lengths, counts, strict=True) if count == 0)
    if not (counts[is_base] > 0).any() or not (counts[~is_base] > 0).any():
        return None
    group = codes(clusters, len(scores))
    # Items that no length asked are no clusters either.
    group = np.unique(group[seen.any(1)], return_inverse=True)[1]
    scores, seen = scores[seen.any(1)], seen[seen.any(1)]
    n, k = len(scores), int(group.max()) + 1
    fixed = (scores - chance) / (1 - chance)
    means = np.array([fixed[seen[:, j], j].mean() if counts[j] else np.nan for j in range(len(lengths))])
    # Each item's pull on the mean of means: its distance from a column's mean over that column's count.
    pull = np.where(seen, fixed - means, 0.0) / np.maximum(counts, 1)
    pull_base = pull[:, is_base & (counts > 0)].mean(1)
    pull_long = pull[:, ~is_base & (counts > 0)].mean(1)
    by = np.stack([np.bincount(group, weights=v, minlength=k) for v in (pull_base, pull_long)])
    cov = k / max(k - 1, 1) * (by @ by.T)
    base, long = float(np.nanmean(means[is_base])), float(np.nanmean(means[~is_base]))
    raw_base, raw_long = (v * (1 - chance) + chance for v in (base, long))
    # Near 0 and 1 the data show less spread than there is; at 1/2 they show all of it.
    edge = EDGE_WEIGHT * math.sqrt(n / k) / n**2 / (1 - chance) ** 2
    cov[0, 0] += edge * (1 - 4 * raw_base * (1 - raw_base)) ** EDGE_POWER
    cov[1, 1] += edge * (1 - 4 * raw_long * (1 - raw_long)) ** EDGE_POWER
    return Moments(base, long, (cov[0, 0], cov[0, 1], cov[1, 1]), k, n, chance, raw_base, raw_long, missing)


def interval(parts: Sequence[Moments], level: float = 0.95) -> tuple[float, float, float]:
    """The ratio of summed long means to summed base means, and Fieller's interval for it.

    Fieller (1954): the ratios R for which (L - R B)^2 <= t^2 Var(L - R B). It is right where the base is
    uncertain; `benchmarks/coverage.py` has it beside a percentile bootstrap, which is not. t has the degrees of freedom of the
    clusters (Satterthwaite's over several tasks). Where the base is so uncertain that the data give no upper end,
    the end is the highest long mean over the lowest base mean.

    Args:
        parts: one for each task; their means are added, which is order A.
        level: confidence.
    """
    base, long = sum(m.base for m in parts), sum(m.long for m in parts)
    ratio = long / base
    vbb, vbl, vll = (sum(m.cov[i] for m in parts) for i in range(3))
    spread = [m.cov[2] - 2 * ratio * m.cov[1] + ratio**2 * m.cov[0] for m in parts]
    df = sum(spread) ** 2 / sum(v**2 / max(m.k - 1, 1) for v, m in zip(spread, parts, strict=True)) if sum(spread) > 0 else 1.0
    t2 = t_quantile(0.5 + level / 2, round(max(df, 1.0), 1)) ** 2
    a, b, c = base**2 - t2 * vbb, long * base - t2 * vbl, long**2 - t2 * vll
    root = math.sqrt(max(b * b - a * c, 0.0))
    low, high = ((b - root) / a, (b + root) / a) if a > 0 else (-math.inf, math.inf)
    best, worst = _bounds(parts, math.sqrt(t2))
    lowest = 0.0 if all(m.chance == 0 for m in parts) else -math.inf
    low = max(low, lowest) if math.isfinite(low) else max(lowest, -best / worst)
    return ratio, min(low, ratio), max(min(high, best / worst), ratio)


def _bounds(parts: Sequence[Moments], t: float) -> tuple[float, float]:
    """Highest long sum and lowest base sum that the data allow, each by Wilson's rule on its effective samples."""
    best = worst = 0.0
    for m in parts:
        c = m.chance
        for mean, var, top in ((m.raw_long, m.cov[2], True), (m.raw_base, m.cov[0], False)):
            p = min(max(mean, 1 / (m.n + 2)), 1 - 1 / (m.n + 2))
            effective = p * (1 - p) / max(var * (1 - c) ** 2, 1e-12)
            ends = wilson(mean, max(min(effective, 10.0 * m.n), 1.0), t)
            if top:
                best += (ends[1] - c) / (1 - c)
            else:
                worst += max((ends[0] - c) / (1 - c), 0.1 * FLOOR)
    return best, worst


def longscore(parts: Mapping[str, Moments | None], level: float = 0.95) -> tuple[LongScore, dict[str, LongScore]]:
    """LongScore over several tasks (order A, with order B beside it) and of each task.

    Order A, the published one: tasks are averaged first, then one ratio is taken. Order B: each task's own ratio,
    then their mean; tasks whose base is too low are left out of B, and named.

    Args:
        parts: moments by task; None for a task that lacks base or long scores.
        level: confidence.
    """
    tasks = {name: _one(m, level) for name, m in parts.items()}
    usable = {name: m for name, m in parts.items() if m is not None}
    lost = [name for name, m in parts.items() if m is None]
    if not usable:
        return LongScore(None, note="no scores at base lengths, or none at long ones"), tasks
    total = _one(_sum(list(usable.values())), level, list(usable.values()))
    notes = [total.note] if total.note else []
    if lost:
        told = ", ".join(lost) if len(lost) <= NAMED else f"{len(lost)} tasks"
        notes.append(f"left out for want of base or long scores: {told}")
    if len(tasks) > 1:
        kept = {name: tasks[name] for name in usable if tasks[name].value is not None}
        total = replace(total, ratios_first=_mean_of_ratios(kept, [name for name in usable if name not in kept]))
    return replace(total, note="; ".join(notes)), tasks


def _sum(parts: list[Moments]) -> Moments:
    """Means over tasks as one task's moments, for the floor."""
    k = len(parts)
    mean = {f: sum(getattr(m, f) for m in parts) / k for f in ("base", "long", "raw_base", "raw_long", "chance")}
    cov = tuple(sum(m.cov[i] for m in parts) / k**2 for i in range(3))
    missing = tuple(sorted({length for m in parts for length in m.missing}))
    return Moments(cov=cov, k=sum(m.k for m in parts), n=sum(m.n for m in parts), missing=missing, **mean)  # type: ignore[arg-type]


def _one(m: Moments | None, level: float, parts: Sequence[Moments] = ()) -> LongScore:
    if m is None:
        return LongScore(None, note="no scores at base lengths, or none at long ones")
    notes = [f"no scores at {', '.join(map(str, m.missing))}"] if m.missing else []
    if m.too_low:
        least = max(FLOOR, 2 * math.sqrt(m.cov[0]))
        what = " after chance" if m.chance else ""
        notes.insert(0, f"base too low: {m.base:.3f}{what}, at least {least:.3f} is needed to divide by")
        return LongScore(None, base=m.raw_base, note="; ".join(notes))
    value, low, high = (100 * (r - 1) for r in interval(parts or [m], level))
    raw = 100 * (m.raw_long / m.raw_base - 1) if m.chance else None
    if any(part.k < 2 for part in parts or [m]):
        notes.append("no interval: all samples of a task share one document")
        return LongScore(value, None, None, m.raw_base, raw, note="; ".join(notes))
    return LongScore(value, low, high, m.raw_base, raw, note="; ".join(notes))


def _mean_of_ratios(tasks: Mapping[str, LongScore], without: Sequence[str]) -> LongScore:
    """Order B with the interval of a mean of independent tasks (MOVER: Zou & Donner 2008)."""
    note = f"base too low in {', '.join(without)}" if without else ""
    if not tasks:
        return LongScore(None, note=note)
    rows = np.array([[t.value, t.low, t.high] for t in tasks.values()], dtype=float)
    value = float(rows[:, 0].mean())
    if np.isnan(rows).any():
        return LongScore(value, note=note)
    down = math.sqrt(float(((rows[:, 0] - rows[:, 1]) ** 2).sum())) / len(rows)
    up = math.sqrt(float(((rows[:, 2] - rows[:, 0]) ** 2).sum())) / len(rows)
    return LongScore(value, value - down, value + up, note=note)


def relative(base: float, score: float) -> float:
    """LC_l: the change at one length relative to the base [percent]."""
    return 100 * (score - base) / base


@dataclass(frozen=True)
class TableScore:
    """What a table of means gives for one model: no samples, so no intervals."""

    value: float | None
    """Order A over all tasks [percent]."""
    ratios_first: float | None
    """Order B [percent]."""
    lengths: dict[int, float]
    """LC_l of order A at each long length [percent]."""
    tasks: dict[str, float | None] = field(default_factory=dict)
    task_lengths: dict[str, dict[int, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "value": self.value,
            "ratios_first": self.ratios_first,
            "lengths": {str(k): v for k, v in self.lengths.items()},
            "tasks": self.tasks,
            "task_lengths": {t: {str(k): v for k, v in row.items()} for t, row in self.task_lengths.items()},
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def from_table(table: Mapping[str, Any], *, paper: bool = False) -> dict[str, TableScore]:
    """LongScores from a table of mean scores.

    Args:
        table: {"lengths": [...], "base": length or lengths, "raw": {task: {model: scores}}}. Scores are a list in the
            order of `lengths`, or a mapping from length to score; null where missing. `lengths_k` and
            "base": "length 0" are read too.
        paper: as released: each LC_l is rounded to 2 decimals, then averaged and rounded again; no floor.

    Returns:
        By model. Scores may be on any scale from 0 (0-1 or 0-100); where all are at most 1 the scale is taken to be 0-1.

    Raises:
        UserError: the table has another shape, with what is wrong.
    """
    lengths, base, raw = _read_table(table)
    models = list(dict.fromkeys(model for by_model in raw.values() for model in by_model))
    top = 1.0 if all(v <= 1 for by in raw.values() for row in by.values() for v in row.values()) else 100.0
    return {
        m: _table_score({t: by[m] for t, by in raw.items() if m in by}, lengths, base, top, paper, list(raw)) for m in models
    }


def _table_score(
    rows: dict[str, dict[int, float]], lengths: list[int], base: list[int], top: float, paper: bool, all_tasks: list[str]
) -> TableScore:
    notes = [f"no scores in {t}" for t in all_tasks if t not in rows]
    for task, row in rows.items():
        if gone := [length for length in lengths if length not in row]:
            notes.append(f"{task}: no score at {', '.join(map(str, gone))}")
    # A length that one task lacks would change the mixture, so order A keeps the lengths that all have.
    common = [length for length in lengths if all(length in row for row in rows.values())]
    means = {length: sum(row[length] for row in rows.values()) / len(rows) for length in common}
    value, per_length = _ratio(means, base, top, paper, "all", notes)
    tasks: dict[str, float | None] = {}
    task_lengths: dict[str, dict[int, float]] = {}
    for task, row in rows.items():
        tasks[task], task_lengths[task] = _ratio(row, base, top, paper, task, notes)
    known = [v for v in tasks.values() if v is not None]
    return TableScore(value, sum(known) / len(known) if known else None, per_length, tasks, task_lengths, tuple(notes))


def _ratio(
    row: Mapping[int, float], base: list[int], top: float, paper: bool, name: str, notes: list[str]
) -> tuple[float | None, dict[int, float]]:
    short = [row[length] for length in base if length in row]
    long = {length: s for length, s in row.items() if length not in base}
    if not short or not long:
        notes.append(f"{name}: no scores at {'base' if not short else 'long'} lengths")
        return None, {}
    mean = sum(short) / len(short)
    if mean <= 0 or (not paper and mean < FLOOR * top):
        notes.append(f"{name}: base too low: {mean:g}, at least {FLOOR * top:g} is needed to divide by")
        return None, {}
    each = {length: relative(mean, s) for length, s in long.items()}
    if paper:
        each = {length: round(v, 2) for length, v in each.items()}
    value = sum(each.values()) / len(each)
    return (round(value, 2) if paper else value), each


def _read_table(table: Mapping[str, Any]) -> tuple[list[int], list[int], dict[str, dict[str, dict[int, float]]]]:
    shape = '{"lengths": [...], "base": [...], "raw": {task: {model: [score per length]}}}'
    if not isinstance(table, Mapping) or not isinstance(table.get("raw"), Mapping):
        raise UserError(f"the table has no 'raw' scores by task and model; it must be {shape}")
    lengths = table.get("lengths", table.get("lengths_k"))
    if not isinstance(lengths, list) or not lengths or not all(isinstance(v, int) and not isinstance(v, bool) for v in lengths):
        raise UserError(f"the table's 'lengths' must be a list of whole numbers, got {lengths!r}; it must be {shape}")
    base: Any = table.get("base")
    if isinstance(base, str) and base.removeprefix("length ").isdigit():
        base = int(base.removeprefix("length "))
    base = base if isinstance(base, list) else [base]
    if not base or any(b not in lengths for b in base) or len(base) == len(lengths):
        raise UserError(f"the table's 'base' must name some of its lengths {lengths}, and not all, got {table.get('base')!r}")
    raw: dict[str, dict[str, dict[int, float]]] = {}
    for task, by_model in table["raw"].items():
        if not isinstance(by_model, Mapping):
            raise UserError(f"'raw' of {task!r} must map models to scores, got {type(by_model).__name__}")
        raw[task] = {model: _read_row(row, lengths, f"{task}, {model}") for model, row in by_model.items()}
    return lengths, base, raw


def _read_row(row: Any, lengths: list[int], where: str) -> dict[int, float]:
    if isinstance(row, list) and len(row) != len(lengths):
        raise UserError(f"{where}: {len(row)} scores for {len(lengths)} lengths; give one a length, null where missing")
    if isinstance(row, Mapping):
        unknown = [k for k in row if str(k) not in {str(v) for v in lengths}]
        if unknown:
            raise UserError(f"{where}: {unknown[0]!r} is none of the lengths {lengths}")
        row = [row.get(str(v), row.get(v)) for v in lengths]
    if not isinstance(row, list):
        raise UserError(f"{where}: scores must be a list or a mapping by length, got {type(row).__name__}")
    for v in row:
        if v is not None and (isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) or v < 0):
            raise UserError(f"{where}: {v!r} is no score; scores are numbers from 0, null where missing")
    return {length: float(v) for length, v in zip(lengths, row, strict=True) if v is not None}


def check(lab: Any) -> Any:
    """The paper's formula on its own scores, the same for all base abilities, and intervals that hold the truth."""
    worked = {(44.065, 36.64625, 35.48, 36.29, 38.7625, 34.68375): -17.46, (60.61, 50, 56, 53, 55, 38): -16.85}
    worked |= {(0.8, 0.6): -25.0, (0.4, 0.3): -25.0, (0.5, 0.0): -100.0, (0.0, 0.5): None, (50, 45, None): -10.0}

    def one(scores: Sequence[float | None]) -> float | None:
        lengths = [2048 << i for i in range(len(scores))]
        return from_table({"lengths": lengths, "base": lengths[0], "raw": {"t": {"m": list(scores)}}})["m"].value

    def published() -> Any:
        """The paper's own numbers by task, model and length, and of three models over all tasks in both orders."""
        data = lab.json("100-longbench/longscore.json")
        paper, ours, theirs = from_table(data, paper=True), list[float | None](), list[float]()
        for task, models in data["longscore"].items():
            for model, numbers in models.items():
                ours += [*(paper[model].task_lengths[task][k] for k in data["lengths_k"][1:]), paper[model].tasks[task]]
                theirs += numbers[1:]
        orders = {"llama-3.1-8B": (-28.05, -26.70), "llama-3.1-70B": (-28.22, -25.19), "llama-3.2-1B": (-10.63, 18.48)}
        ours += [round(value or 0, 2) for m in orders for value in (paper[m].value, paper[m].ratios_first)]
        return lab.agree(ours, [*theirs, *(value for both in orders.values() for value in both)], "numbers and the paper's")

    rng, true = np.random.default_rng(0), np.array([0.9, 0.9, 0.7, 0.6, 0.5])

    def alike(of: Any, what: str) -> tuple[bool, str]:
        """Whether a figure is the same of models that keep the same share of unequal bases."""
        tables = [[base, *(base * kept for kept in rng.random(4))] for base in rng.uniform(0.3, 1, 100)]
        same = sum(math.isclose(of(row), of([s / 2 for s in row]), abs_tol=1e-9) for row in tables)
        return same == len(tables), f"{same} of {len(tables)} pairs of models, one base half the other, have equal {what}"

    def held(ability: float, width: float = 1.0, runs: int = 400) -> tuple[bool, str]:
        """How many intervals (or parts of them) hold the LongScore that is known."""
        truth, n = 100 * (0.6 - 0.9) / 0.9, 0
        for _ in range(runs):
            scores = (rng.random((60, len(true))) < ability * true).astype(float)
            got, _ = longscore({"t": moments(scores, [1, 2, 4, 8, 16], [1, 2], range(60))})
            low, high = got.low or 0.0, got.high or 0.0
            n += abs(truth - (low + high) / 2) <= width * (high - low) / 2
        told = f"{n} of {runs} intervals of {width:g} the width hold it, base {0.9 * ability:g}"
        return 0.92 * runs <= n <= 0.99 * runs, told

    return lab.conclude(
        lab.agree([one(s) for s in worked], list(worked.values()), "worked examples", within=0.01),
        published() if lab.peers else lab.NO_PEERS,
        alike(one, "LongScores"),
        held(1.0),
        held(0.5),
        control=[alike(lambda row: sum(row[1:]) / 4 - row[0], "losses of points"), held(1.0, 0.5)],
    )
