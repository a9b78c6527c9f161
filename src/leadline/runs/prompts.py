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
from leadline.runs.plan import Cell, Plan, items_of, task_of, tokenizer_of

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
    first = place // plan.questions * plan.questions
    group = items[first : first + plan.questions]
    layout = Layout(depth=plan.depth, spread=plan.spread)
    return build_haystack(builder, task_of(cell.task), group, cell.length, layout)[place - first]


def build_haystack(builder: Builder, task: Any, items: Sequence[Item], length: int, layout: Layout) -> list[Prompt]:
    """The prompts of the items that share one haystack."""
    if len(items) > 1:
        if task.grows:
            raise UserError(f"{task.id}: its evidence fills the whole context, so questions cannot share one: ask for 1")
        return builder.build_shared(list(items), length, layout)
    return [builder.build(items[0], length, layout, compose=task.compose if task.grows else None)]


def build_all(builder: Builder, task: Any, n: int, length: int, seed: int, layout: Layout, shared: int = 1) -> list[Prompt]:
    """A task's first n prompts, with so many questions over each haystack.

    Raises:
        UserError: n or shared is not positive, or the length is too short for an item.
    """
    if shared < 1:
        raise UserError(f"the number of questions over one haystack must be 1 or more, got {shared}")
    items = task.items(n, seed)
    groups = [items[i : i + shared] for i in range(0, n, shared)]
    return [prompt for group in groups for prompt in build_haystack(builder, task, group, length, layout)]


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
