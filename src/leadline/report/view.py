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
from leadline.scoring.slices import GROUPINGS, Facet, Part, Point, Slice, mean_curve
from leadline.scoring.summary import Group, Key, Summary, key

DEPTHS = 5
"""Rows of a depth map."""
TOGETHER = "all of them together"
"""Title of the depth map of several tasks."""
PLAIN = "plain"
"""Said of a model without any method, beside others with one."""


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
        return self.group.curves

    @cached_property
    def curve(self) -> tuple[Point, ...]:
        """Mean over the tasks at each length."""
        return mean_curve(self.curves)

    @cached_property
    def base(self) -> tuple[int, ...]:
        """Base lengths [tokens]."""
        return tuple(sorted({c.length for c in self.group.cells if c.base}))

    @property
    def lengths(self) -> list[int]:
        """Every length of any task, shortest first [tokens]."""
        return sorted({c.length for c in self.group.cells})


def groupings(one: Series) -> list[tuple[str, list[Slice]]]:
    """What tasks declare, each with its slices, where there is more than one."""
    found = [(by, [s for s in one.group.slices if s.by == by]) for by in GROUPINGS]
    return [(by, slices) for by, slices in found if len(slices) > 1]


def facets(one: Series) -> list[tuple[str, str, dict[str, dict[int, Facet]]]]:
    """Of each task and facet, the scores by value and length."""
    found: dict[tuple[str, str], dict[str, dict[int, Facet]]] = {}
    for f in one.group.facets:
        found.setdefault((f.task, f.facet), {}).setdefault(f.value, {})[f.length] = f
    return [(task, facet, values) for (task, facet), values in found.items()]


def parts(one: Series) -> list[tuple[str, dict[str, dict[int, Part]]]]:
    """Of each task, the means of its figures by name and length."""
    found: dict[str, dict[str, dict[int, Part]]] = {}
    for p in one.group.parts:
        found.setdefault(p.task, {}).setdefault(p.part, {})[p.length] = p
    return list(found.items())


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
