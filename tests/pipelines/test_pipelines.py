"""Pipelines: what each of them asks, in which order, and what its answer costs; with a scripted model."""

import asyncio
import random
import sys
import types

import numpy as np
import pytest

from leadline import catalog
from leadline.data import embeddings, prose
from leadline.data.haystack import Builder
from leadline.nouns import Answer, Item, UserError
from leadline.pipelines import _retrieval as retrieval
from leadline.pipelines.base import Pipeline, hints, parted, total
from leadline.pipelines.coem import Coem
from leadline.pipelines.rag import Rag
from leadline.pipelines.stages import Stages

ALL = sorted(catalog.entries("pipelines"))


class Model:
    """Answers by a script or a function, and keeps what it was asked: (text, room, role)."""

    def __init__(self, reply=lambda text, role: f"{role or 'model'} says so") -> None:
        self.reply, self.asked = reply, []

    async def __call__(self, prompt, max_tokens=None, role=""):
        text = prompt if isinstance(prompt, str) else prompt.text
        self.asked.append((text, max_tokens, role))
        await asyncio.sleep(0)
        got = self.reply(text, role)
        return (
            got
            if isinstance(got, Answer)
            else Answer(text=got, prompt_tokens=10, output_tokens=2, seconds=0.5, peak_bytes=len(text))
        )

    def texts(self, role=""):
        return [text for text, _, r in self.asked if r == role]


def prompt(tokenizer, length=1500, **changes):
    """A needle in prose."""
    rng = random.Random(1)
    item = Item(
        id="i",
        task="t",
        instruction="Read the text.",
        question="What is the code of the amber falcon?",
        answers=("482193",),
        evidence=("The code of the amber falcon is 482193.",),
        distractors=(f"The code of the olive otter is {rng.randrange(10**6)}.",),
        avoid=("falcon",),
        answer_tokens=32,
        prefill="The code is",
    )
    import dataclasses

    return Builder(tokenizer, prefill=changes.pop("prefill", "off")).build(dataclasses.replace(item, **changes), length)


def answered(pipeline, asked, model):
    return asyncio.run(pipeline.answer(asked, model))


@pytest.mark.parametrize("name", ALL)
def test_every_pipeline_asks_the_question_last_and_says_what_it_cost(name, tokenizer):
    made, model, asked = catalog.make(name, "pipelines"), Model(), prompt(tokenizer)
    got = answered(made, asked, model)
    assert isinstance(made, Pipeline) and got.text == "model says so"
    assert model.asked[-1][2] == "" and model.asked[-1][0].rstrip().endswith(asked.question)
    assert got.prompt_tokens == 10 * len(model.asked) and got.output_tokens == 2 * len(model.asked)
    assert got.seconds == pytest.approx(0.5 * len(model.asked))
    assert "482193" in model.asked[-1][0], "what answers is before the model"
    assert {role for _, _, role in model.asked} <= {"", *made.roles}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("stop", ["error", "window", "filter"])
def test_every_pipeline_hands_a_fault_on(name, stop, tokenizer):
    for when in (1, 2):
        model = Model()
        model.reply = lambda text, role, m=model, n=when: (
            Answer(stop=stop, error="oh", prompt_tokens=3) if len(m.asked) >= n else "fine"
        )  # noqa: B023
        got = answered(catalog.make(name, "pipelines"), prompt(tokenizer), model)
        assert got.stop == stop or len(model.asked) < when
        assert got.prompt_tokens and got.prompt_tokens >= 3


@pytest.mark.parametrize("name", ALL)
def test_every_pipeline_asks_stages_in_turn(name, tokenizer):
    stages = [f"Stage {i}: tell part {i} of the falcon." for i in range(4)]
    asked = prompt(tokenizer, meta={"retrieval": {"stages": stages}}, answer_tokens=400)
    model = Model(lambda text, role: "a note" if role else f"The falcon flew over part {text.rstrip()[-16]}. " * 30)
    got = answered(catalog.make(name, "pipelines"), asked, model)
    turns = model.texts()
    assert len(turns) == 4 and all(t.rstrip().endswith(s) for t, s in zip(turns, stages, strict=True))
    assert all("Read the text." in t and asked.question not in t for t in turns)
    assert got.text == "\n\n".join(model.reply(t, "").strip() for t in turns)
    assert turns[3].count("part 0") > 10 and "part 2" in turns[3], "all that was said before"
    assert {room for _, room, role in model.asked if not role} == {100}
    if name != "stages":
        assert "pieces of what was said" not in turns[1] and "pieces of what was said" in turns[2]
    assert got.prompt_tokens == 10 * len(model.asked)


