"""Formal regular expressions: parsed, measured, and compared by the automata that they denote, never as strings.

Letters, union `+`, star `*`, option `?`, concatenation without a sign and parentheses, as in theory books (so `+` is no
repetition). There is neither an empty word nor an empty set to write, so that every letter of an expression stands in
some word of its language. Knows nothing of prompts, tasks and replies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ALPHABET = "abcd"


class Node(NamedTuple):
    """A node of an expression's tree: a letter itself, or `.` (concatenation), `+`, `*` or `?` over its parts."""

    kind: str
    parts: tuple[Node, ...] = ()

    def __str__(self) -> str:
        return show(self)


def parse(text: str, alphabet: str = ALPHABET) -> Node:
    """Read an expression; blanks do not count.

    Raises:
        ValueError: it is none, with the place.
    """
    signs = text.replace(" ", "")
    at = 0

    def union() -> Node:
        nonlocal at
        node = chain()
        while at < len(signs) and signs[at] == "+":
            at += 1
            node = Node("+", (node, chain()))
        return node

    def chain() -> Node:
        node = power()
        while at < len(signs) and (signs[at] in alphabet or signs[at] == "("):
            node = Node(".", (node, power()))
        return node

    def power() -> Node:
        nonlocal at
        if at < len(signs) and signs[at] in alphabet:
            node = Node(signs[at])
        elif at < len(signs) and signs[at] == "(":
            at += 1
            node = union()
            if at >= len(signs) or signs[at] != ")":
                raise ValueError(f"{text!r}: a closing parenthesis is missing at sign {at + 1}")
        else:
            found = repr(signs[at]) if at < len(signs) else "the end"
            raise ValueError(f"{text!r}: a letter or '(' must stand at sign {at + 1}, not {found}")
        at += 1
        while at < len(signs) and signs[at] in "*?":
            node = Node(signs[at], (node,))
            at += 1
        return node

    if signs.count("(") > 200:
        raise ValueError(f"{text[:40]!r}...: more than 200 parentheses")
    node = union()
    if at < len(signs):
        raise ValueError(f"{text!r}: {signs[at]!r} cannot stand at sign {at + 1}")
    return node


def show(node: Node) -> str:
    """The expression as text, with no more parentheses than are needed."""
    if not node.parts:
        return node.kind
    if node.kind == "+":
        return "+".join(map(show, node.parts))
    if node.kind == ".":
        return "".join(f"({show(p)})" if p.kind == "+" else show(p) for p in node.parts)
    inner = node.parts[0]
    return (f"({show(inner)})" if inner.kind in "+." else show(inner)) + node.kind


def size(node: Node) -> int:
    """Nodes of the tree: letters, unions, stars, options and concatenations; parentheses do not count."""
    return 1 + sum(map(size, node.parts))


def depth(node: Node) -> int:
    """Operators on the longest way from the root to a letter."""
    return 1 + max(map(depth, node.parts)) if node.parts else 0


def letters(node: Node) -> str:
    """The letters of an expression in their order in the alphabet; those of its language too."""
    return "".join(sorted({c for part in node.parts for c in letters(part)} if node.parts else {node.kind}))


State = tuple[int, bool]
"""Positions that may be read next, as bits; and whether the word so far is in the language."""


class Automaton:
    """The position automaton of an expression, made deterministic as far as it is walked."""

    def __init__(self, node: Node) -> None:
        self.follow: list[int] = []
        """For each position, those that may come after it."""
        self.reads: dict[str, int] = {}
        """Positions that read a letter."""
        null, first, self.last = self._take(node)
        self.start: State = (first, null)

    def _take(self, node: Node) -> tuple[bool, int, int]:
        """Whether a part may be empty, where it begins, where it ends."""
        if not node.parts:
            bit = 1 << len(self.follow)
            self.follow.append(0)
            self.reads[node.kind] = self.reads.get(node.kind, 0) | bit
            return False, bit, bit
        if node.kind in "*?":
            _, first, last = self._take(node.parts[0])
            if node.kind == "*":
                self._join(last, first)
            return True, first, last
        (null, first, last), (null2, first2, last2) = map(self._take, node.parts)
        if node.kind == "+":
            return null or null2, first | first2, last | last2
        self._join(last, first2)
        return null and null2, first | (first2 if null else 0), last2 | (last if null2 else 0)

    def _join(self, ends: int, starts: int) -> None:
        for place in _bits(ends):
            self.follow[place] |= starts

    def step(self, state: State, letter: str) -> State:
        """The state after one more letter."""
        read = state[0] & self.reads.get(letter, 0)
        ahead = 0
        for place in _bits(read):
            ahead |= self.follow[place]
        return ahead, bool(read & self.last)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def accepts(node: Node, word: str) -> bool:
    """Whether a word is in the language."""
    automaton = Automaton(node)
    state = automaton.start
    for letter in word:
        state = automaton.step(state, letter)
    return state[1]


def difference(a: Node, b: Node) -> str | None:
    """A shortest word that is in one of the languages alone; None where they are the same language."""
    one, other = Automaton(a), Automaton(b)
    common = sorted(one.reads.keys() | other.reads.keys())
    queue = deque([(one.start, other.start, "")])
    seen = {(one.start, other.start)}
    while queue:
        x, y, word = queue.popleft()
        if x[1] != y[1]:
            return word
        for letter in common:
            pair = (one.step(x, letter), other.step(y, letter))
            if pair not in seen:
                seen.add(pair)
                queue.append((*pair, word + letter))
    return None


