"""From records to what a report says: cells with intervals, LongScore, breakdown length, paired comparisons.

Records are grouped by (model, method, pipeline). Knows nothing about how they were made or how they are shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leadline.nouns import OWN_FAULTS, Record
from leadline.scoring.breakdown import SHARE, Breakdown, breakdown
from leadline.scoring.longscore import NAMED, LongScore, longscore, moments
from leadline.scoring.slices import (
    GROUPINGS,
    Facet,
    Part,
    Point,
    Quadrant,
    Slice,
    coordinate,
    counted,
    declared,
    documents,
    facets,
    mean_curve,
    ordered,
    parts,
    quadrants,
)
from leadline.scoring.stats import codes, design_effect, holm, mean_interval, paired_difference

Key = tuple[str, str, str]
"""(model, method, pipeline)."""


@dataclass(frozen=True)
class Cell:
    """One model and method on one task at one length."""

    model: str
    method: str
    pipeline: str
    task: str
    length: int
    base: bool
    n: int
    """Samples that count; those over the window or failed by the provider do not."""
    score: float | None
    """Mean in [0, 1], the model's own faults counted as wrong; None where no sample counts."""
    low: float | None
    high: float | None
    score_answered: float | None
    """The other reading: the mean over samples that were really answered."""
    audit: dict[str, int]
    """Samples by what became of them; they add up to all that were tried."""
    diffusion: float | None = None
    """Mean of the coordinate computed from the prompts, as is scope; None where no record has one."""
    scope: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The cell as the command line prints it."""
        first = ("task", "length", "n", "score", "low", "high", "audit", "score_answered", "base")
        rest = ("model", "method", "pipeline", "diffusion", "scope")
        return {name: getattr(self, name) for name in (*first, *rest)}


@dataclass(frozen=True)
class Group:
    """All that is said of one model with one method."""

    model: str
    method: str
    pipeline: str
    cells: tuple[Cell, ...]
    score: float | None
    """Mean over tasks of their mean over all lengths [0 to 1]."""
    longscore: LongScore
    longscore_tasks: dict[str, LongScore]
    breakdown: Breakdown
    breakdown_tasks: dict[str, Breakdown]
    slices: tuple[Slice, ...] = ()
    """By what tasks declare: ability, diffusion and scope."""
    quadrants: tuple[Quadrant, ...] = ()
    """By the computed coordinates."""
    facets: tuple[Facet, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def key(self) -> Key:
        """What names the group."""
        return (self.model, self.method, self.pipeline)

    @property
    def curves(self) -> dict[str, tuple[Point, ...]]:
        """Score by length of each task, shortest first."""
        return _curves(self.cells)

    def to_json(self) -> dict[str, Any]:
        """The group as `leadline measure --json` prints it."""
        return {
            "model": self.model,
            "method": self.method,
            "pipeline": self.pipeline,
            "score": self.score,
            "cells": [cell.to_json() for cell in self.cells],
            "longscore": {"all": self.longscore.to_json(), "tasks": {t: v.to_json() for t, v in self.longscore_tasks.items()}},
            "breakdown": {**self.breakdown.to_json(), "tasks": {t: v.to_json() for t, v in self.breakdown_tasks.items()}},
            "by": {by: [s.to_json() for s in self.slices if s.by == by] for by in GROUPINGS}
            | {"computed": [q.to_json() for q in self.quadrants]},
            "facets": [f.to_json() for f in self.facets],
            "parts": [p.to_json() for p in self.parts],
        }


@dataclass(frozen=True)
class Comparison:
    """Two groups on the same samples."""

    a: Key
    b: Key
    task: str
    """A task, or "all"."""
    difference: float
    """Mean score of a minus that of b [0 to 1]."""
    low: float
    high: float
    p: float
    """By flipping signs of documents; corrected by Holm over all rows of the same call."""
    n: int
    """Samples that both have."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "a": list(self.a), "b": list(self.b)}