def test_a_stage_that_fails_ends_it(tokenizer):
    asked = prompt(tokenizer, meta={"retrieval": {"stages": ["one", "two", "three"]}})
    model = Model(lambda text, role: Answer(stop="error", error="500") if text.rstrip().endswith("two") else "fine")
    got = answered(Stages(), asked, model)
    assert got.stop == "error" and len(model.asked) == 2
    model = Model(lambda text, role: Answer(text="so far", stop="length") if text.rstrip().endswith("one") else "fine")
    assert answered(Stages(), asked, model).stop == "length", "a stage that was cut off is not hidden"


def test_rag(tokenizer):
    asked = prompt(tokenizer)
    model = Model()
    answered(Rag(k=2), asked, model)
    (text, room, _) = model.asked[0]
    context, found = text.split("These pieces of the text above")
    assert asked.messages[0]["content"].removesuffix(asked.question).strip() == context.strip()
    assert "[2]" in found and "[3]" not in found and "code of the amber falcon is 482193" in found and room == 32
    model = Model()
    answered(Rag(k=1, whole=False), asked, model)
    short = model.asked[0][0]
    assert "482193" in short and len(short) < 1000 and short.endswith(asked.question)


def test_coem_goes_through_its_five_stages(tokenizer):
    asked = prompt(tokenizer)
    model = Model(
        lambda text, role: ("It is about the amber falcon." if "482193" in text else "Nothing.") if role else "482193"
    )
    got = answered(Coem(first=5, second=2), asked, model)
    assert len(model.texts("sage")) == 5 and len(model.texts()) == 1 and got.text == "482193"
    assert all(asked.question in t for t in model.texts("sage"))
    final = model.texts()[0]
    found = final.split("a note was added:")[1]
    assert found.count("\nNote: ") == 2 and "482193" in found and "Note: It is about the amber falcon." in found
    assert asked.messages[0]["content"].removesuffix(asked.question).strip() in final, "the whole context is read too"


def test_the_second_ranking_reads_the_notes(tokenizer):
    """A note can bring a piece up that its own words would not."""
    texts = [f"Piece number {w} of the chronicle has other words." for w in ("one", "two", "three", "four", "five", "six")]
    item = {
        "evidence": tuple(texts),
        "distractors": (),
        "ordered": True,
        "noise": "none",
        "form": "{text}",
        "question": "Where is the ruby?",
    }
    asked = prompt(tokenizer, length=2000, **item)
    model = Model(lambda text, role: ("Here is the ruby" if "three" in text.split("Question")[0] else "No") if role else "done")
    answered(Coem(first=6, second=1, chunk=16, overlap=0), asked, model)
    found = model.texts()[0].split("a note was added:")[1]
    assert "three" in found and "one" not in found


def test_coem_together_looks_again_with_the_note(tokenizer):
    told = {"how": "together", "queries": ["What about the boats?"], "first": 6, "second": 1, "enrich": "TELL"}
    asked = prompt(tokenizer, meta={"retrieval": told})
    model = Model(lambda text, role: "the code of the amber falcon" if role else "done")
    answered(Coem(), asked, model)
    assert len(model.texts("sage")) == 1 and model.texts("sage")[0].startswith("TELL\n\nWhat about the boats?")
    assert "Note: the code of the amber falcon" in model.texts()[0]


def test_coem_odd_keeps_what_is_least_like_the_rest(tokenizer):
    texts = (
        ["I am glad and happy about the sunny day."] * 2
        + ["I am happy and glad about this day."]
        + ["Grief took my breath away."]
    )
    texts = [f"{t} ({i})" for i, t in enumerate(texts)]
    asked = prompt(
        tokenizer, evidence=tuple(texts), distractors=(), ordered=True, noise="none", form="Text {number}:\n{text}",
        meta={"retrieval": {"how": "odd", "second": 1, "plain": 1, "enrich": "FEEL"}},
    )  # fmt: skip
    model = Model(lambda text, role: "sad" if "Grief" in text else "glad")
    answered(Coem(), asked, model)
    assert len(model.texts("sage")) == len(retrieval.paragraphs(parted(asked)[0])), "each paragraph is enriched"
    assert "Grief" in model.texts()[0].split("a note was added:")[1]
    model = Model()
    answered(Rag(), asked, model)
    assert "Grief" in model.texts()[0].split("bear on the question:")[1]


