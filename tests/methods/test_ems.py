"""EMS against a double loop over heads and candidates, without a zero class."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import catalog  # noqa: E402
from leadline.models.seams.store import end_prompt  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import softmax_rows, spied  # noqa: E402


def naive_ems(
    weights: Any, keys: Any, values: Any, budget: int, window: int, merge: float, threshold: float
) -> tuple[list[int], Any, Any, int]:
    """Kept positions, their keys and values, and how many were merged, of one kv-head.

    Args:
        weights: of its query heads (heads, tokens, tokens).
        keys: (tokens, head_dim).
        values: as keys.
    """
    tokens = len(keys)
    keys, values, weights = keys.double(), values.double(), weights.double()
    older = range(tokens - window)
    every = [float(weights[:, :, j].sum()) for j in older]
    local = [float(weights[:, tokens - window :, j].sum()) for j in older]
    score = [max(g, x * (sum(every) / sum(local))) for g, x in zip(every, local, strict=True)]
    order = sorted(older, key=lambda j: (-score[j], j))
    centres = budget - window
    members: dict[int, list[int]] = {j: [] for j in sorted(order[:centres])}

    def cosine(a: Any, b: Any) -> float:
        return max(0.0, float(a @ b / (a.norm() * b.norm())))

    for i in order[centres : centres + int(merge * centres)]:
        alike = {j: cosine(keys[i], keys[j]) * cosine(values[i], values[j]) for j in members}
        best = max(alike, key=lambda j: alike[j])
        if alike[best] >= threshold:
            members[best].append(i)
    k, v = keys.clone(), values.clone()
    for j, others in members.items():
        if others:
            group = [j, *others]
            way = sum(score[i] * keys[i] / keys[i].norm() for i in group)
            k[j] = keys[j].norm() * way / way.norm()
            v[j] = sum(score[i] * values[i] for i in group) / sum(score[i] for i in group)
    kept = [*members, *range(tokens - window, tokens)]
    return kept, k[kept].float(), v[kept].float(), sum(map(len, members.values()))


@pytest.mark.parametrize(("budget", "merge", "threshold"), [(12, 1.0, 0.1), (16, 2.0, 0.0), (20, 0.5, 0.3), (12, 1.0, 1.1)])
def test_the_batched_way_is_the_loop(tiny: Any, budget: int, merge: float, threshold: float) -> None:
    model, merges = tiny("llama"), 0
    with spied(model, f"ems(budget={budget}, window=4, merge={merge}, threshold={threshold})") as (seen, _):
        _, cache, _ = feed(model, [words(40)])
        end_prompt(cache)
    for layer in range(2):
        s, store = seen[layer][0], cache.layers[layer]
        weights = softmax_rows(s["q"][0], s["k"][0], s["scaling"])
        for g in range(2):
            own = weights[2 * g : 2 * g + 2]
            kept, k, v, count = naive_ems(own, s["k"][0, g], s["v"][0, g], budget, 4, merge, threshold)
            assert store.pos[0, g].tolist() == kept
            torch.testing.assert_close(store.read()[0][0, g], k, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(store.read()[1][0, g], v, atol=1e-5, rtol=1e-4)
            merges += count
    assert (merges > 0) == (threshold <= 1)


def test_merging_keeps_the_norm_of_keys_and_a_duplicate_changes_nothing() -> None:
    method = catalog.make("ems(budget=40, window=32, threshold=0.0)", "methods")
    keys, values = torch.randn(2, 1, 2, 9, 8, generator=torch.Generator().manual_seed(1)).unbind(0)
    scores, real = torch.rand(1, 2, 9) + 0.1, torch.ones(1, 2, 5, dtype=torch.bool)
    index, candidates = torch.arange(4).expand(1, 2, -1), torch.arange(4, 9).expand(1, 2, -1)
    k, _ = method.merged(keys, values, scores, index, candidates, real)
    assert not torch.allclose(k, keys[:, :, :4])
    torch.testing.assert_close(k.norm(dim=-1), keys[:, :, :4].norm(dim=-1))
    keys[:, :, 4:], values[:, :, 4:] = keys[:, :, :1], values[:, :, :1]
    for now, before in zip(method.merged(keys, values, scores, index, candidates, real), (keys, values), strict=True):
        torch.testing.assert_close(now, before[:, :, :4])


def test_aligned_scores_favour_early_tokens_less_than_global_ones() -> None:
    """Under uniform attention column j collects 1 / (i + 1) of every later query i."""
    tokens, window = 200, 32
    every = torch.tensor([[[math.fsum(1 / (i + 1) for i in range(j, tokens)) for j in range(tokens - window)]]])
    local = torch.full((1, 1, tokens - window), math.fsum(1 / (i + 1) for i in range(tokens - window, tokens)))
    aligned = catalog.make("ems", "methods").aligned(every, local)

    def middle(scores: Any) -> float:
        return float((scores * torch.arange(tokens - window)).sum() / scores.sum())

    assert middle(aligned) > 1.2 * middle(every)