@dataclass(frozen=True)
class Summary:
    """What a set of records says."""

    groups: tuple[Group, ...]
    comparisons: tuple[Comparison, ...] = ()
    """Each further group against the first, on the samples that both have."""

    @property
    def cells(self) -> list[Cell]:
        """Cells of all groups."""
        return [cell for group in self.groups for cell in group.cells]

    def to_json(self) -> dict[str, Any]:
        """With one group its own keys (cells, longscore, breakdown) lie at the top, as the command line prints them."""
        groups = [group.to_json() for group in self.groups]
        if len(groups) == 1:
            return groups[0]
        return {
            "cells": [c for g in groups for c in g["cells"]],
            "groups": groups,
            "comparisons": [c.to_json() for c in self.comparisons],
        }


def key(record: Record) -> Key:
    """Which group a record belongs to."""
    return (record.model, record.method, record.pipeline)


def summarise(records: Sequence[Record], *, share: float = SHARE, seed: int = 0) -> Summary:
    """Everything that a report says of some records.

    Args:
        records: finished samples of any models, methods and tasks. Of several for one sample (same group, task, length,
            prompt and cell) the last one counts.
        share: of the base, for the breakdown length.
        seed: for the random signs of the comparisons.
    """
    by_key: dict[Key, list[Record]] = defaultdict(list)
    for record in _latest(records):
        by_key[key(record)].append(record)
    groups = tuple(_group(name, rows, share) for name, rows in by_key.items())
    names = list(by_key)
    comparisons: list[Comparison] = []
    for other in names[1:]:
        comparisons += compare(by_key[other], by_key[names[0]], seed=seed)
    return Summary(groups, _corrected(comparisons))


def _latest(records: Sequence[Record]) -> list[Record]:
    kept: dict[Hashable, Record] = {}
    for r in records:
        kept[(key(r), r.cell, r.task, r.length, r.prompt or r.item)] = r
    return list(kept.values())


def _group(name: Key, rows: list[Record], share: float) -> Group:
    by_cell: dict[tuple[str, int], list[Record]] = defaultdict(list)
    by_task: dict[str, list[Record]] = defaultdict(list)
    for r in rows:
        by_cell[(r.task, r.length)].append(r)
        by_task[r.task].append(r)
    lengths = {task: sorted({r.length for r in mine}) for task, mine in by_task.items()}
    cells = tuple(_cell(name, task, length, by_cell[(task, length)]) for task in by_task for length in lengths[task])
    whole = _Tasks(by_task, share)
    return Group(
        *name,
        cells=cells,
        score=whole.score(list(by_task)),
        longscore=whole.longscore(list(by_task)),
        longscore_tasks=longscore(whole.moments)[1],
        breakdown=whole.breakdown(list(by_task)),
        breakdown_tasks=whole.falls,
        slices=_slices(whole, _curves(cells)),
        quadrants=quadrants(rows),
        facets=facets(rows),
        parts=parts(rows),
    )


class _Tasks:
    """What is known of each task of a group, from which any of its tasks are summed up."""

    def __init__(self, rows: Mapping[str, list[Record]], share: float) -> None:
        self.rows, self.share = rows, share
        self.moments = {task: _moments(mine) for task, mine in rows.items()}
        self.means = {task: _means(mine) for task, mine in rows.items()}
        self.chance = {task: mine[0].chance for task, mine in rows.items()}
        self.base = {task: _base_lengths(mine) for task, mine in rows.items()}
        self.falls = {
            t: _censor(breakdown(self.means[t], self.base[t], share=share, chance=self.chance[t]), rows[t]) for t in rows
        }
        self.known: dict[tuple[str, ...], Breakdown] = {}

    def score(self, tasks: Sequence[str]) -> float | None:
        """Mean over tasks of their mean over all lengths."""
        scores = [np.mean([float(r.score or 0) for r in some]) for t in tasks if (some := counted(self.rows[t]))]
        return float(np.mean(scores)) if scores else None

    def longscore(self, tasks: Sequence[str]) -> LongScore:
        """Of the mean over tasks."""
        return longscore({t: self.moments[t] for t in tasks})[0]

    def breakdown(self, tasks: Sequence[str]) -> Breakdown:
        """Of the mean over tasks."""
        if len(tasks) == 1:
            return self.falls[tasks[0]]
        # Groups by ability, diffusion and scope are often of the same tasks.
        if (found := self.known.get(tuple(tasks))) is None:
            of = [{t: what[t] for t in tasks} for what in (self.means, self.base, self.chance)]
            rows = [r for t in tasks for r in self.rows[t]]
            found = self.known[tuple(tasks)] = _all_tasks(*of, rows, self.share)  # type: ignore[arg-type]
        return found


