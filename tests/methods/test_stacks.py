"""Stacks of methods from different rooms: rows do not disturb each other, and guesses change nothing."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied  # noqa: E402

from .conftest import FAMILIES, feed, generated, words  # noqa: E402

STACKS = [
    "yarn(factor=4, beta_fast=8) + snapkv(budget=14, window=4)",
    "yarn(factor=4, beta_fast=8) + snapkv(budget=16, window=4) + kivi(group=8, residual=8)",
    "linear(factor=2) + h2o(budget=14, recent=5)",
    "ntk(factor=2) + self-extend(group=2, window=11)",
    "dynamic-ntk(factor=2, trained=24) + tova(budget=14)",
    "self-extend(group=3, window=9) + snapkv(budget=14, window=4)",
    "self-extend(group=3, window=9) + kivi(group=8, residual=8, bits=4)",
    "self-extend(group=3, window=9) + pyramid-kv(budget=14, window=4, beta=3) + kivi(group=8, residual=8, bits=8)",
    "streaming-llm(start=2, recent=14) + snapkv(budget=12, window=4)",
    "lm-infinite(n_local=14, n_global=2) + linear(factor=2)",
    "a-shape(first=2, local=9) + snapkv(budget=14, window=4)",
    "vertical-slash(vertical=6, slash=8, first=2, near=4) + kivi(group=8, residual=8)",
    "gem-filter(topk=20, layer=1) + snapkv(budget=14, window=4)",
    "gem-filter(topk=20, layer=1) + self-extend(group=3, window=9) + kivi(group=8, residual=8)",
    "yarn(factor=4, beta_fast=8) + cskv(keys=0.5, values=0.5, window=8, bits=8)",
    "self-extend(group=3, window=9) + cskv(keys=0.5, values=0.5, window=8)",
    "hydragen(least=4) + kivi(group=8, residual=8, bits=8)",
    "yarn(factor=4, beta_fast=8) + a-shape(first=2, local=9) + h2o(budget=14, recent=5)",
]


@pytest.mark.parametrize("spec", STACKS)
def test_a_padded_row_gives_what_it_gives_alone(tiny: Any, spec: str) -> None:
    for family in ("llama", "gemma3", "smollm3"):
        model, rows = tiny(family), [words(40, 1), words(23, 2), words(7, 3)]
        after = [words(12, 10 + i) for i in range(3)]
        with applied(model, spec):
            together = feed(model, rows, after=after)[0]
            for i, row in enumerate(rows):
                alone = feed(model, [row], after=[after[i]])[0]
                torch.testing.assert_close(together[i : i + 1], alone, atol=5e-4, rtol=1e-3)


@pytest.mark.parametrize("spec", [s for s in STACKS if "h2o" not in s and "tova" not in s])
def test_guesses_change_nothing(tiny: Any, spec: str) -> None:
    model, ids = tiny("qwen3"), (words(7) * 6)[:40]
    with applied(model, spec):
        wanted = generated(model, ids, 16)
    with applied(model, f"{spec} + prompt-lookup(ngram=1, tokens=4)"):
        assert generated(model, ids, 16) == wanted


def test_order_within_a_stack_is_kept_and_rooms_are_sorted(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, "kivi(group=8, residual=8) + snapkv(budget=14, window=4) + yarn") as a:
        first = generated(model, words(40))
    with applied(model, "yarn + snapkv(budget=14, window=4) + kivi(group=8, residual=8)"):
        assert generated(model, words(40)) == first
    assert str(a) == "kivi(group=8, residual=8) + snapkv(budget=14, window=4) + yarn"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_answer_under_a_full_stack(tiny: Any, family: str) -> None:
    model = tiny(family)
    spec = "yarn(beta_fast=8) + snapkv(budget=14, window=4)"
    with applied(model, spec):
        assert len(generated(model, words(40), 60)) == 60