def test_what_the_task_says_and_what_is_set(tokenizer):
    asked = prompt(tokenizer, meta={"retrieval": {"queries": ["falcon", "otter"], "first": 3, "second": 2, "plain": 1}})
    assert hints(asked).queries == ("falcon", "otter") and hints(prompt(tokenizer)).queries == (prompt(tokenizer).question,)
    for pipeline, sage in ((Coem(), 6), (Coem(first=1), 2)):
        model = Model()
        answered(pipeline, asked, model)
        assert len(model.texts("sage")) == sage
    model = Model()
    answered(Rag(), asked, model)
    assert "[2]" in model.texts()[0] and "[3]" not in model.texts()[0], "one piece for each query"


def test_the_answers_beginning_goes_along(tokenizer):
    asked = prompt(tokenizer, prefill="on")
    model = Model()
    answered(Rag(), asked, model)
    assert model.asked[0][0].endswith(f"{asked.question}\nThe code is")


def test_parted_puts_together_again(tokenizer):
    asked = prompt(tokenizer)
    context, question = parted(asked)
    assert f"{context}\n\n{question}" == asked.messages[0]["content"]


def test_pieces_cover_the_text():
    told = [f"{i}: {s}" for i, s in enumerate(prose.sentences(108))]
    text = "\n\n".join(" ".join(told[i : i + 9]) for i in range(0, 108, 9)) + "\n" + "".join(map(str, range(1000, 1750)))
    for size, overlap in ((32, 0), (128, 50), (1000, 10)):
        found = retrieval.pieces(text, size, overlap)
        assert all(0 < len(p) <= size * 4 for p in found)
        assert "".join("".join(found).split()) == "".join(text.split()) if not overlap else True
        at = 0
        for p in found:
            place = text.find(p[:40], max(0, at - size * 4))
            assert place >= 0, "every piece is a run of the text"
            assert place <= at + 4, "and none of the text is left out"
            at = place + len(p)
        assert at >= len(text.rstrip()) - 4
    assert retrieval.pieces("", 32, 0) == [] and retrieval.pieces("short", 32, 8) == ["short"]
    assert retrieval.paragraphs("a\n\n b\nc \n \n\nd") == ["a", "b\nc", "d"]


def test_ranking_against_a_slow_bm25():
    import math

    rng, vocabulary = random.Random(0), "red blue green fox owl fish tree".split()
    for _ in range(50):
        texts = [" ".join(rng.choice(vocabulary) for _ in range(rng.randrange(1, 12))) for _ in range(6)]
        query = " ".join(rng.sample(vocabulary, 3))
        mean = sum(len(t.split()) for t in texts) / len(texts)
        wanted = []
        for t in texts:
            score = 0.0
            for q in query.split():
                n = sum(q in other.split() for other in texts)
                f = t.split().count(q)
                score += math.log(1 + (6 - n + 0.5) / (n + 0.5)) * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * len(t.split()) / mean))
            wanted.append(score)
        assert retrieval.scores(query, texts) == pytest.approx(wanted)
        k = rng.randrange(1, 6)
        cut = sorted(wanted, reverse=True)[k - 1]
        assert all(wanted[i] >= cut for i in retrieval.best(query, texts, k))
    assert retrieval.best("x", ["a", "b"], 5) == [0, 1]
    assert retrieval.words("Ein Wort, 两个字") == ["ein", "wort", "两", "个", "字"]


def test_an_embedder_ranks_by_its_vectors(monkeypatch):
    class Fake:
        def __init__(self, name):
            assert name == "some/model"

        def encode(self, texts, normalize_embeddings):
            assert normalize_embeddings
            return np.array([[1.0, 0.0] if "near" in t else [0.0, 1.0] for t in texts])

    embeddings._model.cache_clear()
    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(SentenceTransformer=Fake))
    assert retrieval.best("near", ["far a", "near b", "far c"], 1, "some/model") == [1]
    assert retrieval.oddest(["far a", "near b", "far c"], 1, "some/model") == [1]
    embeddings._model.cache_clear()
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match="pip install sentence-transformers"):
        retrieval.scores("a", ["b"], "some/model")


def test_costs_add_up():
    asked = [
        Answer(prompt_tokens=1, cost=0.5, peak_bytes=7),
        Answer(prompt_tokens=2, peak_bytes=3),
        Answer(text="x", output_tokens=4),
    ]
    got = total(asked[-1], asked)
    assert (got.text, got.prompt_tokens, got.output_tokens, got.cost, got.peak_bytes, got.seconds) == ("x", 3, 4, 0.5, 7, None)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("coem(first=-1)", "first must be from 0"),
        ("coem(chunk=8)", "chunk must be from 16"),
        ("rag(overlap=128)", "less than a chunk"),
        ("rag(k=2000)", "k must be from 0"),
        ("rag(ks=2)", "did you mean 'k'"),
        ("raq", "did you mean 'rag'"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "pipelines")