def _slices(whole: _Tasks, curves: Mapping[str, tuple[Point, ...]]) -> tuple[Slice, ...]:
    """The tasks grouped by each thing that they declare."""
    found = []
    for by in GROUPINGS:
        told = {task: declared(rows[0], by) for task, rows in whole.rows.items()}
        for value in ordered(v for v in told.values() if v):
            tasks = [task for task, said in told.items() if said == value]
            rows = [r for task in tasks for r in whole.rows[task]]
            found.append(
                Slice(
                    by,
                    value,
                    tuple(tasks),
                    len(counted(rows)),
                    whole.score(tasks),
                    mean_curve({task: curves[task] for task in tasks}),
                    whole.longscore(tasks),
                    whole.breakdown(tasks),
                    coordinate(rows, "diffusion"),
                    coordinate(rows, "scope"),
                )
            )
    return tuple(found)


def _curves(cells: Sequence[Cell]) -> dict[str, tuple[Point, ...]]:
    curves: dict[str, list[Point]] = {c.task: [] for c in cells}
    for c in sorted(cells, key=lambda c: c.length):
        if c.score is not None and c.low is not None and c.high is not None:
            curves[c.task].append(Point(c.length, c.score, c.low, c.high, c.n))
    return {task: tuple(points) for task, points in curves.items()}


def _base_lengths(rows: Sequence[Record]) -> list[int]:
    return sorted({r.length for r in rows if r.base})


def _cell(name: Key, task: str, length: int, rows: list[Record]) -> Cell:
    count = counted(rows)
    audit = dict(Counter(r.audit for r in rows).most_common())
    answered = [r.score for r in count if r.audit not in OWN_FAULTS]
    got = mean_interval([float(r.score or 0) for r in count], documents(count)) if count else None
    return Cell(
        *name,
        task=task,
        length=length,
        base=rows[0].base,
        n=len(count),
        score=got.value if got else None,
        low=got.low if got else None,
        high=got.high if got else None,
        score_answered=float(np.mean(answered)) if answered else None,  # type: ignore[arg-type]
        audit=audit,
        diffusion=coordinate(rows, "diffusion"),
        scope=coordinate(rows, "scope"),
    )


def _moments(rows: Sequence[Record]) -> Any:
    """Items by lengths; where a task's items differ by length (`grows`) each has one column only."""
    lengths = sorted({r.length for r in rows})
    items = {item: i for i, item in enumerate(dict.fromkeys(r.item for r in rows))}
    sums, counts = np.zeros((len(items), len(lengths))), np.zeros((len(items), len(lengths)))
    clusters = [""] * len(items)
    for r, cluster in zip(rows, documents(rows), strict=True):
        clusters[items[r.item]] = cluster
        if r.score is not None:
            # An item asked several times at a length (other depths, other seeds) counts with its mean.
            sums[items[r.item], lengths.index(r.length)] += r.score
            counts[items[r.item], lengths.index(r.length)] += 1
    scores = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return moments(scores, lengths, _base_lengths(rows), clusters, chance=rows[0].chance)


def _means(rows: Sequence[Record]) -> dict[int, tuple[float, float]]:
    """Mean and effective number of samples by length."""
    out: dict[int, tuple[float, float]] = {}
    for length in sorted({r.length for r in rows}):
        here = counted([r for r in rows if r.length == length])
        if here:
            x = np.array([r.score for r in here], dtype=float)
            out[length] = (float(x.mean()), len(x) / design_effect(x, codes(documents(here), len(x))))
    return out


def _censor(found: Breakdown, rows: Sequence[Record]) -> Breakdown:
    """Name the lengths that the model's window cut off, for there the breakdown may only seem not reached."""
    over = sorted({r.length for r in rows if r.audit == "over the window"})
    if not over:
        return found
    note = f"over the window at {', '.join(map(str, over))}"
    return Breakdown(found.tokens, found.low, found.high, found.censored, f"{found.note}; {note}" if found.note else note)


