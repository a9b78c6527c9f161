"""Conversations and shared contexts under methods: each prompt goes on from what the ones before it left in the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenizers import Tokenizer as Core  # noqa: E402
from tokenizers import models, pre_tokenizers  # noqa: E402

from leadline import applied, catalog  # noqa: E402
from leadline.data.tokens import Tokenizer  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.methods.base import Method  # noqa: E402
from leadline.models.batches import Request  # noqa: E402
from leadline.models.local import LocalModel  # noqa: E402
from leadline.models.memory import tensor_bytes  # noqa: E402
from leadline.models.seams.store import copied, end_prompt, ledger_of  # noqa: E402

from .conftest import feed, words  # noqa: E402

IDS = list(catalog.entries("methods"))
TURNS = [words(40, 1), words(15, 2), words(11, 3)]
"""Token ids of three prompts in a row."""


def with_trial(name: str) -> Method:
    kind: Any = catalog.load(name, "methods")
    return kind(**kind.trial)


def said(ids: list[int]) -> str:
    return " ".join(f"w{i}" for i in ids)


@pytest.fixture
def model(tiny: Any) -> LocalModel:
    """A tiny Llama that reads words w0 to w96."""
    core = Core(models.WordLevel({f"w{i}": i for i in range(97)}, unk_token="w2"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model = LocalModel("local/tiny", Path(), tiny("llama"), Tokenizer("words", core, None, {}, None))
    model.enforce_window = False
    return model


def requests(turns: list[list[int]], room: int = 6) -> list[Request]:
    """The prompts of a conversation, each with those before it."""
    texts = [said([i for turn in turns[: k + 1] for i in turn]) for k in range(len(turns))]
    return [Request(t, room, shared_chars=len(t), turns=tuple(len(x) for x in texts[:k])) for k, t in enumerate(texts)]


def by_hand(model: LocalModel, turns: list[list[int]], room: int = 6) -> str:
    """The slow, obvious reference: feed each prompt to the cache that the one before left, then choose greedily."""
    cache = model.make_cache()
    past: Any = (cache, torch.ones(1, 0, dtype=torch.long))
    logits: Any = None
    for k, turn in enumerate(turns):
        ledger_of(cache).expect = sum(map(len, turns[: k + 1]))  # type: ignore[union-attr]
        logits, *past = feed(model.module, [turn], past=past)
    tokens: list[int] = []
    while True:
        tokens.append(int(logits[0, -1].argmax()))
        if len(tokens) == room:
            return said(tokens)
        logits, *past = feed(model.module, [tokens[-1:]], past=past)


@pytest.mark.parametrize("name", IDS)
def test_a_turn_goes_on_from_the_cache_that_the_last_one_left(model: LocalModel, name: str) -> None:
    with applied(model, with_trial(name)) as stack:
        asked = requests(TURNS)
        whole = [model.generate([replace(r, turns=(), shared_chars=0)])[0].text for r in asked]
        if stack.plan.context is not None or not stack.plan.cached:
            # What is fed is chosen for each prompt anew; or the cache keeps all it is given.
            assert [a.text for a in model.generate(asked)] == whole
            return
        expected = [by_hand(model, TURNS[: k + 1]) for k in range(3)]
        if stack.plan.drafter is not None:
            expected = whole
        model.share_prefix = False
        assert [model.generate([r])[0].text for r in reversed(asked)] == expected[::-1]
        model.share_prefix = True
        fed = model.prefilled
        answers = model.generate(asked[::-1])[::-1]
        assert [a.text for a in answers] == expected, "it depends on what was asked beside it"
        assert model.prefilled - fed == sum(map(len, TURNS)), "read more than once"
        assert [a.cached_tokens for a in answers] == [0, 40, 55]
        again = model.generate(asked[2:])[0]
        assert again.text == expected[2] and again.cached_tokens == 0, "only what is read next is kept"
    if 3 not in type(stack.methods[0]).excepts and stack.plan.drafter is None:
        assert expected == whole, "it says that turns make no difference to it"


@pytest.mark.parametrize("name", IDS)
def test_a_copied_cache_goes_its_own_way(model: LocalModel, name: str) -> None:
    module = model.module
    with applied(module, with_trial(name)) as stack:
        if stack.plan.context is not None or not stack.plan.cached:
            pytest.skip("never copied")
        _, cache, mask = feed(module, [TURNS[0]])
        end_prompt(cache)
        twin = copied(cache)
        held = tensor_bytes(twin)
        assert held == tensor_bytes(cache)
        a = feed(module, [TURNS[1]], after=[words(3, 5)], past=(cache, mask))[0]
        assert tensor_bytes(twin) == held, "the copy shares what the other writes"
        b = feed(module, [TURNS[1]], after=[words(3, 5)], past=(twin, mask))[0]
        torch.testing.assert_close(a, b, atol=0, rtol=0)


def test_questions_over_a_context_read_apart_share_it(model: LocalModel) -> None:
    head, ends = words(60, 7), [words(9, 8), words(5, 9), words(12, 10)]
    text = said(head)
    asked = [Request(f"{text} {said(end)}", 6, shared_chars=len(text), turns=(len(text),)) for end in ends]
    with applied(model, "snapkv(budget=24, window=8)"):
        fed = model.prefilled
        answers = model.generate(asked)
        assert model.prefilled - fed == 60 + 9 + 5 + 12
        assert sorted(a.cached_tokens or 0 for a in answers) == [0, 60, 60]
        assert [a.text for a in answers] == [by_hand(model, [head, end]) for end in ends]
        whole = [model.generate([replace(r, turns=())])[0].text for r in asked]
        assert whole != [a.text for a in answers], "cut down by the questions that were not known yet"
        # Later calls find it too, and another context does not.
        assert model.generate(asked[1:2])[0].cached_tokens == 60
        other = said(words(60, 11))
        assert model.generate([Request(f"{other} w5", 4, shared_chars=len(other), turns=(len(other),))])[0].cached_tokens == 0
        model.forget()
        assert model.generate(asked[1:2])[0].cached_tokens == 0


def test_the_same_words_in_other_turns_are_another_cache(model: LocalModel) -> None:
    first, second, third = requests(TURNS)
    other = replace(third, turns=(len(said(TURNS[0][:30])), third.turns[1]))
    with applied(model, "snapkv(budget=24, window=8)"):
        model.generate([first, second])
        answer = model.generate([other])[0]
        parts = [TURNS[0][:30], TURNS[0][30:] + TURNS[1], TURNS[2]]
        assert answer.cached_tokens == 0 and answer.text == by_hand(model, parts)
        assert answer.text != by_hand(model, TURNS), "else the test shows nothing"


def test_without_methods_turns_make_no_difference_and_share_the_context(model: LocalModel) -> None:
    turns = [words(100, 1), words(15, 2), words(11, 3)]
    asked = requests(turns)
    whole = [model.generate([replace(r, turns=(), shared_chars=0)])[0].text for r in asked]
    model.forget()
    fed = model.prefilled
    answers = model.generate(asked)
    assert [a.text for a in answers] == whole
    assert model.prefilled - fed < 0.6 * (100 + 115 + 126)


def test_memory_that_runs_out_is_told_and_the_turns_are_still_read_one_by_one(model: LocalModel, monkeypatch: Any) -> None:
    asked = requests(TURNS)
    with applied(model, "snapkv(budget=24, window=8)"):
        expected = [a.text for a in model.generate(asked)]
        model.forget()
        tries = []

        def full(cache: Any) -> Any:
            tries.append(1)
            raise MemoryError("out of memory")

        monkeypatch.setattr("leadline.models.sessions.copied", full)
        # Nothing can be kept, so everything is read again.
        assert [a.text for a in model.generate(asked)] == expected and tries


def test_a_stack_of_two_methods(model: LocalModel) -> None:
    with applied(model, "snapkv(budget=24, window=8) + kivi(bits=4, group=8, residual=8)"):
        answers = model.generate(requests(TURNS))
        assert [a.text for a in answers] == [by_hand(model, TURNS[: k + 1]) for k in range(3)]
        assert str(Stack.read("snapkv")) == "snapkv"
