"""Prompts without a run: built for other programs, or built again to be read.

Knows nothing of asking and scoring.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.nouns import Item, Prompt, TooLong, UserError
from leadline.runs import records
from leadline.runs.plan import Cell, Plan, haystack_of, items_of, own_questions, task_of, tokenizer_of
from leadline.scoring.extract import without_thinking

if TYPE_CHECKING:
    from leadline.data.haystack import Builder, Layout

NOTHING = "(no answer)"
"""What stands in a conversation where the model said nothing: endpoints refuse empty messages."""


def builder_of(plan: Plan, model: str) -> Builder:
    """The builder with which a plan's prompts are made for one of its models."""
    from leadline.data.haystack import Builder

    return Builder(tokenizer_of(model, plan.tokenizer), noise=plan.noise, prefill=plan.prefill, seed=plan.seed)


def build(plan: Plan, builder: Builder, cell: Cell, place: int, reply: Callable[[str], str] | None = None) -> Prompt:
    """The prompt of a cell's item, by its place among the task's items.

    Args:
        plan: the run's.
        builder: for the cell's model.
        cell: which model, task and length.
        place: of the item.
        reply: what the model said to an item of an earlier turn, for conversations with its own replies; without it the right
            answers stand there.

    Raises:
        TooLong: the length is too short for the item, or a reply took more than its room.
    """
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
    turns = _last[1][: place - places.start + 1]
    return (
        talked(builder, turns, [reply(p.item) for p in turns[:-1]]) if reply and task_of(cell.task).own_history else turns[-1]
    )


def talked(builder: Builder, turns: Sequence[Prompt], replies: Sequence[str]) -> Prompt:
    """The last of a conversation's prompts with what the model itself said to those before it.

    Args:
        builder: that made them.
        turns: the prompts so far, with the right answers in them and room for all replies.
        replies: to all but the last of them.
    """
    last = turns[-1]
    if not replies:
        return last
    told = [(without_thinking(text) or "").strip() or NOTHING for text in replies]
    said = [f"{p.prefill} {text}" if p.prefill else text for p, text in zip(turns, told, strict=False)]

    def messages(prompt: Prompt) -> tuple[Mapping[str, str], ...]:
        return tuple({**m, "content": said[i // 2]} if i % 2 else m for i, m in enumerate(prompt.messages))

    texts = [builder.tokenizer.render(messages(p), p.prefill) for p in turns]
    # How a template asks for an answer is no part of a conversation that goes on: heads end as far before that as they did.
    heads = [len(text) - len(p.text) + head for text, p, head in zip(texts, turns, last.turns, strict=False)]
    goes_on = last.shared_chars > last.turns[-1]
    room = last.answer_tokens - turns[-2].answer_tokens
    tokens = len(builder.tokenizer.ids(texts[-1])) + room
    if tokens > last.length:
        raise TooLong(f"{last.id}: with the model's own replies it takes {tokens} tokens, for one was longer than its room")
    return replace(
        last,
        messages=messages(last),
        text=texts[-1],
        tokens=tokens,
        answer_tokens=room,
        turns=tuple(heads),
        shared_chars=last.shared_chars + (len(texts[-1]) - len(last.text)) * goes_on,
        sha=hashlib.sha256(texts[-1].encode()).hexdigest()[:16],
    )


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
    known = records.load(folder)
    found = [r for r in known if r.prompt == name]
    if not found:
        some = known[0].prompt if known else "none"
        raise UserError(f"the run in {folder} has no prompt {name!r}; its prompts are named like {some}")
    record = found[0]
    replies = {r.item: r.answer for r in known if r.cell == record.cell}
    plan = Plan.from_json(json.loads((folder / "run.json").read_text(encoding="utf-8"))["plan"])
    task = next(t for t in plan.tasks if str(task_of(t).spec) == record.task or str(t) == record.task)
    cell = Cell(record.model, record.method, task, record.length, record.base, record.cell)
    for n in (plan.samples, 4 * plan.samples, 64 * plan.samples):
        place = next((i for i, item in enumerate(items_of(plan, task, n)) if item.id == record.item), None)
        if place is not None:
            prompt = build(plan, builder_of(plan, record.model), cell, place, replies.__getitem__)
            if prompt.sha == record.sha:
                return prompt.text
            break
    raise UserError(f"{name} is no longer built as it was when it was asked: leadline, its data or the tokenizer changed")
