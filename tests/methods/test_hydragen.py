"""Hydragen against plain attention, for heads of any length and trees of them, and what it holds."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.models.memory import tensor_bytes  # noqa: E402
from leadline.models.seams.hold import in_common  # noqa: E402
from leadline.models.seams.tape import SPARE  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import FAMILIES, feed, generated, words  # noqa: E402

ROOT, LEFT, RIGHT = words(19, 1), words(11, 2), words(7, 3)
TREE = [
    ROOT + LEFT + words(6, 10),
    ROOT + LEFT + words(1, 11),
    ROOT + RIGHT + words(9, 12),
    ROOT + RIGHT + words(2, 13),
    ROOT + words(8, 14),
    words(5, 15),
    ROOT,
]
"""Two branches of one root, a row that ends with the root, one that is the root, and one of another text."""


def naive_hydragen(q: Any, k: Any, v: Any, scaling: float) -> Any:
    """Attention of one query (head_dim,) over keys cut anywhere, piece by piece, merged by their log-sum-exps."""
    parts = []
    for a, b in ((0, 3), (3, 3), (3, len(k))):
        logits = [float(q @ k[j]) * scaling for j in range(a, b)]
        if logits:
            lse = float(torch.logsumexp(torch.tensor(logits), 0))
            parts.append((lse, sum(torch.exp(torch.tensor(x - lse)) * v[a + i] for i, x in enumerate(logits))))
    most = max(lse for lse, _ in parts)
    shares = [float(torch.exp(torch.tensor(lse - most))) for lse, _ in parts]
    return sum(s * out for s, (_, out) in zip(shares, parts, strict=True)) / sum(shares)


def test_merging_by_log_sum_exp_is_attention_to_all() -> None:
    q, k, v = torch.randn(8), torch.randn(9, 8), torch.randn(9, 8)
    whole = torch.softmax(k @ q * 0.3, 0) @ v
    torch.testing.assert_close(naive_hydragen(q, k, v, 0.3), whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tree_of_heads_gives_the_plain_logits(tiny: Any, family: str) -> None:
    model, after = tiny(family), [words(5, 20 + i) for i in range(len(TREE))]
    plain = feed(model, TREE, after=after)[0]
    with applied(model, "hydragen(least=4)"):
        ours, cache, mask = feed(model, TREE, after=after)
        torch.testing.assert_close(ours, plain, atol=2e-5, rtol=1e-4)
        assert cache.get_seq_length() == mask.shape[1]
        second = feed(model, [words(3, 30 + i) for i in range(len(TREE))], past=(cache, mask))[0]
    _, cache, mask = feed(model, TREE, after=after)
    torch.testing.assert_close(
        second, feed(model, [words(3, 30 + i) for i in range(len(TREE))], past=(cache, mask))[0], atol=2e-5, rtol=1e-4
    )


def test_what_is_in_common_is_held_once(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, "hydragen(least=4)"):
        cache = feed(model, TREE)[1]
    heads = cache.layers[0].heads
    assert [(h.keys.shape[2], h.rows.tolist()) for h in heads] == [
        (18, [0, 1, 2, 3, 4, 6]),
        (12, [0, 1]),
        (8, [2, 3]),
    ]
    shared = sum(h.keys.shape[2] for h in heads)
    left = max(len(row) for row in TREE)
    suffix = cache.layers[0].length
    assert suffix < left
    per_entry = 2 * 2 * 8 * 4
    held, wanted = tensor_bytes(cache), 2 * per_entry * (shared + len(TREE) * (suffix + SPARE))
    assert held <= wanted + 2 * 4 * (shared + len(TREE) * suffix) * 2 + 4096
    assert 2 * per_entry * (shared + len(TREE) * suffix) <= held


@pytest.mark.parametrize(
    ("prefix", "suffixes"),
    [([3], [[6, 7]]), ([7, 7], [[9, 10, 11, 4]]), ([33], [[2, 3, 4, 5, 6, 7, 40]]), ([50], [[1, 1, 1]])],
)
def test_sizes_of_the_authors_own_tests(tiny: Any, prefix: list[int], suffixes: list[list[int]]) -> None:
    head = words(sum(prefix), 5)
    rows = [head + words(n, 40 + i) for i, n in enumerate(suffixes[0])]
    for kv_heads in (1, 2, 4):
        model = tiny("llama", num_key_value_heads=kv_heads)
        plain = feed(model, rows, after=[words(3, i) for i in range(len(rows))])[0]
        with applied(model, "hydragen(least=2)"):
            ours = feed(model, rows, after=[words(3, i) for i in range(len(rows))])[0]
        torch.testing.assert_close(ours, plain, atol=2e-5, rtol=1e-4)


def test_generate_says_the_same(tiny: Any) -> None:
    model = tiny("qwen3")
    rows = [row for row in TREE if len(row) > 18]
    alone = [generated(model, row, 8) for row in rows]
    width = max(map(len, rows))
    ids = torch.tensor([[2] * (width - len(r)) + r for r in rows])
    mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows])
    for spec in ("hydragen(least=4)", "hydragen(least=4) + prompt-lookup(ngram=1, tokens=3)"):
        with applied(model, spec):
            out = model.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False)
        assert out[:, width:].tolist() == alone


def test_with_coded_rows(tiny: Any) -> None:
    """What each row holds of its own may be coded; what is shared stays in full."""
    model = tiny("llama")
    with applied(model, "hydragen(least=4) + kivi(group=8, residual=8, bits=8)"):
        ours = feed(model, TREE, after=[words(9, i) for i in range(len(TREE))])[0]
    plain = feed(model, TREE, after=[words(9, i) for i in range(len(TREE))])[0]
    assert (ours - plain).abs().max() < 0.05 * plain.std() * 10


def test_the_tree_is_found() -> None:
    stages, of = in_common([[1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [1, 2, 3, 9, 9], [7, 7, 7]], 2)
    assert stages == [([[1, 2, 3], []], [0, 0])] and of == [0, 0, 0, 1]
    stages, of = in_common([[1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [1, 2, 3, 9, 9], [7, 7, 7]], 1)
    assert stages == [([[1, 2, 3], []], [0, 0]), ([[4], [], []], [0, 0, 1])] and of == [0, 0, 1, 2]
    assert in_common([[1, 2], [3, 4]], 1) == ([], [0, 0])
    # At least one token is left to be fed.
    assert in_common([[1, 2, 3], [1, 2, 3]], 1)[0][0][0] == [[1, 2]]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("hydragen + snapkv", "evicted for one"),
        ("hydragen + dynamic-ntk", "rotated once"),
        ("hydragen(least=0)", "1 or more"),
        ("hydragen + self-extend", "several views"),
    ],
)
def test_what_cannot_be_shared_is_refused(tiny: Any, spec: str, says: str) -> None:
    with pytest.raises(UserError, match=says), applied(tiny("llama"), spec):
        pass
