"""Limits on what a run may spend: a sample is asked only where its highest cost still fits.

Knows nothing of models and files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from leadline.nouns import Item, Record
from leadline.runs.plan import Cell, Plan, price


class Spent:
    """What a run has spent, and whether there is room for more."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tokens, self.cost, self.refused = 0, 0.0, 0
        self._held_tokens, self._held_cost = 0, 0.0

    @property
    def limit(self) -> str:
        """The limits, in words."""
        plan = self.plan
        limits = [f"{plan.max_tokens_total:,} tokens"] if plan.max_tokens_total is not None else []
        limits += [f"${plan.max_cost:g}"] if plan.max_cost is not None else []
        spent = f"{self.tokens:,} tokens" + (f" and ${self.cost:.4f}" if self.cost else "")
        return f"the limit is {' and '.join(limits)}, spent are {spent}"

    def add(self, record: Record) -> None:
        """Count a finished sample."""
        read = record.tokens if record.prompt_tokens is None else record.prompt_tokens
        self.tokens += read + (record.output_tokens or 0) if record.stop not in ("window", "error") else 0
        self.cost += record.cost or 0.0

    @contextlib.contextmanager
    def room(self, cell: Cell, item: Item) -> Iterator[bool]:
        """Hold what a sample may cost at most while it is asked; False where that would pass a limit."""
        plan = self.plan
        written = item.answer_tokens + plan.thinking
        read = cell.length - item.answer_tokens if cell.length else len(item.instruction) + len(item.question)
        tokens, cost = read + written, price(plan, read, written) or 0.0
        over = plan.max_tokens_total is not None and self.tokens + self._held_tokens + tokens > plan.max_tokens_total
        if over or (plan.max_cost is not None and self.cost + self._held_cost + cost > plan.max_cost):
            self.refused += 1
            yield False
            return
        self._held_tokens += tokens
        self._held_cost += cost
        try:
            yield True
        finally:
            self._held_tokens -= tokens
            self._held_cost -= cost
