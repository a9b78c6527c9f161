"""Countdown: make a number from four others by search, and write the whole search down.

One of LongProc's six procedures (arXiv:2501.05414; princeton-pli/LongProc, Apache-2.0): a depth-first search in a fixed order,
each branch written out in the authors' form, until the target is found; then the three equations. Numbers 1 to 49 and targets
10 to 50 as in the authors' files, and traces of the lengths that theirs have at 0.5k, 2k and 8k. Numbers and target lie in
noise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

from leadline.nouns import Item, UserError
from leadline.scoring.longproc_metrics import Marks, mark_countdown
from leadline.tasks._procedures import SIZES, Procedure

LARGEST = 2000
"""Results from here on are dropped."""
LENGTHS = ((930, 1420), (3020, 5730), (11_500, 22_700))
"""Characters of the whole trace, at the 2.8 to a token that the authors' files have."""
ENDING = 290
"""Of them those behind the search, about."""
EXAMPLES = (((5, 3, 7, 4), 19), ((16, 5, 28, 43), 50))
_RULES = """You will be given four numbers and a target. Find a way to make the target from the four numbers with +, -, * and \
/. Each number is used exactly once; results on the way must be whole numbers of 0 or more and below 2000.

Search for it like this, and write the search down as in the examples:
- In each state take the pairs of numbers in order. For each pair try a + b, a - b, a * b and a / b, in this order, where a \
is the larger number. The result goes to the front of the numbers that are left, and the search goes on from there.
- A result that is a decimal or 2000 or more is dropped at once. When one number is left it is compared with the target; \
where it is not equal the branch is dropped. Division by 0 is written "Try 5 / 0 (invalid operation). drop this branch."
- Stop at the first solution, go through it backwards, and write its three equations between <Solution> and </Solution>."""


@dataclass(frozen=True, kw_only=True)
class Countdown(Procedure):
    """A depth-first search that is written out."""

    minima = (4096, 8192, 20480)
    columns = {"nums": (list, tuple), "target": int}

    def generated(self, index: int, seed: int, rng: random.Random) -> Item:
        low, high = LENGTHS[SIZES.index(self.output)]
        while True:
            numbers = [rng.randint(1, 49) for _ in range(4)]
            fits = targets(numbers, low, high)
            if fits:
                return self._asked(numbers, rng.choice(fits))

    def published(self, row: Mapping[str, Any], place: str) -> Item:
        try:
            return self._asked([int(n) for n in row["nums"]], int(row["target"]))
        except LookupError:
            raise UserError(f"{place}: {row['target']} cannot be made from {row['nums']}") from None

    def _asked(self, numbers: Sequence[int], target: int) -> Item:
        return self.made(
            instruction=_instruction(),
            evidence=[f"The four numbers are {', '.join(map(str, numbers[:3]))} and {numbers[3]}, and the target is {target}."],
            question="Somewhere in the text above four numbers and a target are given. Solve that problem, with the numbers in "
            "the order given. Write '# Search Procedure' and the whole search in the form of the examples, and then the three "
            "equations between <Solution> and </Solution> with nothing else between them.",
            reference=demonstration(numbers, target),
            avoid=("numbers are", "target"),
        )

    def marks(self, reply: str, reference: str, item: Item) -> Marks:
        return mark_countdown(reply, reference, peer=self.peer)


def _instruction() -> str:
    shown = (f"# Example\nNumbers: {list(n)}\nTarget: {t}\n\n{demonstration(n, t)}" for n, t in EXAMPLES)
    return _RULES + "\n\n" + "\n\n".join(shown) + "\n\n# Text"


def _search(numbers: Sequence[int], target: int | None, level: int, done: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Lines of the search below a state, each with the value and the equations where one number is left, else None."""
    pick, inner = len(numbers) > 2, level + (1 if len(numbers) > 2 else 0)
    for i, j in combinations(range(len(numbers)), 2):
        left = [n for k, n in enumerate(numbers) if k not in (i, j)]
        if pick:
            yield (
                f"{' ' * inner}|- Pick two numbers ({numbers[i]}, {numbers[j]}) (numbers left: {left}). "
                "Try possible operations.",
                None,
            )
        b, a = sorted((numbers[i], numbers[j]))
        head = f"{' ' * (inner + 1)}|- Try "
        for sign in "+-*/":
            if sign == "/" and (b == 0 or a % b):
                told = f"{a / b:.1f}. {a / b:.1f} is a decimal, drop this branch." if b else ""
                yield head + (f"{a} / {b} = {told}" if b else f"{a} / {b} (invalid operation). drop this branch."), None
                continue
            value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[sign]
            step = f"{a} {sign} {b} = {value}"
            if value >= LARGEST:
                yield f"{head}{step}. {value} exceeds the maximum intermediate result, drop this branch.", None
            elif not left:
                end = "== %s, target found!" if value == target else "!= %s, drop this branch."
                yield f"{head}{step}. Evaluate {value} {end % target}", (value, (*done, step))
            else:
                state = [value, *left]
                yield f"{head}{step}. Add {value} to the number set. Current number set: {_state(state, target)}", None
                yield from _search(state, target, inner + 1, (*done, step))


def _state(numbers: list[int], target: int | None) -> str:
    if len(numbers) == 2:
        return f"{numbers}, target: {target}, just two numbers left."
    return f"{numbers}, target: {target}. Options for choosing two numbers: {list(combinations(numbers, 2))}."


@lru_cache(maxsize=256)
def _demonstration(numbers: tuple[int, ...], target: int) -> str:
    lines = [f"Initial number set: {_state(list(numbers), target)}"]
    for line, end in _search(numbers, target, 0, ()):
        lines.append(line)
        if end and end[0] == target:
            first, second, third = end[1]
            back = f"Final step: {third}\nThe step before: {second}\nThe first step: {first}"
            return (
                "# Search Procedure\n"
                + "\n".join(lines)
                + f"\n\nNow we have found the target, let's trace back the solution:\n{back}\n\n"
                f"Output the solution in the required format:\n<Solution>\n{first}\n{second}\n{third}\n</Solution>\n"
            )
    raise LookupError(f"{target} cannot be made from {numbers}")


def demonstration(numbers: Sequence[int], target: int) -> str:
    """The trace that LongProc gives for a problem.

    Raises:
        LookupError: the target cannot be made.
    """
    return _demonstration(tuple(numbers), target)


def targets(numbers: Sequence[int], low: int, high: int) -> list[int]:
    """Targets from 10 to 50 whose trace has so many characters, about."""
    size, first = 100 + ENDING, dict[int, int]()
    for line, end in _search(numbers, 10, 0, ()):
        size += len(line) + 1
        if end and 10 <= end[0] <= 50:
            first.setdefault(end[0], size)
    return [value for value, at in first.items() if low <= at <= high]
