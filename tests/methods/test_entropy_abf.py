"""Entropy-ABF: the factor's formula, pairwise oracle with exempt layers, and what it does to entropy."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from leadline import applied, catalog  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, spied  # noqa: E402


def naive_entropy_abf(i: int, trained: int) -> float:
    return max(1.0, math.log(i + 1) / math.log(trained))


class Layer:
    """What the factor goes by."""

    index, trained = 2, 4096


def test_factors_are_the_formula() -> None:
    method = catalog.make("entropy-abf", "methods")
    places = torch.tensor([[0, 1, 4095, 4096, 4 * 4096 - 1, 4096**2 - 1]])
    factors = method.temper(Layer, places)[0].tolist()
    assert factors == pytest.approx([naive_entropy_abf(i, 4096) for i in places[0].tolist()], rel=1e-5)
    assert factors[:3] == [1, 1, 1] and factors[4:] == pytest.approx([1.16667, 2], rel=1e-5)


@pytest.mark.parametrize("exempt", [0, 1])
def test_rows_are_sharpened_in_layers_that_are_not_exempt(tiny: Any, exempt: int) -> None:
    model = tiny("llama", num_hidden_layers=3)
    spec = f"entropy-abf(base=30000, exempt={exempt}, trained=8)"
    inv_freq = [30000.0 ** (-i / 4) for i in range(4)]
    with spied(model, f"{spec} + self-extend(group=1)") as (seen, outs):
        feed(model, [words(20)])
    for layer in range(3):
        s = seen[layer][0]
        # Logits grow when their queries do.
        grow = [naive_entropy_abf(i, 8) if layer >= exempt else 1.0 for i in range(20)]
        q = s["q"][0] * torch.tensor(grow)[:, None]
        oracle = by_pairs(q, s["k"][0], s["v"][0], lambda i, j: (i, j), s["scaling"], inv_freq)
        torch.testing.assert_close(outs[layer][0][0], oracle, atol=2e-5, rtol=1e-4)


def test_it_is_plain_up_to_the_trained_length_with_the_models_own_base(tiny: Any) -> None:
    model = tiny("llama")
    for length, same in ((64, True), (90, False)):
        plain = feed(model, [words(length)])[0]
        with applied(model, "entropy-abf(base=0, exempt=0)"):
            assert torch.allclose(feed(model, [words(length)])[0], plain, atol=2e-4) is same


def test_wrong_settings_say_what_is_allowed() -> None:
    for spec, says in [
        ("entropy-abf(base=-1)", "RoPE base"),
        ("entropy-abf(exempt=-1)", "0 or more"),
        ("entropy-abf(trained=1)", "2 or more"),
    ]:
        with pytest.raises(UserError, match=says):
            catalog.make(spec, "methods")
