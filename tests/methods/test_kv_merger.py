"""KVMerger against loops over tokens, and merging against dropping what would have been merged."""

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


def naive_kv_merger(
    keys: Any, values: Any, sums: list[float], keep: float, recent: float, top: float
) -> tuple[list[list[int]], list[int], Any, Any]:
    """Runs, pivots and merged entries of one head, in float64: the walk of the paper at the threshold that fits."""
    tokens = len(sums)
    newest = set(range(tokens - int(recent * tokens), tokens))
    heavy = sorted((j for j in range(tokens) if j not in newest), key=lambda j: (-sums[j], j))[: int(top * tokens)]

    def alike(i: int) -> float:
        a, b = keys[i - 1].double(), keys[i].double()
        if i in newest or i - 1 in newest:
            return -math.inf
        return float(a @ b / (a.norm() * b.norm())) - (4 if i in heavy or i - 1 in heavy else 0)

    similar = [alike(i) for i in range(1, tokens)]
    entries = math.ceil(keep * tokens)
    eps = sorted(similar, reverse=True)[tokens - entries] if entries < tokens else max(similar)
    runs: list[list[int]] = [[tokens - 1]]
    for i in range(tokens - 2, -1, -1):
        if similar[i] > eps:
            runs[-1].insert(0, i)
        else:
            runs.append([i])
    runs.reverse()
    pivots, k, v = [], [], []
    for run in runs:
        pivot = max(run, key=lambda j: (sums[j], -j))
        far = [float((keys[pivot].double() - keys[i].double()).square().sum()) for i in run]
        square = sum(far) / len(run)
        g = [math.exp(-d / (2 * square)) if square else 1.0 for d in far]
        pivots.append(pivot)
        k.append(sum(w / sum(g) * keys[i].double() for w, i in zip(g, run, strict=True)))
        v.append(sum(w / sum(g) * values[i].double() for w, i in zip(g, run, strict=True)))
    return runs, pivots, torch.stack(k).float(), torch.stack(v).float()


@pytest.mark.parametrize(("keep", "recent", "top"), [(0.5, 0.17, 0.12), (0.3, 0.1, 0.3), (0.8, 0.0, 0.0), (0.05, 0.0, 0.0)])
def test_runs_and_mixtures_are_those_of_the_loops(tiny: Any, keep: float, recent: float, top: float) -> None:
    model = tiny("llama")
    with spied(model, f"kv-merger(keep={keep}, recent={recent}, top={top})") as (seen, _):
        _, cache, _ = feed(model, [words(40)])
        end_prompt(cache)
    for layer in range(2):
        s, store = seen[layer][0], cache.layers[layer]
        weights = softmax_rows(s["q"][0], s["k"][0], s["scaling"])
        for g in range(2):
            sums = weights[2 * g : 2 * g + 2].sum((0, 1)).tolist()
            runs, pivots, k, v = naive_kv_merger(s["k"][0, g], s["v"][0, g], sums, keep, recent, top)
            assert sum(runs, []) == list(range(40)) and len(runs) == math.ceil(keep * 40)
            assert store.pos[0, g].tolist() == pivots
            torch.testing.assert_close(store.read()[0][0, g], k, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(store.read()[1][0, g], v, atol=1e-5, rtol=1e-5)


def test_weights_are_a_mixture_between_the_pivot_and_the_mean() -> None:
    keys = torch.randn(1, 1, 6, 4, generator=torch.Generator().manual_seed(0))
    sets, sums = torch.tensor([[[0, 0, 0, 1, 2, 2]]]), torch.tensor([[[1.0, 3, 3, 1, 1, 2]]])
    for sigma, first in [(1e-6, [0, 1, 0]), (1e6, [1 / 3] * 3)]:
        method = catalog.make(f"kv-merger(sigma={sigma})", "methods")
        pivots = method.pivots(sets, sums)
        assert pivots.tolist() == [[[1, 1, 1, 3, 5, 5]]]
        weights = method.weights(keys, sets, pivots)
        torch.testing.assert_close(weights[0, 0, :4], torch.tensor([*first, 1.0]))
    own = catalog.make("kv-merger", "methods")
    same = own.weights(keys[:, :, :1].expand(-1, -1, 6, -1), sets, own.pivots(sets, sums))
    torch.testing.assert_close(same[0, 0], torch.tensor([1 / 3] * 3 + [1, 0.5, 0.5]))


def test_keeping_all_changes_no_bit(tiny: Any) -> None:
    model = tiny("llama")
    with spied(model, "kv-merger(keep=1.0)") as (seen, _):
        _, cache, _ = feed(model, [words(40)])
        end_prompt(cache)
    for layer in range(2):
        for name, x in zip("kv", cache.layers[layer].read(), strict=True):
            assert torch.equal(x, seen[layer][0][name])


def test_a_run_of_like_keys_reads_as_its_mean_not_as_its_pivot() -> None:
    """What merging is for: with sigma -> 0 the same runs keep their pivots alone, which is eviction."""
    seeded = torch.Generator().manual_seed(0)
    keys = torch.randn(1, 1, 8, 1, 16, generator=seeded) + 0.05 * torch.randn(1, 1, 8, 5, 16, generator=seeded)
    keys, values = keys.flatten(2, 3), torch.randn(1, 1, 40, 16, generator=seeded)
    queries = torch.randn(30, 16, generator=seeded)
    full = (queries @ keys[0, 0].T).softmax(-1) @ values[0, 0]
    sums, valid, error = torch.rand(1, 1, 40, generator=seeded), torch.ones(1, 1, 40, dtype=torch.bool), []
    for sigma in ("None", "1.0e-6"):
        method = catalog.make(f"kv-merger(keep=0.2, recent=0.0, top=0.0, sigma={sigma})", "methods")
        sets = method.sets(keys, sums, valid, [40], [32])
        assert torch.equal(sets[0, 0], torch.arange(8).repeat_interleave(5))
        weights = method.weights(keys, sets, method.pivots(sets, sums))[0, 0]
        k, v = ((x[0, 0] * weights[:, None]).unflatten(0, (8, 5)).sum(1) for x in (keys, values))
        error.append(float(((queries @ k.T).softmax(-1) @ v - full).norm()))
    assert error[0] < 0.5 * error[1], error
