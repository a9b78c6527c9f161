"""Functions to be induced from examples: chains of small steps over numbers, texts, lists, tables and counts.

A function is drawn from a generator, runs exactly, and is kept only where its outputs differ enough to tell something.
Its examples are a stream: more begin with the fewer, no input comes twice.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data import lexicon

LONGEST = 140
"""Signs of an input or an output, at most."""
VOWELS = "aeiou"
WORDS = tuple(sorted({*lexicon.ADJECTIVES, *lexicon.NOUNS}))


@dataclass(frozen=True)
class Step:
    """One step: from a kind of value to a kind of value, with a parameter that is drawn."""

    name: str
    takes: str
    gives: str
    run: Callable[[Any, int], Any]
    draw: Callable[[random.Random], int] = lambda rng: 0


def _caesar(text: str, k: int) -> str:
    return "".join(chr((ord(c) - 97 + k) % 26 + 97) if "a" <= c <= "z" else c for c in text)


def _runs(some: Sequence[int]) -> list[int]:
    top, out = some[0], []
    for x in some:
        top = max(top, x)
        out.append(top)
    return out


def _sums(some: Sequence[int]) -> list[int]:
    total, out = 0, []
    for x in some:
        total += x
        out.append(total)
    return out


def _alive(grid: Sequence[Sequence[int]], _: int = 0) -> list[list[int]]:
    """One step of Conway's life; what lies outside is dead."""

    def near(r: int, c: int) -> int:
        rows = grid[max(0, r - 1) : r + 2]
        return sum(sum(row[max(0, c - 1) : c + 2]) for row in rows) - grid[r][c]

    return [[int(near(r, c) == 3 or (cell and near(r, c) == 2)) for c, cell in enumerate(row)] for r, row in enumerate(grid)]


def _cells(some: Sequence[int], rule: int) -> list[int]:
    """One step of an elementary cellular automaton over the parities, closed to a ring."""
    bits = [x % 2 for x in some]
    n = len(bits)
    return [rule >> (4 * bits[i - 1] + 2 * bits[i] + bits[(i + 1) % n]) & 1 for i in range(n)]


def _each(text: str, k: int, first: int, some: Callable[[str], str], rest: Callable[[str], str]) -> list[str]:
    """Every k-th letter, from the first on, changed in one way and the others in another."""
    return [some(c) if i % k == first % k else rest(c) for i, c in enumerate(text)]


def _number(low: int, high: int) -> Callable[[random.Random], int]:
    return lambda rng: rng.randint(low, high)


