"""Problems about formal regular expressions, drawn and labelled by automata: what the regex tasks share."""

from __future__ import annotations

import random
from collections.abc import Callable

from leadline.data.expressions import LETTERS, drawn
from leadline.scoring.automata import ALPHABET, Node, equivalent, letters, parse, print_of, rename, show, size, smallest

MOST = 8
"""Smallest expressions are known up to so many nodes, over three letters; problems have labels up to that."""
LONGEST = 15
"""Most nodes of a problem's expression."""


def minimal(rng: random.Random) -> tuple[Node, Node]:
    """An expression, and a smallest one of the same language with fewer nodes: found by enumeration, checked by automata."""
    while True:
        one = parse(drawn(rng, rng.sample(LETTERS, rng.choice((2, 3, 3)))))
        own, nodes = letters(one), size(one)
        if len(own) < 2 or not 7 <= nodes <= LONGEST:
            continue
        label = smallest_of(one)
        if label is not None and 4 <= size(label) < nodes:
            return one, label


def smallest_of(one: Node) -> Node | None:
    """A smallest expression of the same language, in its own letters; None where it has more than MOST nodes."""
    own = letters(one)
    renamed = rename(one, dict(zip(own, ALPHABET, strict=False)))
    got = smallest(len(own), MOST).get(print_of(renamed, len(own)))
    if got is None or not equivalent(got[1], renamed):
        return None
    return rename(got[1], dict(zip(ALPHABET, own, strict=False)))


def grown(node: Node, rng: random.Random, steps: int = 3, most: int = LONGEST + 3) -> Node:
    """Another expression of the same language: identities and unions with what is already in it, at random places."""
    changed = node
    for _ in range(40 * steps):
        if not steps:
            break
        place = rng.randrange(size(changed))
        other = _replaced(changed, place, lambda part: _turned(part, rng) if part.parts or rng.random() < 0.2 else part)
        if size(other) <= most and other != changed and equivalent(other, node):
            changed, steps = other, steps - 1
    return changed


def _turned(part: Node, rng: random.Random) -> Node:
    """A part in another form; not always of the same language, so what comes of it is checked."""
    forms = [
        Node("+", (part, part)),
        Node("?", (part,)),
        Node("+", (part, parse(drawn(rng, letters(part), 2)))),
        Node("+", (parse(drawn(rng, letters(part), 1)), part)),
    ]
    if part.kind == "*":
        inner = part.parts[0]
        forms += [
            Node("*", (part,)),
            Node("*", (Node("?", (inner,)),)),
            Node(".", (part, part)),
            Node(".", (part, Node("?", (inner,)))),
        ]
        forms += [Node("?", (Node(".", (inner, part)),)), Node("+", (inner, part))]
    if part.kind == "+":
        forms.append(Node("+", part.parts[::-1]))
    if part.kind == "?":
        forms.append(Node("?", (part,)))
    return rng.choice(forms)


def _replaced(node: Node, place: int, turn: Callable[[Node], Node]) -> Node:
    """The tree with its node number `place` (from the root, left first) turned."""
    if place == 0:
        return turn(node)
    place -= 1
    parts = list(node.parts)
    for i, part in enumerate(parts):
        if place < size(part):
            parts[i] = _replaced(part, place, turn)
            break
        place -= size(part)
    return Node(node.kind, tuple(parts))


def other(node: Node, rng: random.Random, near: bool) -> Node:
    """An expression over the same letters that denotes another language.

    Args:
        node: the expression.
        rng: draws it.
        near: made by one small change of the expression, grown again; else any other one.
    """
    while True:
        if near:
            place = rng.randrange(size(node))
            found = _replaced(node, place, lambda part: _spoilt(part, rng, letters(node)))
        else:
            found = parse(drawn(rng, letters(node)))
        if letters(found) == letters(node) and 5 <= size(found) <= LONGEST and not equivalent(found, node):
            return grown(found, rng, rng.randrange(3)) if near else found


def _spoilt(part: Node, rng: random.Random, some: str) -> Node:
    if not part.parts:
        return rng.choice([Node(rng.choice(some)), Node("?", (part,)), Node("*", (part,))])
    if part.kind in "*?":
        return rng.choice([Node("?" if part.kind == "*" else "*", part.parts), part.parts[0]])
    if part.kind == "+":
        return rng.choice([Node(".", part.parts), part.parts[0]])
    return rng.choice([Node(".", part.parts[::-1]), Node("+", part.parts)])


def pair(rng: random.Random, same: bool, near: bool) -> tuple[Node, Node]:
    """Two expressions that denote one language (`same`) or two; the label is checked by automata."""
    while True:
        one, label = minimal(rng)
        two = grown(label, rng) if same else other(one, rng, near)
        if show(two) != show(one) and equivalent(one, two) == same:
            return one, two