def _all_tasks(
    means: Mapping[str, Mapping[int, tuple[float, float]]],
    base: Mapping[str, Sequence[int]],
    chance: Mapping[str, float],
    rows: Sequence[Record],
    share: float,
) -> Breakdown:
    """Breakdown of the mean over the tasks that have a base, at the lengths that all of those have."""
    lost = [t for t, m in means.items() if not set(base[t]) & set(m)]
    notes = []
    if 0 < len(lost) < len(means):
        means = {t: m for t, m in means.items() if t not in lost}
        notes.append(f"left out for want of base scores: {', '.join(lost) if len(lost) <= NAMED else f'{len(lost)} tasks'}")
    common = set.intersection(*(set(m) for m in means.values()))
    bases = set.intersection(*(set(base[t]) for t in means))
    together: dict[int, tuple[float, float]] = {}
    for length in sorted(common):
        at = [means[t][length] for t in means]
        mean = sum(m for m, _ in at) / len(at)
        # At 0 and 1 a little spread is assumed, or the mean of a few tasks would look certain.
        steady = [(m * n + 1) / (n + 2) for m, n in at]
        var = sum(p * (1 - p) / n for p, (_, n) in zip(steady, at, strict=True)) / len(at) ** 2
        p = sum(steady) / len(at)
        together[length] = (mean, min(p * (1 - p) / var, sum(n for _, n in at)))
    level = sum(chance[t] for t in means) / len(means)
    found = breakdown(together, sorted(bases & common), share=share, chance=level)
    missing = sorted({length for m in means.values() for length in m} - common)
    if missing:
        notes.append(f"left out, for not all tasks have scores there: {', '.join(map(str, missing))}")
    note = "; ".join(filter(None, (found.note, *notes)))
    return _censor(Breakdown(found.tokens, found.low, found.high, found.censored, note), rows)


def compare(a: Sequence[Record], b: Sequence[Record], *, seed: int = 0) -> list[Comparison]:
    """Score differences between two groups on the samples that both have, by task and over all (p not yet corrected).

    Args:
        a: records of one group.
        b: records of another.
        seed: for the random signs.
    """
    there = {(r.task, r.item, r.length): r for r in counted(b)}
    pairs = [(r, there[(r.task, r.item, r.length)]) for r in counted(a) if (r.task, r.item, r.length) in there]
    by_task: dict[str, list[tuple[Record, Record]]] = defaultdict(list)
    for pair in pairs:
        by_task[pair[0].task].append(pair)
    if len(by_task) > 1:
        by_task["all"] = pairs
    out = []
    for task, some in by_task.items():
        # An item's lengths share its luck as items share their document's: both are one cluster.
        clusters = [f"{x.task}/{cluster}" for (x, _), cluster in zip(some, documents([x for x, _ in some]), strict=True)]
        d = paired_difference(
            [float(x.score or 0) for x, _ in some], [float(y.score or 0) for _, y in some], clusters, seed=seed
        )
        out.append(Comparison(key(some[0][0]), key(some[0][1]), task, d.value, d.low, d.high, d.p, d.n))
    return out


def _corrected(rows: Sequence[Comparison]) -> tuple[Comparison, ...]:
    ps = holm([r.p for r in rows])
    return tuple(Comparison(r.a, r.b, r.task, r.difference, r.low, r.high, p, r.n) for r, p in zip(rows, ps, strict=True))


def without_prior(records: Sequence[Record], threshold: float = 0.5) -> list[Record]:
    """Records of the items that no model in them knew without the context (`prior` under the threshold, or never asked)."""
    known = {(r.task, r.item) for r in records if r.prior is not None and r.prior >= threshold}
    return [r for r in records if (r.task, r.item) not in known]


def prior_rate(records: Sequence[Record]) -> float | None:
    """Mean score of the same questions asked without their context, over distinct items and groups; None where not asked."""
    asked = {(key(r), r.task, r.item): r.prior for r in records if r.prior is not None}
    return float(np.mean(list(asked.values()))) if asked else None