STEPS = (
    Step("add", "int", "int", lambda x, k: x + k, _number(-30, 30)),
    Step("times", "int", "int", lambda x, k: x * k, _number(2, 9)),
    Step("modulo", "int", "int", lambda x, k: x % k, _number(5, 40)),
    Step("digit sum", "int", "int", lambda x, _: sum(map(int, str(abs(x))))),
    Step("digits reversed", "int", "int", lambda x, _: int(str(abs(x))[::-1])),
    Step("halve or triple", "int", "int", lambda x, k: x // 2 if x % 2 == 0 else 3 * x + k, _number(1, 5)),
    Step("in base", "int", "text", lambda x, k: _base(abs(x), k), _number(2, 5)),
    Step("digits", "int", "ints", lambda x, _: list(map(int, str(abs(x))))),
    Step("sorted", "ints", "ints", lambda x, _: sorted(x)),
    Step("sorted down", "ints", "ints", lambda x, _: sorted(x, reverse=True)),
    Step("those above", "ints", "ints", lambda x, k: [v for v in x if v > k], _number(-5, 20)),
    Step("even ones", "ints", "ints", lambda x, _: [v for v in x if v % 2 == 0]),
    Step("each times", "ints", "ints", lambda x, k: [v * k for v in x], _number(2, 6)),
    Step("each plus", "ints", "ints", lambda x, k: [v + k for v in x], _number(-9, 9)),
    Step("running sums", "ints", "ints", lambda x, _: _sums(x)),
    Step("running maxima", "ints", "ints", lambda x, _: _runs(x) if x else []),
    Step("differences", "ints", "ints", lambda x, _: [b - a for a, b in zip(x, x[1:], strict=False)]),
    Step("reversed", "ints", "ints", lambda x, _: x[::-1]),
    Step("rotated", "ints", "ints", lambda x, k: x[k % len(x) :] + x[: k % len(x)] if x else [], _number(1, 3)),
    Step("every second", "ints", "ints", lambda x, _: x[::2]),
    Step("cells", "ints", "ints", _cells, lambda rng: rng.choice((30, 90, 110, 150))),
    Step("sum", "ints", "int", lambda x, _: sum(x)),
    Step("range", "ints", "int", lambda x, _: max(x) - min(x) if x else 0),
    Step("count above", "ints", "int", lambda x, k: sum(v > k for v in x), _number(-5, 20)),
    Step("alternating sum", "ints", "int", lambda x, _: sum(x[::2]) - sum(x[1::2])),
    Step("place of the largest", "ints", "int", lambda x, _: x.index(max(x)) if x else -1),
    Step("ends", "ints", "pair", lambda x, _: (min(x), max(x)) if x else (0, 0)),
    Step("rises", "ints", "bool", lambda x, _: sum(b > a for a, b in zip(x, x[1:], strict=False)) > len(x) / 2),
    Step("reversed", "text", "text", lambda x, _: x[::-1]),
    Step("capitals", "text", "text", lambda x, _: x.upper()),
    Step("title", "text", "text", lambda x, _: x.title()),
    Step("shifted", "text", "text", _caesar, _number(1, 25)),
    Step("without vowels", "text", "text", lambda x, _: "".join(c for c in x if c.lower() not in VOWELS)),
    Step("doubled letters", "text", "text", lambda x, k: "".join(_each(x, k, 0, lambda c: 2 * c, str)), _number(1, 3)),
    Step("rotated", "text", "text", lambda x, k: x[k % len(x) :] + x[: k % len(x)] if x else "", _number(1, 4)),
    Step("every other capital", "text", "text", lambda x, k: "".join(_each(x, 2, k, str.upper, str.lower)), _number(0, 1)),
    Step("vowels", "text", "int", lambda x, _: sum(c.lower() in VOWELS for c in x)),
    Step("length", "text", "int", lambda x, _: len(x)),
    Step("different letters", "text", "int", lambda x, _: len(set(x.lower()) - {" "})),
    Step("places in the alphabet", "text", "ints", lambda x, _: [ord(c) - 96 for c in x.lower() if "a" <= c <= "z"][:12]),
    Step("words", "text", "words", lambda x, _: x.split()),
    Step("by length", "words", "words", lambda x, _: sorted(x, key=len)),
    Step("by last letter", "words", "words", lambda x, _: sorted(x, key=lambda w: w[-1:])),
    Step("long ones", "words", "words", lambda x, k: [w for w in x if len(w) >= k], _number(4, 7)),
    Step("each reversed", "words", "words", lambda x, _: [w[::-1] for w in x]),
    Step("initials", "words", "text", lambda x, _: "".join(w[:1] for w in x)),
    Step("joined", "words", "text", lambda x, _: "-".join(x)),
    Step("lengths", "words", "ints", lambda x, _: [len(w) for w in x]),
    Step("count of first letters", "words", "counts", lambda x, _: dict(sorted(Counter(w[0] for w in x if w).items()))),
    Step("length of each", "words", "counts", lambda x, _: {w: len(w) for w in x}),
    Step("total", "counts", "int", lambda x, _: sum(x.values())),
    Step("more than", "counts", "counts", lambda x, k: {w: v for w, v in x.items() if v > k}, _number(2, 8)),
    Step("plus", "counts", "counts", lambda x, k: {w: v + k for w, v in x.items()}, _number(1, 9)),
    Step("names by count", "counts", "words", lambda x, _: sorted(x, key=lambda w: (-x[w], w))),
    Step("largest", "counts", "text", lambda x, _: max(x, key=lambda w: x[w]) if x else ""),
    Step("turned", "grid", "grid", lambda x, _: [list(row) for row in zip(*x[::-1], strict=True)]),
    Step("transposed", "grid", "grid", lambda x, _: [list(row) for row in zip(*x, strict=True)]),
    Step("mirrored", "grid", "grid", lambda x, _: [row[::-1] for row in x]),
    Step("inverted", "grid", "grid", lambda x, _: [[1 - v for v in row] for row in x]),
    Step("one step of life", "grid", "grid", _alive),
    Step("row sums", "grid", "ints", lambda x, _: [sum(row) for row in x]),
    Step("column sums", "grid", "ints", lambda x, _: [sum(row) for row in zip(*x, strict=True)]),
    Step("full cells", "grid", "int", lambda x, _: sum(map(sum, x))),
    Step("symmetric", "grid", "bool", lambda x, _: all(row[0] == row[-1] for row in x)),
)  # fmt: skip
KINDS = ("int", "ints", "text", "words", "counts", "grid")
"""What functions may take; they may give pairs and truth values too."""


def _base(x: int, base: int) -> str:
    digits = ""
    while True:
        x, digit = divmod(x, base)
        digits = str(digit) + digits
        if not x:
            return digits


def given(kind: str, rng: random.Random) -> Any:
    """A random value of a kind, as input."""
    if kind == "int":
        return rng.choice((rng.randint(0, 99), rng.randint(100, 9999)))
    if kind == "ints":
        return [rng.randint(-20, 60) for _ in range(rng.randint(3, 8))]
    if kind == "text":
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 3)))
    if kind == "words":
        return [rng.choice(WORDS) for _ in range(rng.randint(3, 6))]
    if kind == "counts":
        return {rng.choice(WORDS): rng.randint(1, 12) for _ in range(rng.randint(3, 5))}
    size = rng.randint(3, 4)
    return [[rng.randint(0, 1) for _ in range(size)] for _ in range(size)]


