"""What the figures and the page draw, taken from a summary and its records: curves, grids, costs.

Statistics are the summary's; here are only means to look at. Knows nothing about HTML or matplotlib.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from leadline.nouns import NOT_ASKED, Record
from leadline.scoring.summary import Group, Key, Summary, key

DEPTHS = 5
"""Rows of a depth map."""
TOGETHER = "all of them together"
"""Title of the depth map of several tasks."""
PLAIN = "plain"
"""Said of a model without any method, beside others with one."""


@dataclass(frozen=True)
class Point:
    """A mean score at one length [0 to 1]."""

    length: int
    score: float
    low: float
    high: float
    n: int
    complete: bool = True
    """Whether every task of the group was measured at this length."""


@dataclass(frozen=True)
class Series:
    """One group of a summary as figures draw it: a line, a row, a colour."""

    group: Group
    label: str
    """Only what tells this group from the others of its report."""
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        """Model, method and pipeline in full."""
        return " · ".join(filter(None, self.group.key))

    @cached_property
    def curves(self) -> dict[str, tuple[Point, ...]]:
        """Score by length of each task, shortest first."""
        curves: dict[str, list[Point]] = {c.task: [] for c in self.group.cells}
        for c in sorted(self.group.cells, key=lambda c: c.length):
            if c.score is not None and c.low is not None and c.high is not None:
                curves[c.task].append(Point(c.length, c.score, c.low, c.high, c.n))
        return {task: tuple(points) for task, points in curves.items()}

    @cached_property
    def curve(self) -> tuple[Point, ...]:
        """Mean over the tasks; its interval adds their half widths as independent errors, each side for itself."""
        at: dict[int, list[Point]] = defaultdict(list)
        for points in self.curves.values():
            for p in points:
                at[p.length].append(p)
        mean = []
        for length, points in sorted(at.items()):
            k = len(points)
            centre = sum(p.score for p in points) / k
            down = sum((p.score - p.low) ** 2 for p in points) ** 0.5 / k
            up = sum((p.high - p.score) ** 2 for p in points) ** 0.5 / k
            n = sum(p.n for p in points)
            mean.append(Point(length, centre, max(0.0, centre - down), min(1.0, centre + up), n, k == len(self.curves)))
        return tuple(mean)

    @cached_property
    def base(self) -> tuple[int, ...]:
        """Base lengths [tokens]."""
        return tuple(sorted({c.length for c in self.group.cells if c.base}))

    @property
    def lengths(self) -> list[int]:
        """Every length of any task, shortest first [tokens]."""
        return sorted({c.length for c in self.group.cells})


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


def series(summary: Summary, records: Sequence[Record] = ()) -> list[Series]:
    """The groups of a summary in its order, each with its own records."""
    own: dict[Key, list[Record]] = defaultdict(list)
    for r in records:
        own[key(r)].append(r)
    parts = list(zip(*(g.key for g in summary.groups), strict=True))
    differ = [len(set(part)) > 1 for part in parts]

    def label(g: Group) -> str:
        said = [g.model] if not any(differ[1:]) or differ[0] else []
        rest = [part for part, shown in zip(g.key[1:], differ[1:], strict=True) if shown and part]
        return " · ".join([*said, *(rest or ([PLAIN] if any(differ[1:]) else []))])

    return [Series(g, label(g), tuple(own[g.key])) for g in summary.groups]


def heats(one: Series) -> list[Heat]:
    """Depth maps of the tasks whose prompts all hold one evidence: together where there are several, then each."""
    found: dict[str, list[Record]] = defaultdict(list)
    for r in one.records:
        found[r.task].append(r)
    single = {task: rs for task, rs in found.items() if all(len(r.depths) == 1 for r in rs)}
    single = {task: kept for task, rs in single.items() if (kept := [r for r in rs if r.score is not None])}
    together = [_heat(TOGETHER, [r for rs in single.values() for r in rs])] if len(single) > 1 else []
    return together + [_heat(task, rs) for task, rs in single.items()]


def _heat(title: str, records: list[Record]) -> Heat:
    lengths = sorted({r.length for r in records})
    at: dict[tuple[int, int], list[float]] = defaultdict(list)
    for r in records:
        assert r.score is not None
        at[min(DEPTHS - 1, int(r.depths[0] * DEPTHS)), r.length].append(r.score)
    cells = [[at.get((row, n), []) for n in lengths] for row in range(DEPTHS)]
    values = tuple(tuple(statistics.fmean(c) if c else None for c in row) for row in cells)
    return Heat(title, tuple(lengths), values, tuple(tuple(len(c) for c in row) for row in cells))


def places(records: Iterable[Record]) -> list[Place]:
    """Mean difficulty and score of each task and length; nothing where no record carries a difficulty."""
    at: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for r in records:
        if r.score is not None:
            at[r.task, r.length].append(r)
    found = []
    for (task, n), rs in sorted(at.items()):
        diffusion, scope, score = (statistics.fmean(getattr(r, name) for r in rs) for name in ("diffusion", "scope", "score"))
        found.append(Place(task, n, diffusion, scope, score, len(rs)))
    return found if any(p.diffusion or p.scope for p in found) else []


def quadrants(records: Iterable[Record]) -> dict[tuple[bool, bool], tuple[float, int]]:
    """Mean score and count of samples by (diffusion high, scope high), parted at 0.5 of each."""
    at: dict[tuple[bool, bool], list[float]] = defaultdict(list)
    for r in records:
        if r.score is not None:
            at[r.diffusion >= 0.5, r.scope >= 0.5].append(r.score)
    return {corner: (statistics.fmean(scores), len(scores)) for corner, scores in at.items()}


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


def long_score(one: Series) -> float | None:
    """Mean score over the lengths beyond the base, for trade-offs [0 to 1]."""
    points = [p.score for p in one.curve if p.length not in one.base]
    return statistics.fmean(points) if points else None


TRADES = ("cache_bytes", "peak_bytes", "ttft_s", "token_s", "seconds")
"""What quality is traded for; names of `Cost`."""


def trades(many: Sequence[Series]) -> dict[str, list[tuple[Series, float, float]]]:
    """Of each cost that two series or more have: (series, cost at their longest common length, score beyond the base)."""
    shared = set.intersection(*({r.length for r in s.records if r.audit not in NOT_ASKED} for s in many)) if many else set()
    if len(many) < 2 or not shared:
        return {}
    at = {
        id(s): _cost(max(shared), [r for r in s.records if r.length == max(shared) and r.audit not in NOT_ASKED]) for s in many
    }
    found: dict[str, list[tuple[Series, float, float]]] = {}
    for name in TRADES:
        rows = [(s, cost, score) for s in many if (cost := getattr(at[id(s)], name)) and (score := long_score(s)) is not None]
        if len(rows) > 1:
            found[name] = rows
    return found
