"""Prompts without a run: built for other programs, or built again to be read.

Knows nothing of asking and scoring.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.nouns import Item, Prompt, UserError
from leadline.runs import records
from leadline.runs.plan import Cell, Plan, haystack_of, items_of, own_questions, task_of, tokenizer_of

if TYPE_CHECKING:
    from leadline.data.haystack import Builder, Layout


def builder_of(plan: Plan, model: str) -> Builder:
    """The builder with which a plan's prompts are made for one of its models."""
    from leadline.data.haystack import Builder

    return Builder(tokenizer_of(model, plan.tokenizer), noise=plan.noise, prefill=plan.prefill, seed=plan.seed)


def build(plan: Plan, builder: Builder, cell: Cell, place: int) -> Prompt:
    """The prompt of a cell's item, by its place among the task's items."""
    from leadline.data.haystack import Layout

    items = items_of(plan, cell.task, place + 1)
    if not cell.length:
        return builder.bare(items[place])
    places = haystack_of(plan, cell.task, place)
    group = items[places.start : places.stop]
    layout = Layout(depth=plan.depth, spread=plan.spread)
    name = (builder, cell.task, cell.length, layout, tuple(item.id for item in group), plan.max_output)
    if len(group) == 1 or _last[:1] != [name]:
        # The questions over one haystack are asked for one after the other.
        _last[:] = [name, build_haystack(builder, task_of(cell.task), group, cell.length, layout)]
    return _last[1][place - places.start]


_last: list[Any] = []
"""The haystack that was built last and its prompts."""


def build_haystack(builder: Builder, task: Any, items: Sequence[Item], length: int, layout: Layout) -> list[Prompt]:
    """The prompts of the items that share one haystack."""
    compose = task.compose if task.grows else None
    if len(items) > 1:
        if task.grows and not task.together:
            raise UserError(f"{task.id}: its evidence fills the whole context, so questions cannot share one: ask for 1")
        return builder.build_shared(list(items), length, layout, compose=compose)
    return [builder.build(items[0], length, layout, compose=compose)]


def build_all(builder: Builder, task: Any, n: int, length: int, seed: int, layout: Layout, shared: int = 1) -> list[Prompt]:
    """A task's first n prompts, with so many questions over each haystack.

    Raises:
        UserError: n or shared is not positive, or the length is too short for an item.
    """
    if shared < 1:
        raise UserError(f"the number of questions over one haystack must be 1 or more, got {shared}")
    if task.together and shared > 1:
        raise UserError(own_questions(task))
    groups, last = [], range(0)
    while last.stop < n:
        last = task.haystack(last.stop, seed) if task.together else range(last.stop, min(n, last.stop + shared))
        groups.append(last)
    items = task.items(last.stop, seed)
    prompts = [p for at in groups for p in build_haystack(builder, task, items[at.start : at.stop], length, layout)]
    return prompts[:n]


def whole(folder: Path, name: str) -> str:
    """A prompt of a run as the model read it, built again and checked against its hash.

    Args:
        folder: the run's.
        name: the prompt's id, `task/item@length`, as reports give it.

    Raises:
        UserError: the run has no such prompt, or it is no longer built as it was.
    """
    found = [r for r in records.load(folder) if r.prompt == name]
    if not found:
        some = [r.prompt for r in records.load(folder)[:1]]
        raise UserError(f"the run in {folder} has no prompt {name!r}; its prompts are named like {', '.join(some) or 'none'}")
    record = found[0]
    plan = Plan.from_json(json.loads((folder / "run.json").read_text(encoding="utf-8"))["plan"])
    task = next(t for t in plan.tasks if str(task_of(t).spec) == record.task or str(t) == record.task)
    cell = Cell(record.model, record.method, task, record.length, record.base, record.cell)
    for n in (plan.samples, 4 * plan.samples, 64 * plan.samples):
        place = next((i for i, item in enumerate(items_of(plan, task, n)) if item.id == record.item), None)
        if place is not None:
            prompt = build(plan, builder_of(plan, record.model), cell, place)
            if prompt.sha == record.sha:
                return prompt.text
            break
    raise UserError(f"{name} is no longer built as it was when it was asked: leadline, its data or the tokenizer changed")
