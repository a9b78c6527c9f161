"""Generated Chinese: much of it, no accidental answers, and built to the token with any tokenizer."""

import re

import pytest

from leadline.data import chinese
from leadline.data.haystack import Builder
from leadline.data.noise import open_noise
from leadline.nouns import Item


def test_prose_is_various_and_says_nothing_exact():
    lines = chinese.sentences(20_000, 1)
    assert len(set(lines)) > 0.85 * len(lines)
    assert all(re.fullmatch(r"[\u4e00-\u9fff，]{4,60}。", line) for line in lines), "a slot was left, or a digit"
    text = open_noise("prose-zh", 1).join.join(lines)
    assert not re.search("[二三四五六七八九十百千万]", text)
    assert not [k for k in (*chinese.KEY_ADJECTIVES, *chinese.KEY_NOUNS) if k in text]
    assert not [n for n in map(chinese.name, range(3000)) if n in text]
    assert not [t for t in map(chinese.town, range(3000)) if t in text]


@pytest.mark.parametrize(("make", "n", "size"), [(chinese.key, 17_000, 4), (chinese.name, 20_000, 3), (chinese.town, 3_000, 3)])
def test_names_differ_and_none_holds_another(make, n, size):
    found = {make(i, 5) for i in range(n)}
    assert len(found) == n and {len(x) for x in found} == {size}
    assert make(0, 5) != make(0, 6)


def test_records_share_no_key():
    lines = chinese.records(30_000, 2)
    assert len({line.partition("是")[0] for line in lines}) == len(lines)


@pytest.mark.parametrize("name", ["minnow", "bytes-chatml", "pieces-plain", "unigram-brackets", "merges-chatml"])
def test_prompts_are_filled_in_chinese(name, tokenizer, tokenizer_of):
    tokenizer = tokenizer if name == "minnow" else tokenizer_of(name)
    for i in range(3):
        key = chinese.key(i)
        item = Item(
            id=str(i), task="t", instruction="请阅读下面的文字。", question=f"{key}的密码是什么？", answers=("482193",),
            evidence=(f"{key}的密码是482193。",), noise="prose-zh", avoid=(key,),
        )  # fmt: skip
        prompt = Builder(tokenizer).build(item, 1500)
        assert prompt.tokens == len(tokenizer.ids(prompt.text)) + item.answer_tokens
        assert 1497 <= prompt.tokens <= 1500
        assert not re.search("[a-z]", prompt.messages[-1]["content"]), "topped up in another language"
