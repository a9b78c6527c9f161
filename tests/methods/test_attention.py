"""Methods that change what is read, against masks written out pair by pair."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import catalog  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, softmax_rows, spied  # noqa: E402


def naive_a_shape(i: int, j: int, first: int, local: int) -> bool:
    return j < first or i - j < local


def naive_vertical_slash(
    weights: Any, last: int, vertical: int, slash: int, first: int, near: int
) -> tuple[set[int], set[int]]:
    """Columns and offsets of one head from its weights (tokens, tokens)."""
    tokens = weights.shape[0]
    rows = range(tokens - min(last, tokens), tokens)
    column = [sum(float(weights[i, j]) for i in rows if j <= i) for j in range(tokens)]
    offset = [sum(float(weights[i, i - o]) for i in rows if i >= o) for o in range(tokens)]
    for j in range(min(first, tokens)):
        column[j] = float("inf")
    for o in range(min(near, tokens)):
        offset[o] = float("inf")

    def top(scores: list[float], count: int) -> set[int]:
        return set(sorted(range(tokens), key=lambda c: (-scores[c], c))[:count])

    return top(column, vertical), top(offset, slash)


@pytest.mark.parametrize("length", [4, 12, 30])
def test_a_shape_is_its_mask(tiny: Any, length: int) -> None:
    with spied(tiny("llama"), "a-shape(first=2, local=5)") as (seen, outs):
        feed(tiny("llama"), [words(length)])
    for layer in range(2):
        s = seen[layer][0]

        def rule(i: int, j: int) -> tuple[float, float] | None:
            return (i, j) if naive_a_shape(i, j, 2, 5) else None

        oracle = by_pairs(s["q"][0], s["k"][0], s["v"][0], rule, s["scaling"])
        torch.testing.assert_close(outs[layer][0][0], oracle, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [9, 40, 100])
def test_vertical_slash_reads_the_columns_and_offsets_of_the_last_queries(tiny: Any, length: int) -> None:
    model = tiny("llama")
    with spied(model, "vertical-slash(vertical=7, slash=6, first=2, near=3)") as (seen, outs):
        feed(model, [words(length)])
    for layer in range(2):
        s = seen[layer][0]
        weights = softmax_rows(s["q"][0], s["k"][0], s["scaling"])
        for h in range(4):
            columns, offsets = naive_vertical_slash(weights[h], 64, 7, 6, 2, 3)

            def rule(i: int, j: int, columns: set[int] = columns, offsets: set[int] = offsets) -> tuple[float, float] | None:
                return (i, j) if j in columns or i - j in offsets else None

            g = h // 2
            one = by_pairs(s["q"][0, h : h + 1], s["k"][0, g : g + 1], s["v"][0, g : g + 1], rule, s["scaling"])
            torch.testing.assert_close(outs[layer][0][0].view(length, 4, 8)[:, h], one, atol=2e-5, rtol=1e-4)


def test_decoding_is_dense(tiny: Any) -> None:
    """After the same prompt in the same cache, a step reads everything."""
    model = tiny("llama")
    for spec in ("a-shape(first=2, local=5)", "vertical-slash(vertical=7, slash=6, first=2, near=3)"):
        with spied(model, spec) as (seen, outs):
            feed(model, [words(30)], after=[words(1, 1)])
        s = seen[1][1]
        dense = by_pairs(s["q"][0], s["k"][0], s["v"][0], lambda i, j: (i, j), s["scaling"])
        torch.testing.assert_close(outs[1][1][0], dense, atol=2e-5, rtol=1e-4)


def test_vertical_slash_beats_a_shape_of_its_size_where_a_column_matters() -> None:
    """Kept attention mass: one far column that all late queries read."""
    tokens, needle = 60, 20
    weights = torch.full((tokens, tokens), 0.01).tril()
    weights[needle + 1 :, needle] = 1.0
    weights = weights / weights.sum(-1, keepdim=True)
    columns, offsets = naive_vertical_slash(weights, 16, 4, 8, 2, 4)
    kept = sum(float(weights[i, j]) for i in range(tokens) for j in range(i + 1) if j in columns or i - j in offsets)
    local = sum(float(weights[i, j]) for i in range(tokens) for j in range(i + 1) if naive_a_shape(i, j, 4, 8))
    assert needle in columns and kept > 1.5 * local


def test_sizes_are_checked() -> None:
    with pytest.raises(UserError, match="vertical"):
        catalog.make("vertical-slash(vertical=10)", "methods")
