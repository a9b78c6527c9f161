"""Diffusion and scope: how hard information is to find and how much of it there is; records grouped by them and by facets.

The taxonomy is that of Goldman et al. 2024, arXiv:2407.00402. What a prompt's layout makes of both axes is computed by
`leadline.data.difficulty`; here the records of one group are cut by what tasks declare of them, by where their prompts lie, by
ability, by facets of the items, and by the figures beside the score. Knows nothing of models and methods.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leadline.catalog import entries
from leadline.nouns import Record
from leadline.scoring.breakdown import Breakdown
from leadline.scoring.longscore import LongScore
from leadline.scoring.stats import mean_interval

id = "diffusion-scope"
GROUPINGS = ("ability", "diffusion", "scope")
"""What results are grouped by: all that a task declares of itself."""
LEVELS = ("low", "middle", "high")
"""Of diffusion and scope, in their order."""
MIDDLE = 0.5
"""Where the computed coordinates are parted into low and high; they lie in 0 to 1."""


@dataclass(frozen=True)
class Point:
    """A mean score at one length [0 to 1]."""

    length: int
    score: float
    low: float
    high: float
    n: int
    complete: bool = True
    """Whether every task of the mean was measured at this length."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return vars(self)


@dataclass(frozen=True)
class Slice:
    """The tasks of one group that declare the same."""

    by: str
    """One of GROUPINGS."""
    value: str
    """As in `retrieval`, or `high`."""
    tasks: tuple[str, ...]
    n: int
    """Samples that count."""
    score: float | None
    """Mean over the tasks of their mean over all lengths [0 to 1]."""
    points: tuple[Point, ...]
    """Mean over the tasks at each length."""
    longscore: LongScore
    breakdown: Breakdown
    diffusion: float | None
    """Mean of the coordinate computed from the prompts; None where no record has one."""
    scope: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "value": self.value,
            "tasks": list(self.tasks),
            "n": self.n,
            "score": self.score,
            "lengths": [p.to_json() for p in self.points],
            "longscore": self.longscore.to_json(),
            "breakdown": self.breakdown.to_json(),
            "computed": {"diffusion": self.diffusion, "scope": self.scope},
        }


@dataclass(frozen=True)
class Quadrant:
    """The samples whose computed coordinates lie on the same sides of MIDDLE."""

    diffusion: str
    """`low` or `high`, as is scope."""
    scope: str
    n: int
    score: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return vars(self)


@dataclass(frozen=True)
class Facet:
    """The samples of one task and length whose items have one value of a facet."""

    task: str
    facet: str
    value: str
    length: int
    n: int
    """Samples that count."""
    score: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return vars(self)


@dataclass(frozen=True)
class Part:
    """Mean of a figure beside the score, of one task at one length."""

    task: str
    part: str
    length: int
    n: int
    """Samples that have it."""
    mean: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return vars(self)


def documents(rows: Sequence[Record]) -> list[str]:
    """The document of each record; an item without one is its own."""
    return [r.cluster or f"item {r.item}" for r in rows]


def counted(rows: Iterable[Record]) -> list[Record]:
    """Those that are part of a score."""
    return [r for r in rows if r.score is not None]


def mean_curve(curves: Mapping[str, Sequence[Point]]) -> tuple[Point, ...]:
    """Mean over curves at each length; the interval adds their half widths as independent errors, each side for itself."""
    at: dict[int, list[Point]] = defaultdict(list)
    for points in curves.values():
        for p in points:
            at[p.length].append(p)
    mean = []
    for length, points in sorted(at.items()):
        k = len(points)
        centre = sum(p.score for p in points) / k
        down = sum((p.score - p.low) ** 2 for p in points) ** 0.5 / k
        up = sum((p.high - p.score) ** 2 for p in points) ** 0.5 / k
        n = sum(p.n for p in points)
        mean.append(Point(length, centre, max(0.0, centre - down), min(1.0, centre + up), n, k == len(curves)))
    return tuple(mean)


def declared(record: Record, by: str) -> str:
    """What a record's task declares; '' where the record does not say."""
    return record.ability if by == "ability" else record.levels.get(by, "")


def ordered(values: Iterable[str]) -> list[str]:
    """Levels from low to high, numbers by their size, all else as words are."""

    def place(value: str) -> tuple[Any, ...]:
        if value in LEVELS:
            return (0, LEVELS.index(value))
        pieces = re.split(r"(\d+(?:\.\d+)?)", value.lower())
        return (1, [(0, float(p), "") if p[:1].isdigit() else (1, 0.0, p) for p in pieces if p], value)

    return sorted(set(values), key=place)


def coordinate(rows: Sequence[Record], name: str) -> float | None:
    """Mean of a computed coordinate over the prompts that were asked; None where none has a difficulty."""
    asked = [r for r in rows if r.diffusion or r.scope]
    return float(np.mean([getattr(r, name) for r in asked])) if asked else None


