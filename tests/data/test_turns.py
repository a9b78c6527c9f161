"""Conversations: earlier turns are part of the prompt to the token, and each turn begins with the ones before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leadline.data import prose
from leadline.data.haystack import Builder
from leadline.nouns import Item, Turn, UserError

NAMES = [f"{f}-{t}" for f in ("bytes", "unigram", "merges") for t in ("plain", "chatml", "headers", "brackets")]
KEYS = ("amber falcon", "silver heron", "green otter", "blue raven")
VALUES = ("482193", "110455", "730021", "555018")


def item(turn: int, **changes) -> Item:
    """A question about one of four facts, after those about the ones before it."""
    facts = [f"The code of {k} is {v}." for k, v in zip(KEYS, VALUES, strict=True)]
    before = [Turn(f"What is the code of {k}?", f"{v}.", f"The code of {k} is") for k, v in zip(KEYS, VALUES, strict=True)]
    values = dict(
        id=f"i{turn}", task="talk", instruction="Read the text.", question=f"What is the code of {KEYS[turn]}?",
        turns=tuple(before[:turn]), answers=(VALUES[turn],), evidence=(facts[turn],),
        distractors=tuple(f for i, f in enumerate(facts) if i != turn), prefill=f"The code of {KEYS[turn]} is", answer_tokens=16,
    )  # fmt: skip
    return Item(**(values | changes))


@pytest.mark.parametrize("length", [512, 2048])
@pytest.mark.parametrize("name", [*NAMES, "pieces-plain", "pieces-chatml"])
def test_a_conversation_is_built_to_the_token(tokenizer_of, name: str, length: int) -> None:
    tok = tokenizer_of(name)
    builder = Builder(tok, seed=1)
    for turn in range(4):
        prompt = builder.build(item(turn), length)
        assert len(tok.ids(prompt.text)) + prompt.answer_tokens == prompt.tokens
        assert 0.99 * length <= prompt.tokens <= length
        assert prompt.text == tok.render(prompt.messages, prompt.prefill)
        assert [m["role"] for m in prompt.messages] == ["user", "assistant"] * turn + ["user"]
        content = prompt.messages[0]["content"]
        assert [content[a:b] for a, b in prompt.evidence] == list(item(turn).evidence)
        said = f"The code of {KEYS[0]} is 482193." if tok.template is None else "482193."
        assert not turn or prompt.messages[1]["content"] == said
        assert prompt.messages[-1]["content"].endswith(prompt.question)


@pytest.mark.parametrize("name", NAMES)
def test_turns_of_a_session_begin_with_the_prompts_before_them(tokenizer_of, name: str) -> None:
    tok = tokenizer_of(name)
    prompts = Builder(tok).build_shared([item(turn) for turn in range(4)], 1024)
    assert max(p.tokens for p in prompts) == prompts[3].tokens >= 1014
    for i, prompt in enumerate(prompts):
        assert prompt.turns == tuple(len(p.text) for p in prompts[:i])
        assert all(prompt.text.startswith(p.text) for p in prompts[:i])
        if i < 3:
            assert prompt.shared_chars == len(prompt.text)
    context = prompts[0].messages[0]["content"].removesuffix("\n\n" + prompts[0].question)
    assert prompts[3].text[: prompts[3].shared_chars].endswith(context)
    # What a model has read of a turn is what the next begins with.
    ids = [tok.ids(p.text) for p in prompts]
    assert all(b[: len(a)] == a for a, b in zip(ids, ids[1:], strict=False))


def test_a_template_that_says_more_at_an_answer_than_of_one_that_was_given(tokenizer_of) -> None:
    """As those that open an empty thought: the turns share what they really have in common."""
    tok = replace(
        tokenizer_of("bytes-chatml"),
        template="{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<|assistant|><think></think>{% endif %}",
    )
    first, second = Builder(tok).build_shared([item(0), item(1)], 512)
    assert second.turns == (first.text.index("<think>"),) and first.shared_chars == second.turns[0]
    assert "<think></think>482193" not in second.text


def test_a_context_that_is_read_before_the_question(tokenizer_of) -> None:
    prompts = Builder(tokenizer_of("bytes-chatml")).build_shared([item(turn, turns=(), apart=True) for turn in range(3)], 1024)
    heads = {p.text[: p.turns[0]] for p in prompts}
    assert len(heads) == 1 and all(p.turns == (p.shared_chars,) for p in prompts)
    rest = [p.text[p.turns[0] :] for p in prompts]
    assert rest[1].startswith("\n\nWhat is the code of silver heron?")
    both = Builder(tokenizer_of("bytes-chatml")).build(item(1, apart=True), 1024)
    assert len(both.turns) == 2 and both.text[both.turns[0] :].startswith("\n\nWhat is the code of amber falcon?")


def test_numbers_of_passages_in_earlier_turns(tokenizer_of) -> None:
    one = item(
        1,
        noise="passages",
        form="Passage {number}:\n{text}",
        question="And where is the fact about silver heron? ({number0})",
        turns=(Turn("Is it in {number0}?", "Yes, in {number0}."),),
        answers=("{number0}",),
    )
    prompt = Builder(tokenizer_of("bytes-chatml")).build(one, 2048)
    number = prompt.answers[0]
    assert number.isdigit() and prompt.messages[1]["content"] == f"Yes, in {number}."
    assert (
        prompt.messages[0]["content"].endswith(f"Is it in {number}?")
        and f"Passage {number}:\nThe code of silver" in prompt.text
    )


def test_evidence_that_grows_is_shared_by_the_turns(tokenizer_of) -> None:
    tok = tokenizer_of("bytes-chatml")

    def compose(one: Item, room: int, count) -> Item:
        lines, used = [], 0
        for line in prose.records(4000, 1):
            if (used := used + count(line)) > room:
                break
            lines.append(line)
        return replace(one, evidence=tuple(lines), distractors=())

    items = [item(turn, noise="none", evidence=(), distractors=()) for turn in range(4)]
    prompts = Builder(tok).build_shared(items, 4096, compose=compose)
    contexts = {p.messages[0]["content"].rpartition("\n\n")[0] for p in prompts}
    assert len(contexts) == 1 and prompts[3].tokens <= 4096 and prompts[3].tokens > 3950
    assert [len(p.evidence) for p in prompts] == [len(prompts[0].evidence)] * 4


def test_asked_without_its_context_there_is_no_history(tokenizer_of) -> None:
    bare = Builder(tokenizer_of("bytes-chatml")).bare(item(2))
    assert len(bare.messages) == 1 and "482193" not in bare.text and "green otter" in bare.text


def test_a_template_that_puts_something_before_a_conversation_is_refused(tokenizer_of) -> None:
    tok = replace(
        tokenizer_of("bytes-chatml"),
        template="{% if messages|length > 1 %}Earlier:{% endif %}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}",
    )
    Builder(tok).build(item(0), 512)
    with pytest.raises(UserError, match="begins a conversation otherwise"):
        Builder(tok).build(item(1), 512)
