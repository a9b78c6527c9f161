"""Which requests are answered together: shared prefixes found in the token ids, batches within a token budget.

Knows nothing of models, tensors or devices: token ids in, plans out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 64
"""Shortest prefix worth sharing [tokens]."""

_Interval = tuple[int, int, int, list[tuple[int, int, int]]]
"""First and last row, tokens saved, and the groups in it as (first, last, prefix)."""


@dataclass(frozen=True)
class Request:
    """One thing to be asked of a local model."""

    text: str
    """What the model reads, as in `Prompt.text`."""
    max_tokens: int
    """Room for the answer [tokens]."""
    stop: tuple[str, ...] = ()
    """Strings that end the answer; they are not part of it."""
    temperature: float = 0.0
    """0 is greedy."""
    seed: int = 0
    """Seed of this request's own sampling."""
    shared_chars: int = 0
    """Length of the head of `text` that later requests will share [characters]; a hint to keep its cache."""
    turns: tuple[int, ...] = ()
    """Lengths of the heads of `text` that are read as prompts of their own, as `Prompt.turns` [characters]."""


@dataclass(frozen=True)
class Row:
    """A request with its token ids and its place among the answers."""

    index: int
    request: Request
    ids: list[int]


@dataclass(frozen=True)
class Group:
    """Rows whose first `prefix` tokens are the same; `prefix` is 0 for rows that share nothing."""

    prefix: int
    rows: tuple[Row, ...]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Number of tokens that two sequences share from the start."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(np.asarray(a[:n]) != np.asarray(b[:n]))
    return int(differ[0]) if differ.size else n


def plan(rows: Sequence[Row], kept: Sequence[int] = (), least: int = LEAST) -> list[Group]:
    """Partition rows into groups with a shared prefix so that the most prompt tokens are saved.

    Sequences in sorted order have their longest common prefixes with their neighbours, so every group is an
    interval. Neighbours are joined from the longest common prefix down; a join is taken where it saves more
    than what its two halves save apart (so one instruction before many haystacks does not break them up).

    Args:
        rows: what is to be asked.
        kept: token ids whose cache is still held; takes part in the grouping as if it were one more row.
        least: shortest prefix that makes a group [tokens].

    Returns:
        Groups that use `kept` first, then one group of all rows that share nothing, then the others.
    """
    ghost = Row(-1, Request("", 1), list(kept))
    order = sorted([*rows, ghost] if kept else rows, key=lambda row: row.ids)
    shared = [common(a.ids, b.ids) for a, b in zip(order, order[1:], strict=False)]
    # Each interval is stored at both its ends.
    at: dict[int, _Interval] = {i: (i, i, 0, []) for i in range(len(order))}
    for i in sorted((i for i, n in enumerate(shared) if n >= least), key=lambda i: -shared[i]):
        left, right = at[i], at[i + 1]
        first, last = left[0], right[1]
        together = shared[i] * (last - first)
        apart = left[2] + right[2]
        joined = (first, last, together, [(first, last, shared[i])])
        at[first] = at[last] = joined if together >= apart else (first, last, apart, left[3] + right[3])
    first_groups: list[Group] = []
    others: list[Group] = []
    alone: list[Row] = []
    i = 0
    while i < len(order):
        taken = i
        for first, last, prefix in at[i][3]:
            alone += order[taken:first]
            members = tuple(row for row in order[first : last + 1] if row is not ghost)
            # The last token of a prompt is always fed: its logits are the answer's first.
            prefix = min(prefix, *(len(row.ids) - 1 for row in members)) if members else 0
            if len(members) <= last - first:
                first_groups.append(Group(prefix, members))
            else:
                others.append(Group(prefix, members))
            taken = last + 1
        i = at[i][1] + 1
        alone += order[taken:i]
    alone = [row for row in alone if row is not ghost]
    middle = [Group(0, tuple(sorted(alone, key=lambda row: row.index)))] if alone else []
    return [group for group in first_groups if group.rows] + middle + others


def batches(rows: Sequence[Row], budget: int) -> Iterator[list[Row]]:
    """Cut rows, sorted by length, into batches of at most `budget` tokens, padding and answer room included.

    A row that is longer than the budget is a batch of its own.
    """
    batch: list[Row] = []
    longest = room = 0
    for row in sorted(rows, key=lambda row: (len(row.ids), row.request.max_tokens, row.index)):
        longest, room = max(longest, len(row.ids)), max(room, row.request.max_tokens)
        if batch and (len(batch) + 1) * (longest + room) > budget:
            yield batch
            batch, longest, room = [], len(row.ids), row.request.max_tokens
        batch.append(row)
    if batch:
        yield batch