def quadrants(rows: Sequence[Record]) -> tuple[Quadrant, ...]:
    """Scores by the computed coordinates; nothing where no record has a difficulty."""
    at: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for r in counted(rows):
        if r.diffusion or r.scope:
            at[_side(r.diffusion), _side(r.scope)].append(r)
    found = []
    for (diffusion, scope), some in sorted(at.items(), reverse=True):
        got = mean_interval([float(r.score or 0) for r in some], documents(some))
        found.append(Quadrant(diffusion, scope, got.n, got.value, got.low, got.high))
    return tuple(found)


def _side(value: float) -> str:
    return "high" if value >= MIDDLE else "low"


def facets(rows: Sequence[Record]) -> tuple[Facet, ...]:
    """Scores by the facets of items, for each task: facet by facet, value by value, shortest length first."""
    at: dict[tuple[str, str], dict[str, dict[int, list[Record]]]] = {}
    for r in rows:
        for name, value in r.facets.items():
            at.setdefault((r.task, name), {}).setdefault(value, {}).setdefault(r.length, []).append(r)
    found = []
    for (task, name), values in _by_task(at):
        for value in ordered(values):
            for length, some in sorted(values[value].items()):
                count = counted(some)
                got = mean_interval([float(r.score or 0) for r in count], documents(count)) if count else None
                ends = (got.value, got.low, got.high) if got else (None, None, None)
                found.append(Facet(task, name, value, length, len(count), *ends))
    return tuple(found)


def parts(rows: Sequence[Record]) -> tuple[Part, ...]:
    """Means of the figures beside the score, for each task: figure by figure, shortest length first."""
    at: dict[tuple[str, str], dict[int, list[float]]] = {}
    for r in rows:
        for name, value in r.parts.items():
            at.setdefault((r.task, name), {}).setdefault(r.length, []).append(value)
    return tuple(
        Part(task, name, length, len(values), float(np.mean(values)))
        for (task, name), lengths in _by_task(at)
        for length, values in sorted(lengths.items())
    )


def _by_task(at: Mapping[tuple[str, str], Any]) -> list[tuple[tuple[str, str], Any]]:
    """All of a task together, else in the order met."""
    tasks = {task: i for i, task in enumerate(dict.fromkeys(task for task, _ in at))}
    return sorted(at.items(), key=lambda entry: tasks[entry[0][0]])


def check(lab: Any) -> Any:
    """Every task carries both axes, computed from where its evidence lies; what makes them so; reports group by them."""
    from leadline.scoring.summary import summarise

    specs, everything = lab.every(), [one for entry in entries("tasks").values() for one in lab.specs(entry.id)]
    told = [spec for spec in everything if {lab.task(spec).diffusion, lab.task(spec).scope} <= set(LEVELS)]
    asked = {spec: lab.asked(spec, n=2)[0] for spec in specs}
    known = [prompt for *_, prompt in asked.values() if 0 < prompt.diffusion <= 1 and 0 < prompt.scope <= 1]

    def prompts(spec: str, length: str) -> list[Any]:
        return [prompt for _, _, prompt in lab.asked(spec, n=6, length=length)]

    def scope(prompt: Any, pieces: int = 4) -> float:
        """Anew, from the places of the first pieces of evidence: log of their tokens over log of all."""
        share = sum(b - a for a, b in prompt.evidence[:pieces]) / len(prompt.messages[0]["content"])
        return math.log2(1 + share * prompt.tokens) / math.log2(1 + prompt.tokens)

    one, four, longer = (prompts(f"needle(needles={n})", size) for n, size in ((1, "4k"), (4, "4k"), (1, "16k")))
    missed = max(abs(scope(p) - p.scope) for p in (*one, *four, *longer))

    def raised(scopes: Sequence[float]) -> bool:
        """By at least half of what four times the evidence is worth, log 4 over log 4096."""
        return all(b - a.scope > 1 / 12 for a, b in zip(one, scopes, strict=True))

    spread = all(a.diffusion < b.diffusion for a, b in zip(one, four, strict=True))
    fewer = all(a.scope > b.scope for a, b in zip(one, longer, strict=True))
    rows = [lab.record(*case, lab.scores(spec, n=1)[0]) for spec, case in list(asked.items())[:8]]
    groups = {s.by for s in summarise(rows).groups[0].slices}
    alone = [scope(p, 1) for p in four]
    return lab.conclude(
        (len(told) == len(everything), f"{len(told)} of {len(everything)} settings of tasks declare both axes"),
        (len(known) == len(specs), f"prompts of {len(known)} of {len(specs)} made here carry both"),
        (missed < 0.01, f"the scope anew from the evidence's places differs by up to {missed:.3f}"),
        (raised([p.scope for p in four]), f"four needles raise the scope from {_mean(one):.2f} to {_mean(four):.2f}"),
        (spread and fewer, "they raise the diffusion, and noise lowers the scope, in 6 of 6 prompts"),
        (set(GROUPINGS) <= groups, f"reports group by {', '.join(sorted(groups))}"),
        control=(raised(alone), f"with one of the four taken for all evidence {sum(alone) / 6:.2f}"),
    )


def _mean(prompts: Sequence[Any]) -> float:
    return float(np.mean([p.scope for p in prompts]))
