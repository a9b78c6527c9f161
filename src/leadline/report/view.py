"""What the figures and the page draw, taken from a summary and its records: curves, grids, costs.

Statistics are the summary's; here are only means to look at. Knows nothing about HTML or matplotlib.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from leadline.nouns import NOT_ASKED, Record
from leadline.scoring.summary import Breakdown, Cell, Estimate, Summary

DEPTHS = 5
"""Rows of a depth map."""


@dataclass(frozen=True)
class Point:
    """A mean score at one length."""

    length: int
    score: float
    low: float
    high: float
    n: int
    complete: bool = True
    """Whether every task of the group was measured at this length."""


@dataclass(frozen=True)
class Group:
    """One model read through one method: what a line of a figure and a row of a table stand for."""

    model: str
    method: str
    label: str
    """Only what tells this group from the others of its report."""
    longscore: Estimate | None
    longscores: dict[str, Estimate]
    breakdown: Breakdown | None
    breakdowns: dict[str, Breakdown]
    cells: tuple[Cell, ...]
    curves: dict[str, tuple[Point, ...]]
    """Score by length of each task, shortest first."""
    curve: tuple[Point, ...]
    """Mean over the tasks."""
    base: tuple[int, ...]
    """Base lengths [tokens]."""
    records: tuple[Record, ...]

    @property
    def lengths(self) -> list[int]:
        """Every length of any task, shortest first [tokens]."""
        return sorted({c.length for c in self.cells})

    @property
    def name(self) -> str:
        """Model and method in full."""
        return f"{self.model} · {self.method}" if self.method else self.model


@dataclass(frozen=True)
class Heat:
    """Mean score by depth of the evidence (rows, start of the context first) and length (columns)."""

    title: str
    lengths: tuple[int, ...]
    values: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Place:
    """Where a task's prompts of one length lie in difficulty, and how they went."""

    task: str
    length: int
    diffusion: float
    scope: float
    score: float
    n: int


@dataclass(frozen=True)
class Cost:
    """What the samples of one group and length took; None where nobody measured it."""

    length: int | None
    """None for all lengths together."""
    n: int
    tokens: int
    """Read by the model over all samples [tokens]."""
    output: int | None
    seconds: float | None
    """Median of a sample [s]."""
    ttft_s: float | None
    token_s: float | None
    peak_bytes: float | None
    """Highest of any sample."""
    cache_bytes: float | None
    """Mean."""
    cost: float | None
    """Sum [USD]."""


def groups(summary: Summary, records: Sequence[Record] = ()) -> list[Group]:
    """The groups of a summary in the order in which they first appear."""
    cells: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for c in summary.cells:
        cells[c.model, c.method].append(c)
    by_key = defaultdict(list)
    for r in records:
        by_key[r.model, r.method].append(r)
    models, methods = {m for m, _ in cells}, {m for _, m in cells}
    found = []
    for key, own in cells.items():
        model, method = key
        parts = [model if len(models) > 1 or len(methods) == 1 else "", (method or "plain") if len(methods) > 1 else ""]
        curves = _curves(own)
        found.append(
            Group(
                model, method, " · ".join(p for p in parts if p), *_estimates(summary, key), tuple(own), curves,
                _mean_curve(curves), tuple(sorted({r.length for r in by_key[key] if r.base})), tuple(by_key[key]),
            )
        )  # fmt: skip
    return found


def _estimates(summary: Summary, key: tuple[str, str]):
    longscore, breakdown = summary.longscore.get(key), summary.breakdown.get(key)
    return (
        longscore and longscore.all, dict(longscore.tasks) if longscore else {},
        breakdown and breakdown.all, dict(breakdown.tasks) if breakdown else {},
    )  # fmt: skip


def _curves(cells: Iterable[Cell]) -> dict[str, tuple[Point, ...]]:
    curves: dict[str, list[Point]] = defaultdict(list)
    for c in sorted(cells, key=lambda c: c.length):
        if c.score is not None:
            curves[c.task].append(Point(c.length, c.score, c.low, c.high, c.n))
    return {task: tuple(points) for task, points in curves.items()}