@dataclass(frozen=True)
class Function:
    """A chain of steps with their parameters."""

    takes: str
    chain: tuple[tuple[int, int], ...]
    """(number of the step, parameter)."""

    @property
    def gives(self) -> str:
        """Kind of its outputs."""
        return STEPS[self.chain[-1][0]].gives

    @property
    def name(self) -> str:
        """The steps in words."""
        return ", ".join(f"{STEPS[i].name} {k}" if k else STEPS[i].name for i, k in self.chain)

    def __call__(self, value: Any) -> Any:
        """The output for an input."""
        for i, k in self.chain:
            value = STEPS[i].run(value, k)
        return value


def drawn(rng: random.Random, steps: int) -> Function:
    """A function of so many steps whose outputs tell something of it."""
    while True:
        takes = kind = rng.choice(KINDS)
        chain = []
        for _ in range(steps):
            able = [i for i, s in enumerate(STEPS) if s.takes == kind and i not in {j for j, _ in chain}]
            if not able:
                break
            number = rng.choice(able)
            chain.append((number, STEPS[number].draw(rng)))
            kind = STEPS[number].gives
        made = Function(takes, tuple(chain))
        if len(chain) == steps and telling(made, random.Random(rng.random())):
            return made


def telling(function: Function, rng: random.Random) -> bool:
    """Whether no output is too common, few repeat the input, and all are short."""
    inputs = [given(function.takes, rng) for _ in range(60)]
    try:
        outputs = [function(x) for x in inputs]
    except (ValueError, IndexError):
        return False
    texts = [repr(y) for y in outputs]
    most = Counter(texts).most_common(1)[0][1]
    if any(len(t) > LONGEST for t in texts) or sum(x == y for x, y in zip(inputs, outputs, strict=True)) > 15:
        return False
    return most <= (45 if function.gives == "bool" else 20)


@dataclass(frozen=True)
class Shot:
    """An example; `right` is what the function really gives."""

    given: str
    shown: str
    right: str

    @property
    def text(self) -> str:
        """The example as it stands in a prompt."""
        return f"Input: {self.given}\nOutput: {self.shown}"


def examples(function: Function, name: str, wrong: float, asked: str) -> Iterator[Shot]:
    """An endless stream of examples with different inputs; of each 64 in turn a share `wrong` has another input's output.

    The input that is asked for never comes.
    """
    rng = random.Random(f"{name}/examples")
    slips = random.Random(f"{name}/slips")
    seen = {asked}
    number, bad = 0, set[int]()
    while True:
        if number % 64 == 0:
            bad = {number + i for i in slips.sample(range(64), round(64 * wrong))}
        value = fresh(function, rng, seen)
        right = shown = repr(function(value))
        while number in bad and shown == right:
            shown = repr(function(given(function.takes, slips)))
        yield Shot(repr(value), shown, right)
        number += 1


def fresh(function: Function, rng: random.Random, seen: set[str]) -> Any:
    """An input that was not seen before; where short ones run out, they may grow longer."""
    while True:
        for _ in range(50):
            value = given(function.takes, rng)
            if repr(value) not in seen and len(repr(value)) <= LONGEST:
                seen.add(repr(value))
                return value
        if function.takes == "int":
            value = rng.randint(10_000, 10_000_000)
        elif function.takes == "grid":
            size = rng.randint(5, 6)
            value = [[rng.randint(0, 1) for _ in range(size)] for _ in range(size)]
        else:
            continue
        if repr(value) not in seen:
            seen.add(repr(value))
            return value


class Stream:
    """Examples that were taken so far; more are taken when more are asked for."""

    def __init__(self, source: Iterator[Shot]) -> None:
        self.source, self.have = source, list[Shot]()

    def __getitem__(self, i: int) -> Shot:
        """Example number i."""
        while len(self.have) <= i:
            self.have.append(next(self.source))
        return self.have[i]


@lru_cache(maxsize=64)
def stream(function: Function, name: str, wrong: float, asked: str) -> Stream:
    """The examples of a function under a name, kept for the next that asks."""
    return Stream(examples(function, name, wrong, asked))