def equivalent(a: Node, b: Node) -> bool:
    """Whether two expressions denote one language."""
    return difference(a, b) is None


WORDS = 6
"""Longest words by which languages are told apart when smallest expressions are sought."""


@lru_cache(maxsize=16)
def _offsets(base: int) -> tuple[int, ...]:
    """Where the words of each length begin in a row that marks which words a language holds."""
    return tuple(sum(base**j for j in range(i)) for i in range(WORDS + 2))


def _chained(left: NDArray[np.bool_], right: NDArray[np.bool_], base: int) -> NDArray[np.bool_]:
    """Concatenation of languages row by row: bool[rows, words] each."""
    at, n = _offsets(base), len(left)
    out = np.zeros_like(left)
    for i in range(WORDS + 1):
        x = left[:, at[i] : at[i + 1], None]
        if not x.any():
            continue
        for j in range(WORDS + 1 - i):
            y = right[:, None, at[j] : at[j + 1]]
            out[:, at[i + j] : at[i + j + 1]] |= (x & y).reshape(n, -1)
    return out


def _starred(some: NDArray[np.bool_], base: int) -> NDArray[np.bool_]:
    some = some.copy()
    some[:, 0] = True
    for _ in range(WORDS.bit_length()):
        some = _chained(some, some, base)
    return some


@lru_cache(maxsize=8)
def smallest(count: int, most: int) -> Mapping[bytes, tuple[int, Node]]:
    """The smallest expression of each language over the first `count` letters, up to `most` nodes.

    Languages are told apart by their words of up to WORDS letters, so that one may hide another that differs in longer
    words only. What it says of what is *not* there is exact: words up to a length depend on the parts' words up to that
    length alone, so that a language whose words are not in the table has no expression of `most` nodes or fewer.

    Returns:
        By `print_of`: the number of nodes and the expression.
    """
    base, at = count, _offsets(count)
    rows: dict[int, NDArray[np.bool_]] = {}
    nodes: dict[int, list[Node]] = {}
    found: dict[bytes, tuple[int, Node]] = {}

    def keep(n: int, some: NDArray[np.bool_], made: list[Node]) -> None:
        fresh, prints = [], np.packbits(some, axis=1)
        for i, node in enumerate(made):
            name = prints[i].tobytes()
            if name not in found:
                found[name] = (n, node)
                fresh.append(i)
        rows[n] = np.concatenate([rows[n], some[fresh]]) if n in rows else some[fresh]
        nodes.setdefault(n, []).extend(made[i] for i in fresh)

    single = np.zeros((count, at[-1]), np.bool_)
    single[np.arange(count), 1 + np.arange(count)] = True
    keep(1, single, [Node(c) for c in ALPHABET[:count]])
    for n in range(2, most + 1):
        inner = rows[n - 1]
        optional = inner.copy()
        optional[:, 0] = True
        keep(n, optional, [Node("?", (node,)) for node in nodes[n - 1]])
        keep(n, _starred(inner, base), [Node("*", (node,)) for node in nodes[n - 1]])
        for i in range(1, n - 1):
            j = n - 1 - i
            for block in range(0, len(rows[i]), max(1, 4096 // max(1, len(rows[j])))):
                some = slice(block, block + max(1, 4096 // max(1, len(rows[j]))))
                x = np.repeat(rows[i][some], len(rows[j]), 0)
                y = np.tile(rows[j], (len(rows[i][some]), 1))
                pairs = [(a, b) for a in nodes[i][some] for b in nodes[j]]
                if i <= j:
                    keep(n, x | y, [Node("+", pair) for pair in pairs])
                keep(n, _chained(x, y, base), [Node(".", pair) for pair in pairs])
    return found


def print_of(node: Node, count: int) -> bytes:
    """The words of up to WORDS letters in a language over the first `count` letters, packed."""

    def row(node: Node) -> NDArray[np.bool_]:
        if not node.parts:
            some = np.zeros((1, _offsets(count)[-1]), np.bool_)
            some[0, 1 + ALPHABET.index(node.kind)] = True
            return some
        first = row(node.parts[0])
        if node.kind == "?":
            first[0, 0] = True
            return first
        if node.kind == "*":
            return _starred(first, count)
        second = row(node.parts[1])
        return first | second if node.kind == "+" else _chained(first, second, count)

    return np.packbits(row(node), axis=1)[0].tobytes()


def least(node: Node, most: int) -> int | None:
    """The fewest nodes of an expression of the same language, as far as `most`; None where it needs more than that.

    None is exact. A number is that of an expression with the same words of up to WORDS letters: `equivalent` tells
    whether it really is the same language.
    """
    own = letters(node)
    renamed = rename(node, dict(zip(own, ALPHABET, strict=False)))
    got = smallest(len(own), most).get(print_of(renamed, len(own)))
    return got[0] if got else None


def rename(node: Node, names: Mapping[str, str]) -> Node:
    """The expression with other letters."""
    if not node.parts:
        return Node(names[node.kind])
    return Node(node.kind, tuple(rename(part, names) for part in node.parts))
