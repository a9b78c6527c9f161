"""AnchorAttention against its rules written out pair by pair, and what it keeps."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, softmax_rows, spied  # noqa: E402


def naive_anchor_attention(q: Any, k: Any, theta: float, step: int, block: int, scaling: float) -> set[tuple[int, int]]:
    """Pairs (query, key) that one head reads; q (tokens, head_dim), k (tokens, head_dim)."""
    tokens, span = len(q), step * block

    def logit(x: Any, j: int) -> float:
        return scaling * float(x @ k[j])

    pairs = set()
    for i in range(tokens):
        u = i // span
        whole = (u + 1) * span <= tokens
        for j in range(i + 1):
            if u == 0 or not whole or j < block or j >= u * span - block:
                pairs.add((i, j))
    for u in range(1, tokens // span):
        for j in range(block, u * span - block):
            kept = False
            for s in range(step):
                rows = range(u * span + s * block, u * span + (s + 1) * block)
                near = [[c for c in range(i + 1) if c < block or c >= u * span - block] for i in rows]
                tops = [max(logit(q[i], c) for c in cs) for i, cs in zip(rows, near, strict=True)]
                pooled = sum(q[i] for i in rows) / block
                kept = kept or logit(pooled, j) + theta >= sum(tops) / block
            if kept:
                pairs |= {(i, j) for i in range(u * span, (u + 1) * span)}
    return pairs


SPEC = "anchor-attention(theta={}, step=2, block_size=4)"


@pytest.mark.parametrize(("length", "theta", "kv_heads"), [(6, 1.0, 2), (24, 0.5, 1), (45, 1.0, 4), (45, -3.0, 2)])
def test_it_reads_the_pairs_of_the_rules(tiny: Any, length: int, theta: float, kv_heads: int) -> None:
    model = tiny("llama", num_key_value_heads=kv_heads)
    with spied(model, SPEC.format(theta)) as (seen, outs):
        feed(model, [words(length)])
    for layer in range(2):
        s = seen[layer][0]
        for h in range(4):
            g = h // (4 // kv_heads)
            pairs = naive_anchor_attention(s["q"][0, h], s["k"][0, g], theta, 2, 4, s["scaling"])

            def rule(i: int, j: int, pairs: set[tuple[int, int]] = pairs) -> tuple[float, float] | None:
                return (i, j) if (i, j) in pairs else None

            one = by_pairs(s["q"][0, h : h + 1], s["k"][0, g : g + 1], s["v"][0, g : g + 1], rule, s["scaling"])
            torch.testing.assert_close(outs[layer][0][0].view(length, 4, 8)[:, h], one, atol=2e-5, rtol=1e-4)


def test_chunks_of_whole_superblocks_give_what_one_prefill_gives(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, SPEC.format(0.5)):
        whole = feed(model, [words(43)])[0]
        torch.testing.assert_close(feed(model, [words(43)], pieces=(8, 24, 11))[0], whole, atol=2e-4, rtol=1e-4)


def test_a_larger_theta_keeps_a_superset_and_more_of_the_weight() -> None:
    """And stripes keep more weight than whole blocks chosen by pooled scores, at no larger share."""
    torch.manual_seed(0)
    q, k, scaling = torch.randn(96, 8), torch.randn(96, 8), 1.5
    k[[21, 38, 50]] += 3 * q[64:].mean(0) / q[64:].mean(0).norm()
    weights = softmax_rows(q[None], k[None], scaling)[0]
    few, more = (naive_anchor_attention(q, k, theta, 4, 8, scaling) for theta in (-1.0, 4.0))
    assert few < more

    def kept(pairs: set[tuple[int, int]]) -> float:
        return sum(float(weights[i, j]) for i, j in pairs if i >= 64) / 32

    assert kept(few) < kept(more)
    columns = {j for i, j in more if i >= 64 and 8 <= j < 56}
    # As many candidate columns, rounded up to blocks, by mean pooled q.k.
    pooled = (q[64:].view(4, 8, 8).mean(1) @ k[8:56].view(6, 8, 8).mean(1).T).amax(0)
    blocks = pooled.topk(-(-len(columns) // 8)).indices.tolist()
    by_block = {(i, j) for i, j in few | more if j < 8 or j >= 56 or i < 64}
    by_block |= {(i, 8 + 8 * c + o) for i in range(64, 96) for c in blocks for o in range(8)}
    assert kept(more) >= kept(by_block)
