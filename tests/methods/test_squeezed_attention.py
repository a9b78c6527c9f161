"""Squeezed attention against its estimate, threshold and mask written out key by key."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
t = pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.methods.attention import _kmeans, squeezed_attention  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, spied  # noqa: E402

SPEC = "squeezed-attention(keep=0.3, clusters=0.3, observed=5)"


def naive_squeezed_attention(q: Any, keys: Any, own: list[int], scaling: float) -> list[float]:
    """Estimated weight of each key of one kv-head for queries (any, head_dim), the mean over them (equation 2)."""
    centres = {c: sum(keys[j] for j in range(len(own)) if own[j] == c) / own.count(c) for c in set(own)}
    means = [0.0] * len(own)
    for x in q:
        exps = {c: math.exp(scaling * float(x @ centre)) for c, centre in centres.items()}
        total = sum(own.count(c) * e for c, e in exps.items())
        means = [m + exps[c] / total / len(q) for m, c in zip(means, own, strict=True)]
    return means


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_it_reads_the_keys_of_clusters_above_one_threshold(tiny: Any, kv_heads: int) -> None:
    model, context, question = tiny("llama", num_key_value_heads=kv_heads), 40, words(4, 1)
    with spied(model, SPEC) as (seen, outs):
        cache, mask = feed(model, [words(context)], after=[[7]])[1:]
        feed(model, [question], past=(cache, mask))
        labels = [layer.notes[squeezed_attention.NOTE][0] for layer in cache.layers]
    groups, fixed = 4 // kv_heads, context - 5
    own = [[x[g, :fixed].tolist() for g in range(kv_heads)] for x in labels]
    assert all((x[:, fixed:] == 0).all() and (x[:, :fixed] > 0).all() for x in labels)

    def estimates(layer: int, at: int, h: int, rows: slice) -> list[float]:
        s, g = seen[layer][at], h // groups
        return naive_squeezed_attention(s["q"][0, h, rows], s["k"][0, g, :fixed], own[layer][g], s["scaling"])

    every = [estimates(layer, 0, h, slice(-5, None)) for layer in range(2) for h in range(4)]
    assert all(sum(x) == pytest.approx(1, abs=1e-5) for x in every)
    tau = float(np.quantile(np.array(every), 0.7))
    assert 0.15 < (np.array(every) > tau).mean() <= 0.31
    for layer in range(2):
        for at in (1, 2):
            s = seen[layer][at]
            for h in range(4):
                kept = [x > tau for x in estimates(layer, at, h, slice(None))]
                assert not all(kept)

                def rule(i: int, j: int, kept: list[bool] = kept) -> tuple[float, float] | None:
                    return (i, j) if j >= fixed or kept[j] else None

                g = h // groups
                one = by_pairs(s["q"][0, h : h + 1], s["k"][0, g : g + 1], s["v"][0, g : g + 1], rule, s["scaling"])
                torch.testing.assert_close(outs[layer][at][0].view(-1, 4, 8)[:, h], one, atol=2e-5, rtol=1e-4)


def test_as_many_clusters_as_keys_estimate_the_true_softmax() -> None:
    torch.manual_seed(0)
    q, k = torch.randn(4, 3, 8), torch.randn(2, 20, 8)
    own = torch.stack([_kmeans.kmeans(x, 20) for x in k])
    assert all(sorted(x.tolist()) == list(range(20)) for x in own)
    centroids = torch.zeros_like(k).scatter(1, own[..., None].expand(-1, -1, 8), k)
    got = squeezed_attention.estimate(q, centroids, torch.ones(2, 20), 0.5)
    true = (q @ k.repeat_interleave(2, 0).transpose(-1, -2) * 0.5).softmax(-1)
    torch.testing.assert_close(got.gather(2, own.repeat_interleave(2, 0)[:, None].expand(-1, 3, -1)), true)


def test_an_empty_cluster_weighs_nothing() -> None:
    sizes = torch.tensor([[3.0, 0.0, 1.0]])
    got = squeezed_attention.estimate(100 * torch.ones(1, 2, 4), 100 * torch.ones(1, 3, 4), sizes, 1.0)
    # Logits of 40,000 overflow exp and leave few digits in float32.
    torch.testing.assert_close(got, torch.tensor([0.25, 0.0, 0.25]).expand(1, 2, 3), atol=1e-3, rtol=0)


def test_clusters_are_of_one_direction_whatever_the_length() -> None:
    torch.manual_seed(0)
    ways = torch.eye(4)[torch.arange(40) % 4]
    own = _kmeans.kmeans((ways + 0.05 * torch.randn(40, 4)) * torch.rand(40, 1).add(0.1), 4)
    assert len({(int(a), int(b)) for a, b in zip(own, ways.argmax(-1), strict=True)}) == 4


def test_two_requests_over_one_context_are_each_as_alone_and_share_its_clusters(tiny: Any, monkeypatch: Any) -> None:
    model, calls = tiny("llama"), []
    kmeans = squeezed_attention.kmeans
    monkeypatch.setattr(squeezed_attention, "kmeans", lambda *a: calls.append(0) or kmeans(*a))
    with applied(model, SPEC):
        alone = []
        for seed in (1, 2):
            cache, mask = feed(model, [words(40)], after=[[7]])[1:]
            alone.append(feed(model, [words(6, seed)], after=[[5, 6]], past=(cache, mask))[0])
        cache, mask = feed(model, [words(40)], after=[[7]])[1:]
        calls.clear()
        for seed, one in zip((1, 2), alone, strict=True):
            out = feed(model, [words(6, seed)], after=[[5, 6]], past=(cache, mask))[0]
            torch.testing.assert_close(out, one, atol=2e-4, rtol=1e-4)
            cache.crop(-8)
    assert not calls


def test_guesses_are_looked_up_one_by_one(tiny: Any) -> None:
    model = tiny("llama")
    prompt = torch.tensor([words(8) * 5])
    outs = []
    for spec in (SPEC, SPEC + " + prompt-lookup"):
        with applied(model, spec):
            outs.append(model.generate(prompt, max_new_tokens=12, do_sample=False).tolist())
    assert outs[0] == outs[1]
