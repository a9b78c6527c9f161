"""PrefixKV against a bisection of the threshold, and its sizes step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402
from leadline.models.seams.store import end_prompt  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import softmax_rows, spied  # noqa: E402


def naive_prefix_kv(scores: list[list[float]], total: int, least: int) -> list[int]:
    """Sizes of the layers at the highest threshold under which they do not exceed the total, by bisection."""

    def sizes(threshold: float) -> list[int]:
        out = []
        for score in scores:
            held, size = 0.0, 0
            for s in sorted(score, reverse=True):
                size, held = size + 1, held + s / sum(score)
                if held >= threshold:
                    break
            out.append(max(least, size))
        return out

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(sizes(middle)) <= total else (low, middle)
    return sizes(low)


@pytest.mark.parametrize("keep", [0.2, 0.35, 0.5, 0.8])
def test_sizes_and_choice_are_those_of_the_bisection(tiny: Any, keep: float) -> None:
    model = tiny("llama", num_hidden_layers=3)
    with spied(model, f"prefix-kv(keep={keep})") as (seen, _):
        _, cache, _ = feed(model, [words(40)])
        end_prompt(cache)
    scores = [softmax_rows(s[0]["q"][0], s[0]["k"][0], s[0]["scaling"]).mean(0).sum(0).tolist() for s in seen.values()]
    sizes = naive_prefix_kv(scores, round(keep * 40 * 3), 2)
    assert sum(sizes) == round(keep * 40 * 3)
    for layer, size in enumerate(sizes):
        order = sorted(range(1, 39), key=lambda j: (-scores[layer][j], j))[: size - 2]
        assert cache.layers[layer].pos[0, 0].tolist() == sorted([0, 39, *order])


def test_sizes_follow_how_attention_is_spread() -> None:
    method = catalog.make("prefix-kv(keep=0.5)", "methods")
    flat = torch.ones(20)
    sharp = torch.tensor([100.0] + [0.1] * 19)
    assert method.sizes([flat] * 4, [2] * 4, 20) == [10] * 4
    got = method.sizes([flat, sharp, flat], [2] * 3, 20)
    assert got[1] == 2 and sum(got) == 30
    rising = [catalog.make(f"prefix-kv(keep={k / 10})", "methods").sizes([flat, sharp], [1, 1], 20) for k in range(1, 11)]
    assert all(a <= b for low, high in zip(rising, rising[1:], strict=False) for a, b in zip(low, high, strict=True))
    assert rising[-1] == [20, 20]


def test_each_layer_keeps_its_share_while_decoding_and_drops_at_the_slot(tiny: Any) -> None:
    model, rows = tiny("llama"), [words(40, 1), words(26, 2)]
    with applied(model, "prefix-kv(keep=0.4, distance=5)"):
        _, cache, mask = feed(model, rows)
        end_prompt(cache)
        at_first = [[[p for p in one if p >= 0] for one in layer.pos[:, 0].tolist()] for layer in cache.layers]
        held = [[list(one) for one in layer] for layer in at_first]
        for step in range(12):
            _, cache, mask = feed(model, [[5 + step], [50 + step]], past=(cache, mask))
            for layer in range(2):
                for row, tokens in enumerate([40, 26]):
                    size = len(at_first[layer][row])
                    held[layer][row].append(tokens + step)
                    if len(held[layer][row]) > math.ceil(size * (tokens + step + 1) / tokens):
                        held[layer][row].pop(size - 5 if size > 5 else size // 2)
                    got = [p for p in cache.layers[layer].pos[row, 0].tolist() if p >= 0]
                    assert got == held[layer][row]


def test_a_prompt_of_one_token_is_held(tiny: Any) -> None:
    with applied(tiny("llama"), "prefix-kv(keep=0.4)"):
        _, cache, _ = feed(tiny("llama"), [words(1)], after=[words(3)])
    assert [layer.length for layer in cache.layers] == [4, 4]
