"""An honest program in place of a model: it reads a known part of a prompt, and is wrong at a known rate.

What a run, its statistics and its report make of such a reader can be held against the truth. Knows nothing of any plugin.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leadline import catalog
from leadline.data.haystack import Builder, Layout
from leadline.data.tokens import Tokenizer
from leadline.nouns import Answer, Item, Prompt, Record, TooLong, UserError
from leadline.runs.asking import record_of
from leadline.runs.plan import Plan, cells, items_of, task_of
from leadline.runs.prompts import build
from leadline.scoring.breakdown import Breakdown

NAME = "simulated/reader"
"""As an endpoint is named, whose tokenizer is given."""


@dataclass(frozen=True)
class Reader:
    """Reads the ends of a prompt, and loses its thread now and then."""

    tokenizer: Tokenizer
    window: int
    """Last tokens that it reads, answer room included."""
    first: int = 0
    """First tokens that it reads."""
    distraction: float = 0.0
    """Share of its readings that it gets wrong although it saw all."""

    def sees(self, prompt: Prompt) -> bool:
        """Whether all evidence lies within what it reads."""
        if not prompt.evidence:
            return True
        content = prompt.text.index(prompt.messages[0]["content"])
        ends = self.tokenizer.ends(prompt.text)
        shift = max(0, prompt.tokens - self.window)

        def read(start: int, end: int) -> bool:
            # Token numbers of the piece's first and last characters.
            a, b = np.searchsorted(ends, [content + start + 1, content + end], "left")
            return a >= shift or b < self.first

        return all(read(start, end) for start, end in prompt.evidence)

    def answer(self, task: Any, item: Item, prompt: Prompt) -> Answer:
        """What it says."""
        name = f"{item.id}/{prompt.length}"
        luck = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big") / 2**56
        right = luck >= self.distraction and self.sees(prompt)
        text = task.gold(prompt.answers, item) if right else task.wrong(prompt.answers, item, random.Random(name))
        return Answer(text=text, prompt_tokens=prompt.tokens - prompt.answer_tokens)


def constructive() -> Iterator[str]:
    """Specs of all tasks that are made from nothing, those of suites with their settings, each once."""
    found: dict[str, None] = {}
    for entry in catalog.entries("tasks").values():
        for spec in catalog.expand(catalog.parse(entry.id), "tasks"):
            found[str(spec)] = None
    yield from (spec for spec in found if not task_of(catalog.parse(spec)).natural)


def why_not(spec: str) -> str:
    """Why a task cannot be read here: it needs data, a judge or a sandbox; '' where it can."""
    from leadline.scoring import sandbox

    task = task_of(catalog.parse(spec))
    if task.roles and not task.without_roles:
        return "scored by a model"
    try:
        if task.runs_code:
            sandbox.require(spec)
        task.items(1)
    except UserError as error:
        return str(error)
    return ""


def fits(plan: Plan, builder: Builder) -> bool:
    """Whether the base is long enough for the first samples; a task's minimum says so of what is made, not of users' data."""
    try:
        for place in range(plan.samples):
            build(plan, builder, cells(plan)[0], place)
    except TooLong:
        return False
    return True


def read(reader: Reader, plan: Plan, builder: Builder) -> list[Record]:
    """The reader's records of a plan's cells."""
    found = []
    for cell in cells(plan):
        task = task_of(cell.task)
        if cell.length < task.minimum:
            continue
        for place, item in enumerate(items_of(plan, cell.task, plan.samples)[: plan.samples]):
            prompt = build(plan, builder, cell, place)
            shown = replace(item, meta=prompt.meta) if task.grows else item
            found.append(record_of(plan, cell, shown, prompt, reader.answer(task, shown, prompt)))
    return found


def truth(reader: Reader, plan: Plan, builder: Builder, spec: str) -> int | None:
    """The length at which the reader loses the evidence of the first item; None where it never does up to the longest."""
    task, item = task_of(catalog.parse(spec)), items_of(plan, catalog.parse(spec), 1)[0]

    def seen(length: int) -> bool:
        prompt = builder.build(item, length, Layout(depth=plan.depth), compose=task.compose if task.grows else None)
        return reader.sees(prompt)

    low, high = max(plan.base), max(plan.lengths)
    if seen(high):
        return None
    while high - low > max(16, low // 200):
        middle = (low + high) // 2
        low, high = (middle, high) if seen(middle) else (low, middle)
    return low


def holds(found: Breakdown, true: int | None, longest: int) -> bool:
    """Whether an estimate is right about the truth."""
    if found.tokens is None:
        return False
    if true is None:
        return found.censored and found.high is None and found.tokens >= longest
    return (found.low or 0) <= true <= (found.high or found.tokens if found.censored else found.high or 1 << 60)
