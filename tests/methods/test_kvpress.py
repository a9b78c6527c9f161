"""Selections beside NVIDIA's kvpress (Apache-2.0), recorded by `benchmarks/kvpress.py --record` on weights made from a seed.

What is kept of a prompt must be the very same entries, or differ by the one rule named here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from .oracles import softmax_rows, spied  # noqa: E402

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORD = json.loads((Path(__file__).parent / "kvpress_selections.json").read_text())


def by_path(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name.strip('_')}", BENCHMARKS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark() -> Any:
    before = list(sys.path)
    module = by_path("kvpress")
    sys.path[:] = before
    return module


@pytest.fixture(scope="module")
def ours(benchmark: Any) -> Any:
    """The benchmark's own side, with the model that the peer was recorded on."""
    side, sides = benchmark.Ours(), benchmark.sides
    model = t.LlamaForCausalLM(t.LlamaConfig(**sides.config(RECORD["sizes"])))
    state = {name: torch.from_numpy(x) for name, x in sides.weights(RECORD["sizes"], RECORD["seed"]).items()}
    model.load_state_dict(state)
    side.model = model.eval()
    with torch.no_grad():
        yield side


def cases(*methods: str) -> list[Any]:
    return [pytest.param(c, id=c["leadline"]) for c in RECORD["cases"] if c["spec"]["method"] in methods]


def both(benchmark: Any, ours: Any, case: dict[str, Any]) -> tuple[list[int], list[list[list[int]]], list[list[list[int]]]]:
    """The prompt, what we keep of it and what the peer kept."""
    sides = benchmark.sides
    assert benchmark.stack(case["spec"]) == case["leadline"]
    ids = sides.words(case["tokens"], RECORD["sizes"]["vocab"], case["seed"])
    return ids, sides.select(ours, case["spec"], ids), [[sides.listed(head) for head in layer] for layer in case["kept"]]


@pytest.mark.parametrize("case", cases("snapkv", "pyramid-kv", "streaming-llm"))
def test_the_same_entries_are_kept(benchmark: Any, ours: Any, case: Any) -> None:
    _, mine, theirs = both(benchmark, ours, case)
    assert mine == theirs


@pytest.mark.parametrize("case", cases("tova"))
def test_tova_differs_only_in_the_last_token_which_the_peer_always_keeps(benchmark: Any, ours: Any, case: Any) -> None:
    ids, mine, theirs = both(benchmark, ours, case)
    last = len(ids) - 1
    for layer, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        for x, y in zip(a, b, strict=True):
            assert last in y
            if last in x:
                assert x == y, layer
            else:
                assert len(set(x) - set(y)) == 1 and set(y) - set(x) == {last}, layer


@pytest.mark.parametrize("case", cases("observed"))
def test_observed_attention_is_h2o_with_each_sum_over_the_queries_that_could_see_the_entry(
    benchmark: Any, ours: Any, case: Any
) -> None:
    sides, budget = benchmark.sides, case["spec"]["budget"]
    ids, mine, theirs = both(benchmark, ours, case)
    with spied(ours.model, case["leadline"]) as (seen, _):
        ours.forward(ids, t.DynamicCache(config=ours.model.config))
    for layer in range(RECORD["sizes"]["layers"]):
        s = seen[layer][0]
        weights = softmax_rows(s["q"][0], s["k"][0], s["scaling"])
        sums = weights.sum(1).unflatten(0, (RECORD["sizes"]["kv_heads"], -1)).sum(1)
        means = sums / torch.arange(len(ids), 0, -1)
        assert sums.topk(budget).indices.sort().values.tolist() == mine[layer]
        assert means.topk(budget).indices.sort().values.tolist() == theirs[layer]
    assert sides.ranges(mine[0][0]) != sides.ranges(theirs[0][0])


@pytest.mark.parametrize("method", ["SNAPKV", "PYRAMID", "TOVA", "OBSERVED"])
def test_a_second_turn_is_the_plain_models_with_the_evicted_hidden(benchmark: Any, ours: Any, method: str) -> None:
    """Nothing is deleted in the reference: masks hide from each kv-head what it no longer holds."""
    words = lambda n, seed: benchmark.sides.words(n, RECORD["sizes"]["vocab"], seed)  # noqa: E731
    got = benchmark.sides.second_turn(ours, getattr(benchmark, method), words(150, 1), words(4, 2), words(6, 3))
    assert got["problem"] == "" and got["fed"] == got["new"] == 7
    assert got["relative"] < 1e-4 and got["by_hand"] < 1e-4
