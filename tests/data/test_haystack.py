"""Prompts have the length asked for, to the token, whatever the tokenizer; and hold what they must where they should."""

import random
import time

import numpy as np
import pytest

from leadline.data import noise, prose
from leadline.data.haystack import Builder, Layout, Splicer, Tape
from leadline.nouns import Item, UserError

FAMILIES = ("bytes", "pieces", "unigram", "merges")
NAMES = [f"{f}-{t}" for f in FAMILIES for t in ("plain", "chatml")] + ["bytes-headers", "unigram-brackets"]


def item(seed: int = 0, **changes) -> Item:
    values = dict(
        id=f"i{seed}",
        task="needle",
        instruction="Some special numbers are hidden in the text below. Remember them.",
        question="What is the special number of amber falcon?",
        answers=("482193",),
        evidence=("The special number of amber falcon is 482193.",),
        distractors=("The special number of silver heron is 110455.",),
        prefill="The special number of amber falcon is",
        answer_tokens=16,
    )
    return Item(**(values | changes))


def passage_item(seed: int = 0, **changes) -> Item:
    return item(
        seed,
        noise="passages",
        form="Passage {number}:\n{text}",
        question="In which passages is the amber falcon? ({number0}, then {number1})",
        answers=("{number0}", "Passage {number1}"),
        evidence=("The amber falcon lives in the old mill. It likes rain.", "The amber falcon was seen in Borby.\nIt was late."),
        prefill="Passage",
        **changes,
    )


def check(builder: Builder, one: Item, length: int, prompt, full: float = 0.99) -> None:
    """The laws of every prompt."""
    tok = builder.tokenizer
    assert len(tok.ids(prompt.text)) + prompt.answer_tokens == prompt.tokens <= length
    assert prompt.tokens >= full * length, (prompt.tokens, length)
    content = prompt.messages[-1]["content"]
    assert [content[s:e] for s, e in prompt.evidence] == list(one.evidence)
    assert all(d in content for d in one.distractors)
    assert prompt.text == tok.render(prompt.messages, prompt.prefill)
    assert content.endswith(prompt.question) and content.startswith(one.instruction)
    assert all(0 <= d <= 1 for d in (*prompt.depths, prompt.diffusion, prompt.scope))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["prose", "records", "numbered"])
def test_length_is_met_to_the_token(tokenizer_of, name, kind):
    builder = Builder(tokenizer_of(name), seed=3)
    one = passage_item() if kind == "numbered" else item(noise=kind)
    for length in (256, 300, 512, 777, 1024, 4096, 16384, 65536):
        check(builder, one, length, builder.build(one, length), 0.99)
