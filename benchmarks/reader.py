"""A simulated reader with a known window, through every constructive task: does the report recover how far it reads?

    python benchmarks/reader.py [--window 10240] [--first 0] [--distraction 0.05] [--depth 0] [--lengths 4k,6k,8k,9k,12k,14k,16k,24k]
        [--samples 8] [--tasks NAMES]

The reader is an honest program, no model: it answers right where all evidence lies among the last `window` tokens of the prompt
(answer room included) or among the first ones, wrong where some does not, and wrong by distraction at a known rate. Prompts,
records and statistics are those of every run. Beside each task's breakdown length stands the truth: the length at which the
reader loses the evidence of the task's first item, found by building it at more and more lengths. Prints one JSON document; exit
code 1 where fewer than nine of ten 95 % intervals hold the truth (one near a length of the grid lies at an interval's very end).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leadline import catalog
from leadline.data.haystack import Builder, Layout
from leadline.data.tokens import Tokenizer
from leadline.nouns import Answer, Item, Prompt, Record, TooLong, UserError
from leadline.runs.asking import record_of
from leadline.runs.plan import Plan, cells, items_of, parse_lengths, task_of
from leadline.runs.prompts import build, builder_of
from leadline.scoring.breakdown import Breakdown
from leadline.scoring.summary import summarise

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


def main() -> int:
    """Read and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--window", type=int, default=10_240)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--distraction", type=float, default=0.05)
    parser.add_argument("--depth", type=float, default=0.0)
    parser.add_argument("--lengths", default="4k,6k,8k,9k,12k,14k,16k,24k")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokenizer", default="minnow")
    parser.add_argument("--tasks", default="")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    lengths = parse_lengths(args.lengths)
    names = [str(s) for one in args.tasks.split(";") for s in catalog.parse_list(one)] or list(constructive())
    rows: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    records: list[Record] = []
    for spec in names:
        if reason := why_not(spec):
            left_out[spec] = reason
            continue
        begun, least = time.perf_counter(), task_of(catalog.parse(spec)).minimum
        own_lengths = [n for n in lengths if n >= least]
        if sum(n < args.window for n in own_lengths) < 2:
            left_out[spec] = f"needs {least} tokens at least, too near the window of {args.window}"
            continue
        plan = Plan(
            models=(NAME,), tasks=(catalog.parse(spec),), lengths=tuple(own_lengths[1:]), base=tuple(own_lengths[:1]),
            samples=args.samples, tokenizer=args.tokenizer, depth=args.depth,
        )  # fmt: skip
        builder = builder_of(plan, NAME)
        reader = Reader(builder.tokenizer, args.window, args.first, args.distraction)
        own = read(reader, plan, builder)
        # Together they have one base; tasks that need more than it stand alone.
        records += own if own_lengths[0] == lengths[0] else []
        group = summarise(own).groups[0]
        true = truth(reader, plan, builder, spec)
        found = group.breakdown
        rows[spec] = {
            "truth": true,
            "tokens": found.tokens, "low": found.low, "high": found.high, "note": found.note,
            "holds": holds(found, true, max(lengths)),
            "scores": {c.length: None if c.score is None else round(c.score, 3) for c in group.cells},
            "seconds": round(time.perf_counter() - begun, 2),
        }  # fmt: skip
        print(f"{spec:60} truth {true}  {found.tokens} ({found.low} to {found.high})  {rows[spec]['holds']}", file=sys.stderr)
    whole = summarise(records).groups[0]
    result = {
        "reader": {"window": args.window, "first": args.first, "distraction": args.distraction, "depth": args.depth},
        "tasks": rows,
        "left_out": left_out,
        "all": whole.breakdown.to_json(),
        "by_ability": {s.value: s.breakdown.to_json() for s in whole.slices if s.by == "ability"},
        "held": sum(row["holds"] for row in rows.values()),
        "of": len(rows),
    }
    print(json.dumps(result, indent=1))
    return 0 if result["held"] >= 0.9 * result["of"] else 1


if __name__ == "__main__":
    sys.exit(main())
