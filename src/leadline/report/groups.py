"""The sections of the page that cut results other ways than by task: what tasks declare, facets, figures beside the score.

A section that has nothing to say is empty, and then the page leaves it out. Knows nothing about files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadline.report import view, words
from leadline.report.parts import Shown, cell, details, fall, key, long, score, table
from leadline.scoring.slices import GROUPINGS, Facet, Part, Slice, ordered

FEW = 6
"""Tasks whose facets and figures are shown without a click."""
BESIDE = "means beside the score"
Values = dict[str, dict[int, Any]]
"""`Facet` or `Part` by value or name, and length."""
NAMES = {
    "ability": "By ability",
    "diffusion": "By diffusion, how hard the evidence is to find",
    "scope": "By scope, how much of it there is",
}


def groups(many: Sequence[view.Series]) -> tuple[str, str]:
    """Scores by what tasks declare: by length for one group, LongScore and breakdown side by side for several."""
    shown = [by for by in GROUPINGS if any(len([s for s in one.group.slices if s.by == by]) > 1 for one in many)]
    if not shown:
        return "", ""
    why = (
        "Mean over the tasks that declare the same of themselves: the ability they need, and their levels of diffusion and "
        "scope, with the mean of what was computed from their prompts (0 to 1)."
    )
    if len(many) == 1:
        return why + " The fuller the colour, the better.", _one(many[0], shown)
    rows: list[list[Shown]] = []
    for by in shown:
        rows.append([cell(NAMES[by])])
        by_group = [{s.value: s for s in one.group.slices if s.by == by} for one in many]
        for value in ordered(v for found in by_group for v in found):
            found = [slices.get(value) for slices in by_group]
            first = next(s for s in found if s is not None)
            rows.append([cell(value, _tasks(first)), *map(_mean, found)])
    each = "".join(details(f"{one.label}, by length", _one(one, shown)) for one in many)
    content = table(["", *(one.label for one in many)], rows, "Scores by ability, diffusion and scope")
    return f"{why} In each cell the score over all lengths, and the breakdown length [tokens].", content + each


def _tasks(one: Slice) -> str:
    """How many tasks, and the mean of the coordinate that was computed from their prompts."""
    said = f"{len(one.tasks)} task{'s' if len(one.tasks) > 1 else ''}"
    computed = None if one.by == "ability" else getattr(one, one.by)
    return said if computed is None else f"{said}, at {computed:.2f}"


def _mean(one: Slice | None) -> Shown:
    if one is None or one.score is None:
        return cell("–")
    return cell(words.score(one.score), words.bound(one.breakdown), fill=one.score)


def _one(one: view.Series, shown: Sequence[str]) -> str:
    rows: list[list[Shown]] = []
    for by in shown:
        rows.append([cell(NAMES[by])])
        for s in (s for s in one.group.slices if s.by == by):
            at = {p.length: p for p in s.points}
            by_length = [score(at.get(n), fill=True) for n in one.lengths]
            rows.append([cell(s.value, _tasks(s)), *by_length, long(s.longscore), fall(s.breakdown)])
    head = ["", *map(words.length, one.lengths), "LongScore", "breakdown [tokens]"]
    return table(head, rows, "Scores by ability, diffusion and scope, and by length")


def within(many: Sequence[view.Series]) -> tuple[str, str]:
    """Of each task, scores by the facets of its items and means of the figures beside the score, by length."""
    blocks: dict[str, dict[str, list[Values]]] = {}
    for i, one in enumerate(many):
        for task, facet, values in view.facets(one):
            _block(blocks, task, facet, len(many))[i].update(values)
        for task, figures in view.parts(one):
            _block(blocks, task, BESIDE, len(many))[i].update(figures)
    tables = [(task, _table(many, task, found)) for task, found in blocks.items()]
    content = "".join(details(task, block, len(tables) <= FEW) for task, block in tables)
    return (
        "Scores by what the items of a task differ in, with 95 % intervals, and means of the figures beside the score.",
        content,
    )


def _block(blocks: dict[str, dict[str, list[Values]]], task: str, name: str, groups: int) -> list[Values]:
    return blocks.setdefault(task, {}).setdefault(name, [{} for _ in range(groups)])


def _table(many: Sequence[view.Series], task: str, blocks: Mapping[str, Sequence[Values]]) -> str:
    """Values by length under the name of each block; with several groups each value has a row for each."""
    columns = sorted({c.length for one in many for c in one.group.cells if c.task == task})
    rows: list[list[Shown]] = []
    # Figures come last, in whatever order the groups have them.
    for name in sorted(blocks, key=lambda name: name == BESIDE):
        rows.append([cell(name)])
        for value in dict.fromkeys(value for one in blocks[name] for value in one):
            for i, one in enumerate(many):
                at = blocks[name][i].get(value, {})
                first = cell(value or "–") if len(many) == 1 else cell(f"{value or '–'} · {one.label}", html=key(i))
                rows.append([first, *(_shown(at.get(n)) for n in columns)])
    return table(["", *map(words.length, columns)], rows, f"{task} by facet, and figures beside the score")


def _shown(found: Facet | Part | None) -> Shown:
    return cell(words.figure(found.mean)) if isinstance(found, Part) else score(found, fill=True)
