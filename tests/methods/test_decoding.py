"""Methods that change how tokens come out: what comes out must be what the model says without them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import FAMILIES, generated, left_padded, words  # noqa: E402


def naive_prompt_lookup(ids: list[int], ngram: int, tokens: int, room: int) -> list[int]:
    for n in range(min(ngram, len(ids) - 1), 0, -1):
        for a in range(len(ids) - n):
            if ids[a : a + n] == ids[-n:]:
                found = ids[a + n : a + n + min(tokens, room)]
                if found:
                    return found
    return []


def test_guesses_are_what_followed_before() -> None:
    rng = np.random.default_rng(0)
    for _ in range(400):
        ids = rng.integers(0, 5, rng.integers(1, 30)).tolist()
        ngram, tokens, room = (int(rng.integers(1, 5)) for _ in range(3))
        method = catalog.make(f"prompt-lookup(ngram={ngram}, tokens={tokens})", "methods")
        assert method.draft(np.array(ids), room) == naive_prompt_lookup(ids, ngram, tokens, room)


def test_the_sheets_cases() -> None:
    method = catalog.make("prompt-lookup(ngram=2, tokens=3)", "methods")
    assert method.draft(np.array([1, 2, 3, 4, 9, 1, 2]), 10) == [3, 4, 9]
    assert method.draft(np.array([5, 5, 5]), 10) == [5]


def repeating(seed: int = 0) -> list[int]:
    return (words(7, seed) * 6)[:40]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_is_greedy(tiny: Any, family: str) -> None:
    model = tiny(family)
    for ids in (words(40), repeating()):
        wanted = generated(model, ids, 16)
        for ngram, tokens in [(1, 1), (2, 4), (3, 10)]:
            with applied(model, f"prompt-lookup(ngram={ngram}, tokens={tokens})"):
                assert generated(model, ids, 16) == wanted


def test_a_batch_is_its_rows_and_ends_where_they_end(tiny: Any) -> None:
    model, rows = tiny("llama"), [repeating(1), words(23, 2), repeating(3)[:31]]
    ids, mask = left_padded(rows)
    plain = model.generate(ids, attention_mask=mask, max_new_tokens=14, do_sample=False)
    # An end token in the middle of one row's answer.
    end = int(plain[1, 40 + 4])
    kwargs = {"attention_mask": mask, "max_new_tokens": 14, "do_sample": False, "eos_token_id": end, "pad_token_id": 2}
    plain = model.generate(ids, **kwargs)
    with applied(model, "prompt-lookup(ngram=1, tokens=4)"):
        assert torch.equal(model.generate(ids, **kwargs), plain)


def test_fewer_forwards_than_tokens_where_the_text_repeats(tiny: Any) -> None:
    model, forwards = tiny("llama"), []
    ids = words(8)
    said = generated(model, ids, 30)
    # A text in which the answer already stands.
    prompt = ids + said + ids
    wanted = generated(model, prompt, 30)
    hook = model.register_forward_pre_hook(lambda *_: forwards.append(1))
    with applied(model, "prompt-lookup(ngram=1, tokens=5)"):
        assert generated(model, prompt, 30) == wanted
    hook.remove()
    assert len(forwards) <= 30


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_lengths_at_the_border(tiny: Any, limit: int) -> None:
    model, ids = tiny("llama"), repeating()
    wanted = generated(model, ids, limit)
    with applied(model, "prompt-lookup(ngram=1, tokens=6)"):
        assert generated(model, ids, limit) == wanted


def test_processors_are_heard(tiny: Any) -> None:
    model, ids = tiny("llama"), repeating()
    kwargs = {"repetition_penalty": 1.7, "bad_words_ids": [[generated(model, ids, 1)[0]]]}
    wanted = generated(model, ids, 12, **kwargs)
    with applied(model, "prompt-lookup(ngram=1, tokens=4)"):
        assert generated(model, ids, 12, **kwargs) == wanted


def test_sampling_draws_the_same_tokens(tiny: Any) -> None:
    model, ids = tiny("llama"), torch.tensor([repeating()])

    def drawn(seed: int) -> list[int]:
        torch.manual_seed(seed)
        return model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=3, max_new_tokens=8)[0].tolist()

    plain = [drawn(seed) for seed in range(12)]
    with applied(model, "prompt-lookup(ngram=1, tokens=4)"):
        assert [drawn(seed) for seed in range(12)] == plain
    assert len(Counter(map(tuple, plain))) > 3


def test_a_second_turn_goes_on_from_the_accepted(tiny: Any) -> None:
    model, first, second = tiny("llama"), repeating(), words(6, 4)
    with applied(model, "prompt-lookup(ngram=1, tokens=4)"):
        out = model.generate(torch.tensor([first]), max_new_tokens=9, do_sample=False, return_dict_in_generate=True)
        ids = torch.cat([out.sequences, torch.tensor([second])], -1)
        assert out.past_key_values.get_seq_length() == 48
        turn = model.generate(ids, past_key_values=out.past_key_values, max_new_tokens=5, do_sample=False)
    assert turn[0, ids.shape[1] :].tolist() == generated(model, ids[0].tolist(), 5)


@pytest.mark.parametrize(
    "below",
    ["snapkv(budget=14, window=4)", "self-extend(group=3, window=9)", "kivi(group=8, residual=16)", "yarn(beta_fast=8)",
     "streaming-llm(start=2, recent=12)", "pyramid-kv(budget=14, window=4, beta=3)", "lm-infinite(n_local=12)",
     "a-shape(first=2, local=9)", "gem-filter(topk=14, layer=1)",
     "self-extend(group=3, window=9) + snapkv(budget=14, window=4) + kivi(group=8, residual=8, bits=8)"],
)  # fmt: skip
def test_guesses_above_a_method_change_nothing(tiny: Any, below: str) -> None:
    model = tiny("llama")
    for ids in (words(40), repeating()):
        with applied(model, below):
            wanted = generated(model, ids, 24)
        with applied(model, f"{below} + prompt-lookup(ngram=1, tokens=4)"):
            assert generated(model, ids, 24) == wanted


def test_what_it_cannot_give_is_refused(tiny: Any) -> None:
    model, ids = tiny("llama"), torch.tensor([words(10)])
    with applied(model, "prompt-lookup"):
        with pytest.raises(UserError, match="num_beams"):
            model.generate(ids, num_beams=2, max_new_tokens=2, do_sample=False)
        with pytest.raises(UserError, match="output_scores"):
            model.generate(ids, max_new_tokens=2, output_scores=True, return_dict_in_generate=True, do_sample=False)
        with pytest.raises(UserError, match="own way"):
            model.generate(ids, max_new_tokens=2, assistant_model=model)
