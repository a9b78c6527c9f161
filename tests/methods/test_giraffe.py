"""Giraffe: its bases against their formulas, and against another model of the same frequencies."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from leadline import applied, catalog  # noqa: E402
from leadline.models.seams.parts import RopeFacts  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, spied  # noqa: E402


def naive_giraffe(dim: int, base: float, scale: float, power: float, truncate: int) -> list[float]:
    out = []
    for i in range(dim // 2):
        theta = base ** (-2 * i / dim) / scale * (1 - 2 * i / dim) ** power
        if truncate and theta < 2 * math.pi / truncate / 8:
            theta = 0.0
        elif truncate and theta < 2 * math.pi / truncate:
            theta = 2 * math.pi / (16 * truncate)
        out.append(theta)
    return out


def frequencies(spec: str, dim: int, base: float = 1e4) -> Any:
    own = torch.tensor([base ** (-2 * i / dim) for i in range(dim // 2)])
    facts = RopeFacts(base=base, dim=dim, trained=64, own=own, scale=1.0, kind="default")
    return catalog.make(spec, "methods").inv_freq(facts, None)[0]


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        ("giraffe", (1, 0.5, 0)),
        ("giraffe(scale_power=0.1)", (1, 0.1, 0)),
        ("giraffe(scale=4, scale_power=0)", (4, 0, 0)),
        ("giraffe(scale_power=0, truncate=2048)", (1, 0, 2048)),
        ("giraffe(scale=2, scale_power=0.5, truncate=512)", (2, 0.5, 512)),
    ],
)
def test_frequencies_are_the_formulas(spec: str, settings: tuple[float, float, int]) -> None:
    for dim, base in ((8, 1e4), (64, 1e4), (128, 5e5)):
        wanted = torch.tensor(naive_giraffe(dim, base, *settings))
        torch.testing.assert_close(frequencies(spec, dim, base), wanted, rtol=1e-5, atol=1e-9)


def test_the_sheets_numbers() -> None:
    assert frequencies("giraffe(scale_power=0.5)", 8).tolist() == pytest.approx([1, 0.0866025, 0.00707107, 0.0005], rel=1e-5)
    cut = frequencies("giraffe(scale_power=0, truncate=2048)", 128)
    constant = cut[(cut > 0) & (cut < 0.00306796)]
    assert ((cut >= 0.00306796).sum(), len(constant), (cut == 0).sum()) == (41, 14, 9)
    assert constant.tolist() == pytest.approx([1.91748e-4] * 14, rel=1e-5)


def test_neutral_frequencies_are_the_models_own_to_the_bit() -> None:
    own = torch.tensor([1e4 ** (-2 * i / 64) for i in range(32)])
    assert torch.equal(frequencies("giraffe(scale_power=0)", 64), own)


def test_attention_is_the_plain_one_in_the_other_frequencies(tiny: Any) -> None:
    model, spec = tiny("llama"), "giraffe(scale_power=0.1, truncate=64)"
    inv_freq = naive_giraffe(8, 1e4, 1, 0.1, 64)
    assert inv_freq[-1] == 0
    # Another method keeps keys unrotated and moves none, so that both can be seen.
    with spied(model, f"{spec} + self-extend(group=1)") as (seen, outs):
        feed(model, [words(30)])
    for layer in range(2):
        s = seen[layer][0]
        oracle = by_pairs(s["q"][0], s["k"][0], s["v"][0], lambda i, j: (i, j), s["scaling"], inv_freq)
        torch.testing.assert_close(outs[layer][0][0], oracle, atol=2e-5, rtol=1e-4)


def test_what_cannot_be_is_refused() -> None:
    for spec, says in [
        ("giraffe(scale=0.5)", "1 or more"),
        ("giraffe(scale_power=-1)", "0 or more"),
        ("giraffe(truncate=-1)", "keep all"),
    ]:
        with pytest.raises(UserError, match=says):
            catalog.make(spec, "methods")
    with pytest.raises(UserError, match="RoPE frequencies"), applied(None, "giraffe + linear"):
        pass
