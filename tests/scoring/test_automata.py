"""Expressions and their automata, against all words and all smaller expressions."""

import itertools
import random
import re

import pytest

from leadline.data.expressions import drawn
from leadline.scoring import automata as x

HAND = [
    ("(b+b)*(d+d)*", 9, 3, "b*d*", 5, 2),
    ("b+d+c*+(c+d)d*", 13, 3, "b+c?d*+c*", 10, 4),
    ("(b+c)c*(cd+d?)", 13, 3, "(b+c)c*d?", 9, 3),
]
"""Expressions of the authors' examples with their smallest forms: nodes and depth of both."""


def matches(text: str, word: str) -> bool:
    """The slow, obvious reference: Python's own engine, where the union is written otherwise."""
    return re.fullmatch(_grouped(x.parse(text)), word) is not None


def _grouped(node: x.Node) -> str:
    if not node.parts:
        return node.kind
    parts = [f"(?:{_grouped(p)})" for p in node.parts]
    return {"+": "|".join(parts), ".": "".join(parts)}.get(node.kind, parts[0] + node.kind)


WORDS = ["".join(w) for n in range(6) for w in itertools.product("abc", repeat=n)]


@pytest.mark.parametrize(("long", "nodes", "deep", "short", "fewest", "deep2"), HAND)
def test_known_pairs(long, nodes, deep, short, fewest, deep2):
    one, two = x.parse(long), x.parse(short)
    assert (x.size(one), x.depth(one), x.size(two), x.depth(two)) == (nodes, deep, fewest, deep2)
    assert x.equivalent(one, two)
    if fewest <= 9:
        assert x.least(one, fewest - 1) is None
    if fewest < 9:
        assert x.least(one, fewest) == fewest


def test_words_of_the_examples():
    assert x.accepts(x.parse("(b+b)*(d+d)*"), "bd")
    assert not x.accepts(x.parse("(b+b)*(d+d)*"), "bdbbd")


def test_agrees_with_every_word():
    rng = random.Random(0)
    texts = [drawn(rng, "abc") for _ in range(50)]
    for text in texts:
        node = x.parse(text)
        assert x.parse(x.show(node)) == node or x.equivalent(x.parse(x.show(node)), node)
        for word in WORDS:
            assert x.accepts(node, word) == matches(text, word), (text, word)
    for a, b in itertools.pairwise(texts):
        found = x.difference(x.parse(a), x.parse(b))
        if found is None:
            assert all(matches(a, w) == matches(b, w) for w in WORDS)
        else:
            assert matches(a, found) != matches(b, found)
            assert all(matches(a, w) == matches(b, w) for w in WORDS if len(w) < len(found)), "a shortest one"


def every(nodes: int, letters: str) -> list[x.Node]:
    """All expressions of so many nodes."""
    if nodes == 1:
        return [x.Node(c) for c in letters]
    out = [x.Node(sign, (part,)) for sign in "*?" for part in every(nodes - 1, letters)]
    for i in range(1, nodes - 1):
        out += [x.Node(s, (a, b)) for s in "+." for a in every(i, letters) for b in every(nodes - 1 - i, letters)]
    return out


def test_smallest_by_trying_all():
    """The table against all expressions of up to 5 nodes over two letters, compared by automata one by one."""
    kept: list[tuple[int, x.Node]] = []
    for nodes in range(1, 6):
        for node in every(nodes, "ab"):
            if not any(x.equivalent(node, other) for _, other in kept):
                kept.append((nodes, node))
    table = x.smallest(2, 5)
    assert len(table) == len(kept)
    for nodes, node in kept:
        assert table[x.print_of(node, 2)][0] == nodes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not the end"),
        ("a|b", "cannot stand at sign 2"),
        ("(a", "closing"),
        ("a+", "the end"),
        ("*a", "'\\*'"),
        ("ax", "'x'"),
        ("a)", "'\\)'"),
        ("(" * 300 + "a", "200"),
    ],
)
def test_what_is_no_expression(text, says):
    with pytest.raises(ValueError, match=says):
        x.parse(text)


def test_stacked_signs_are_read():
    for text in ("a**", "a?*", "a*?"):
        assert x.equivalent(x.parse(text), x.parse("a*"))
    assert x.equivalent(x.parse(" a + b c "), x.parse("bc+a"))
