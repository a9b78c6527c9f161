"""Prompts have the length asked for, to the token, whatever the tokenizer; and hold what they must where they should."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

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
        evidence=(
            "The amber falcon lives in the old mill. It likes rain.",
            "The amber falcon was seen in Borby.\nIt was late.",
        ),
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
    for length in (256, 300, 512, 777, 1024, 4096, 65536 if kind == "records" else 16384):
        check(builder, one, length, builder.build(one, length))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_million_tokens(tokenizer_of, family, tmp_path):
    (tmp_path / "a.txt").write_text(" ".join(prose.sentences(1000, 4)))
    builder = Builder(tokenizer_of(f"{family}-chatml"), noise=f"file(path={str(tmp_path / 'a.txt')!r})")
    one = item()
    check(builder, one, 1 << 20, builder.build(one, 1 << 20), 0.9999)


@pytest.mark.parametrize("seed", range(12))
def test_any_item_at_any_length(tokenizer_of, seed):
    """Random items, layouts and lengths, from the least that fits."""
    rng = random.Random(seed)
    builder = Builder(tokenizer_of(rng.choice(NAMES)), prefill=rng.choice(["auto", "on", "off"]), seed=seed)
    for trial in range(12):
        words = " ".join(prose.sentences(3, rng.randrange(10**6)))
        odd = ["漢字かな交じり文。", "naïve «ünïcödé»", "a\n\n  b", "x" * 120, "=" * 70, "1234567890" * 4, "\ttab", "😀😀"]
        evidence = tuple(
            f"Fact {j}: {rng.choice(odd)} {words[: rng.randrange(5, 150)]}".strip() for j in range(rng.randrange(4))
        )
        one = item(
            trial,
            evidence=evidence,
            distractors=tuple(rng.choice(odd).strip() for _ in range(rng.randrange(3))),
            noise=rng.choice(["prose", "records", "passages"]),
            form=rng.choice(["{text}", "{text}", "Passage {number}:\n{text}", "<doc id={number}>{text}</doc>"]),
            ordered=rng.random() < 0.5,
            avoid=rng.choice([(), ("river",), ("amber", "weather"), ("the old",)]),
            instruction=rng.choice(["", "Read this.", "Read this:\n- all of it"]),
            question=rng.choice(["What?", "Which is fact 0?\n(A) x\n(B) y", "それは何ですか。"]),
            answer_tokens=rng.randrange(1, 64),
        )
        layout = Layout(rng.choice([None, 0.0, 0.3, 1.0]), rng.choice(["random", "even", "clustered"]))
        least = builder.minimum(one)
        for length in (least, max(256, least + 40), rng.randrange(least + 60, 3000)):
            full = 1.0 if length == least else 0.99
            prompt = builder.build(one, length, layout)
            check(builder, one, length, prompt, full)
            context = prompt.messages[-1]["content"].removeprefix(one.instruction).removesuffix(prompt.question)
            assert not any(a in context for a in one.avoid if not any(a in e for e in one.evidence))
        with pytest.raises(UserError, match=f"needs {least} tokens"):
            builder.build(one, least - 1)


def test_same_item_at_every_length(tokenizer_of):
    """Order and depth of the pieces stay, and shorter noise is a part of longer noise."""
    builder = Builder(tokenizer_of("bytes-plain"))
    one = item(evidence=tuple(f"The number of falcon {j} is {j}." for j in range(5)))
    prompts = [builder.build(one, n) for n in (2048, 8192, 65536)]
    order = [np.argsort(p.depths).tolist() for p in prompts]
    assert order[0] == order[1] == order[2]
    assert np.allclose(prompts[1].depths, prompts[2].depths, atol=0.05)
    noises = [p.messages[0]["content"][len(one.instruction) + 2 : -len(one.question)] for p in prompts]
    for text in (*one.evidence, *one.distractors):
        noises = [n.replace(text + " ", "") for n in noises]
    assert noises[2].startswith(noises[0][:5000]) and noises[2].startswith(noises[1][:30_000])
    assert [p.question for p in prompts] == [one.question] * 3
    assert builder.build(one, 2048) == prompts[0], "building twice gives the same prompt"
    assert Builder(builder.tokenizer, seed=1).build(one, 2048).text != prompts[0].text


def test_different_items_lie_in_different_noise(tokenizer_of):
    builder = Builder(tokenizer_of("bytes-plain"))
    heads = {builder.build(item(i, distractors=(), evidence=()), 512).messages[0]["content"][:160] for i in range(20)}
    assert len(heads) >= 18


@pytest.mark.parametrize("depth", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_depth_is_the_one_asked_for(tokenizer_of, depth):
    builder = Builder(tokenizer_of("unigram-plain"))
    for length in (1024, 16384):
        assert abs(builder.build(item(), length, Layout(depth)).depths[0] - depth) < 30 / length + 0.02


def test_spread_and_order(tokenizer_of):
    builder = Builder(tokenizer_of("bytes-plain"))
    one = item(evidence=tuple(f"Step {j} is done." for j in range(6)), distractors=(), ordered=True)
    even = builder.build(one, 8192, Layout(spread="even"))
    assert np.allclose(even.depths, [(j + 1) / 7 for j in range(6)], atol=0.01)
    near = builder.build(one, 8192, Layout(0.5, "clustered"))
    assert max(near.depths) - min(near.depths) < 0.02 and list(near.depths) == sorted(near.depths)
    assert near.diffusion < even.diffusion
    for seed in range(5):
        depths = Builder(builder.tokenizer, seed=seed).build(one, 4096).depths
        assert list(depths) == sorted(depths)
    with pytest.raises(UserError, match="0 to 1"):
        Layout(1.5)


def test_numbers_are_those_of_the_layout(tokenizer_of):
    builder = Builder(tokenizer_of("bytes-chatml"))
    for length in (400, 2000, 9000):
        prompt = builder.build(passage_item(), length)
        content = prompt.messages[0]["content"]
        for j, (s, _) in enumerate(prompt.evidence):
            number = prompt.answers[j].split()[-1]
            assert content[:s].endswith(f"Passage {number}:\n")
            assert number in prompt.question
        numbers = [int(line[8:-1]) for line in content.splitlines() if line.startswith("Passage ") and line.endswith(":")]
        assert numbers == list(range(1, len(numbers) + 1))


def test_shared_haystack(tokenizer_of):
    builder = Builder(tokenizer_of("bytes-chatml"))
    items = [
        item(
            i, question=f"What is number {i}{'?' * i}", evidence=(f"Number {i} is {i}{i}.",), cluster="one", answer_tokens=8 + i
        )
        for i in range(5)
    ]
    prompts = builder.build_shared(items, 4096)
    assert len({p.text[: p.shared_chars] for p in prompts}) == 1 and prompts[0].shared_chars > 10_000
    for one, prompt in zip(items, prompts, strict=True):
        check(builder, one, 4096, prompt)
        assert prompt.text[prompt.shared_chars :].lstrip().startswith(one.question)
    assert max(p.tokens for p in prompts) == 4096
    with pytest.raises(UserError, match="same instruction"):
        builder.build_shared([items[0], item(9, instruction="Other.")], 4096)


def test_repeated_evidence_stays_repeated(tokenizer_of):
    builder = Builder(tokenizer_of("bytes-plain"))
    one = item(evidence=("The same text.",) * 3, distractors=("The same text.",))
    prompt = builder.build(one, 1024)
    assert prompt.messages[0]["content"].count("The same text.") == 4 and len(set(prompt.evidence)) == 3


@pytest.mark.parametrize("noise_kind", ["none", "records"])
def test_growing_evidence_fills_the_room(tokenizer_of, noise_kind):
    builder = Builder(tokenizer_of("unigram-chatml"))

    def compose(one: Item, room: int, count: Callable[[str], int]) -> Item:
        used, chosen = 0, []
        for line in prose.records(100_000, 9):
            used += count(line)
            if used > room:
                break
            chosen.append(line)
        return replace(one, evidence=tuple(chosen), answers=(str(len(chosen)),))

    for length in (512, 4096):
        prompt = builder.build(item(noise=noise_kind, form="{text}", ordered=True), length, compose=compose)
        assert len(builder.tokenizer.ids(prompt.text)) + prompt.answer_tokens == prompt.tokens <= length
        assert prompt.tokens >= (0.99 * length if noise_kind == "records" else length - 60)
        assert int(prompt.answers[0]) == len(prompt.evidence) > 10
        assert prompt.scope > 0.9


def test_short_noise_goes_round(tokenizer_of, tmp_path):
    (tmp_path / "a.txt").write_text(" ".join(prose.sentences(30, 4)))
    builder = Builder(tokenizer_of("merges-plain"), noise=f"file(path={str(tmp_path / 'a.txt')!r})")
    one = item()
    for length in (256, 4096, 30000):
        prompt = builder.build(one, length)
        check(builder, one, length, prompt)
        assert ("times over" in prompt.note) == (length > 256)
    with pytest.raises(UserError, match="nothing left"):
        builder.build(item(avoid=(" ",)), 4096)


def test_scripts_without_spaces_fill_too(tokenizer_of, tmp_path):
    (tmp_path / "a.txt").write_text("漢字とかなの文が続く。" * 400)
    builder = Builder(tokenizer_of("bytes-plain"), noise=f"file(path={str(tmp_path / 'a.txt')!r})")
    check(builder, item(), 2000, builder.build(item(), 2000))


def test_prefill_and_stop(tokenizer_of):
    plain, chat = tokenizer_of("bytes-plain"), tokenizer_of("bytes-chatml")
    one = item()
    prompt = Builder(plain).build(one, 512)
    assert prompt.text.endswith("\n" + one.prefill) and prompt.prefill == one.prefill and prompt.stop == ("\n",)
    prompt = Builder(chat).build(one, 512)
    assert not prompt.prefill and not prompt.stop and prompt.text.endswith("assistant\n")
    assert Builder(chat, prefill="on").build(one, 512).text.endswith("assistant\n" + one.prefill)
    assert not Builder(plain, prefill="off").build(one, 512).prefill


def test_bare_item_has_no_context(tokenizer_of):
    prompt = Builder(tokenizer_of("bytes-chatml")).bare(item())
    assert "482193" not in prompt.text and prompt.question in prompt.text and prompt.tokens == prompt.length


@pytest.mark.parametrize("family", FAMILIES)
def test_splicing_counts_like_whole_texts(tokenizer_of, family):
    tok = tokenizer_of(f"{family}-plain")
    tape = Tape(noise.open_noise("prose", 7), tok)
    tape.reach(0, 20_000)
    rng = random.Random(1)
    for _ in range(60):
        parts: list = [rng.choice(["", "Head\n\n", "  "])]
        for _ in range(rng.randrange(6)):
            a = rng.randrange(len(tape.text) - 3000)
            parts += [(a, a + rng.randrange(1, 2500)), rng.choice(["", " ", "\n\nPassage 7:\n", "Odd 漢字 ", "x" * 90, "..."])]
        whole = "".join(p if isinstance(p, str) else tape.text[p[0] : p[1]] for p in parts)
        assert Splicer(tok, tape).count(parts) == tok.count(whole)


@pytest.mark.parametrize("family", FAMILIES)
def test_tape_grows_as_if_read_at_once(tokenizer_of, family):
    tok = tokenizer_of(f"{family}-plain")
    tape = Tape(noise.open_noise("records", 2), tok)
    for tokens in (10, 500, 3000, 40_000):
        tape.reach(3, tokens)
    assert np.array_equal(tape.starts, tok.encode(tape.text)[1])
    assert tape.costs.sum() == len(tape.starts)


def test_cost_does_not_grow_with_the_number_of_prompts(tokenizer_of):
    """The noise is tokenised once: a hundred further prompts take less than tokenising their text twice over."""
    tok = tokenizer_of("bytes-plain")
    builder = Builder(tok)
    text = builder.build(item(), 32_768).text
    start = time.process_time()
    for _ in range(2):
        tok.ids(text)
    whole = time.process_time() - start
    builder.build(item(1), 40_000)
    start = time.process_time()
    for i in range(4):
        builder.build(item(2 + i), 32_768)
    assert time.process_time() - start < 2 * whole