def _mean_curve(curves: dict[str, tuple[Point, ...]]) -> tuple[Point, ...]:
    """Mean over tasks; its interval adds the tasks' half widths as independent errors, each side for itself."""
    at = defaultdict(list)
    for points in curves.values():
        for p in points:
            at[p.length].append(p)
    mean = []
    for length, points in sorted(at.items()):
        k = len(points)
        centre = sum(p.score for p in points) / k
        down = sum((p.score - p.low) ** 2 for p in points) ** 0.5 / k
        up = sum((p.high - p.score) ** 2 for p in points) ** 0.5 / k
        mean.append(Point(length, centre, centre - down, centre + up, sum(p.n for p in points), k == len(curves)))
    return tuple(mean)


def heats(group: Group, per_task: bool = True) -> list[Heat]:
    """Depth maps: all tasks whose prompts hold one evidence together, then each of them."""
    found: dict[str, list[Record]] = defaultdict(list)
    for r in group.records:
        if len(r.depths) == 1 and r.score is not None:
            found[r.task].append(r)
    # a task belongs here only when all its prompts hold one evidence
    for task in {r.task for r in group.records if len(r.depths) != 1}:
        found.pop(task, None)
    if not found:
        return []
    maps = [_heat("all with one evidence", [r for rs in found.values() for r in rs])] if len(found) > 1 or not per_task else []
    return maps + ([_heat(task, rs) for task, rs in found.items()] if per_task else [])


def _heat(title: str, records: list[Record]) -> Heat:
    lengths = sorted({r.length for r in records})
    at: dict[tuple[int, int], list[float]] = defaultdict(list)
    for r in records:
        assert r.score is not None
        at[min(DEPTHS - 1, int(r.depths[0] * DEPTHS)), r.length].append(r.score)
    cells = [[at.get((row, n), []) for n in lengths] for row in range(DEPTHS)]
    values = tuple(tuple(sum(c) / len(c) if c else None for c in row) for row in cells)
    return Heat(title, tuple(lengths), values, tuple(tuple(len(c) for c in row) for row in cells))


def places(records: Iterable[Record]) -> list[Place]:
    """Mean difficulty and score of each task and length; nothing where no record carries a difficulty."""
    at: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for r in records:
        if r.score is not None:
            at[r.task, r.length].append(r)
    found = [
        Place(task, n, _mean(r.diffusion for r in rs), _mean(r.scope for r in rs), _mean(r.score or 0.0 for r in rs), len(rs))
        for (task, n), rs in sorted(at.items())
    ]
    return found if any(p.diffusion or p.scope for p in found) else []


def quadrants(records: Iterable[Record]) -> dict[tuple[bool, bool], tuple[float, int]]:
    """Mean score and count of samples by (diffusion high, scope high), parted at 0.5 of each."""
    at: dict[tuple[bool, bool], list[float]] = defaultdict(list)
    for r in records:
        if r.score is not None:
            at[r.diffusion >= 0.5, r.scope >= 0.5].append(r.score)
    return {key: (_mean(scores), len(scores)) for key, scores in at.items()}


def costs(records: Iterable[Record]) -> list[Cost]:
    """What each length took, and all together at the end; samples that were not asked are left out."""
    asked = [r for r in records if r.audit not in NOT_ASKED]
    lengths = sorted({r.length for r in asked})
    return [_cost(n, [r for r in asked if r.length == n]) for n in lengths] + ([_cost(None, asked)] if asked else [])


def _cost(length: int | None, records: list[Record]) -> Cost:
    def over(name: str, how: Callable[[list[float]], float]) -> float | None:
        values = [v for r in records if (v := getattr(r, name)) is not None]
        return how(values) if values else None

    output = over("output_tokens", sum)
    return Cost(
        length=length,
        n=len(records),
        tokens=sum(r.tokens if r.prompt_tokens is None else r.prompt_tokens for r in records),
        output=None if output is None else int(output),
        seconds=over("seconds", statistics.median),
        ttft_s=over("ttft_s", statistics.median),
        token_s=over("token_s", statistics.median),
        peak_bytes=over("peak_bytes", max),
        cache_bytes=over("cache_bytes", statistics.fmean),
        cost=over("cost", sum),
    )


def long_score(group: Group) -> float | None:
    """Mean score over the lengths beyond the base, for trade-offs."""
    points = [p.score for p in group.curve if p.length not in group.base]
    return _mean(points) if points else None


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)
