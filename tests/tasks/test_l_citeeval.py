"""L-CiteEval: citation scores by a toy entailment, exact ones, correctness, the published format and its controlled forms."""

import asyncio
import json
import random
import re
from collections import Counter

import pytest

from leadline import catalog
from leadline.data.haystack import Builder, Layout
from leadline.nouns import Answer, UserError
from leadline.scoring import citing
from leadline.tasks.l_citeeval_task import LCiteevalTask

from .fixtures.l_citeeval_task import question, stars, write

DOCS = ["red fox", "blue fish", "red blue fox"]


def words(text):
    return set(re.findall(r"[a-z]+", text.lower()))


async def all_words(premise, claim):
    """Entailed is what says no word that the premise does not say."""
    return words(claim) <= words(premise)


def cited(text, docs=DOCS, entails=all_words):
    return asyncio.run(citing.entailed(text, lambda n: docs[n - 1] if 1 <= n <= len(docs) else None, entails))


@pytest.mark.parametrize(
    ("text", "recall", "precision"),
    [
        ("red fox [1].", 1, 1),
        ("red fox [1]. blue fish.", 0.5, 1),
        ("red fox [1][2].", 1, 0.5),
        ("red fish [1][2].", 1, 1),
        ("red fox [9].", 0, 0),
        ("red fox [0].", 0, 0),
        ("red fox [1][3].", 1, 1),
        ("red fox [1] [2] [3] [1].", 1, 2 / 3),
        ("red fox. [1] blue fish. [2]", 1, 1),
        ("red fox [1]\nblue fish [1]", 0.5, 0.5),
        ("red fox", 0, 0),
        ("blue fish [1].", 0, 0),
    ],
)
def test_by_hand(text, recall, precision):
    got = cited(text)
    assert (got.recall, got.precision) == pytest.approx((recall, precision))
    assert got.f1 == pytest.approx(2 * recall * precision / (recall + precision) if recall + precision else 0)


def slow(text, docs):
    """The rules of the paper, spelt out."""
    right = needed = total = count = 0
    for sentence in re.findall(r"[^.]+\.", text):
        count += 1
        places = [int(n) - 1 for n in re.findall(r"\[(\d+)", sentence)]
        claim = words(sentence)
        if not places or any(p >= len(docs) for p in places):
            continue
        places = places[:3]
        total += len(places)
        have = [words(docs[p]) for p in places]
        if not claim <= set().union(*have):
            continue
        right += 1
        for i, mine in enumerate(have):
            others = set().union(*(h for j, h in enumerate(have) if j != i))
            needed += len(have) == 1 or claim <= mine or not claim <= others
    return right / count, needed / total if total else 0.0, total


def test_against_a_slow_reference():
    rng, vocabulary = random.Random(0), "red blue green fish fox owl".split()
    for _ in range(2000):
        docs = [" ".join(rng.sample(vocabulary, 3)) for _ in range(4)]
        text = " ".join(
            " ".join(rng.sample(vocabulary, rng.randrange(1, 4)))
            + " "
            + "".join(f"[{rng.randrange(1, 6)}]" for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4])))
            + "."
            for _ in range(rng.randrange(1, 4))
        )
        got = cited(text, docs)
        assert (got.recall, got.precision, got.count) == pytest.approx(slow(text, docs)), text


def test_missing_verdicts_are_left_out():
    async def shy(premise, claim):
        return None if "fox" in premise else await all_words(premise, claim)

    got = cited("red fox [1]. blue fish [2].", entails=shy)
    assert (got.recall, got.precision, got.unjudged) == (1, 1, 0.5)
    assert got.parts()["unjudged"] == 0.5
    assert cited("red fox [1].", entails=shy) is None


def test_sentences():
    text = 'Dr. A. Smith paid 3.5 crowns [1]. He left, e.g. for Rome [2][3]. "Why?" [4] Nobody knows…\nAll [5]\n\n他来了。[6]真的 [7]。'
    assert citing.sentences(text) == [
        "Dr. A. Smith paid 3.5 crowns [1].",
        "He left, e.g. for Rome [2][3].",
        '"Why?" [4]',
        "Nobody knows…",
        "All [5]",
        "他来了。[6]",
        "真的 [7]。",
    ]
    assert citing.without("A b [1][2], c [3, 4].") == "A b, c."
    assert citing.numbers("a [3][7] b [2, 9] (4) [x]") == [3, 7, 2]


def test_needle_and_stars():
    for reply, wanted in {"x [2]": (1, 1), "x [1][2]": (1, 0.5), "x [1][3][4][2]": (0, 0), "x\n[2]": (0, 0)}.items():
        got = citing.needle(reply, 2)
        assert (got.recall, got.precision) == wanted, reply
    said = citing.star_counts('Sure: {"little_penguin": [5, 5, 31], "passage_id": [1, 3, 3, 7]} and {"a": 1}')
    assert said == {"little_penguin": [5, 5, 31], "passage_id": [1, 3, 3, 7]}
    got = citing.found(set(said["passage_id"]), [1, 3])
    assert (got.recall, got.precision) == (1, pytest.approx(2 / 3))
    assert citing.stars_right([5, 5, 31], [5, 31]) == 0.5, "only the first two count, and each once"
    assert citing.stars_right([5, 5, 31], [5, 31], peer=True) == 1, "the original counts it twice"
    for bad in ("none", '{"little_penguin": [1', '{"a": {"b": 1}}', "} {", '["passage_id"]'):
        assert not citing.star_counts(bad)


def test_correctness():
    assert citing.answer_parts("The red fox [1][2].\nblue", ["a red fox", "fish"]) == {"f1": 1, "precision": 1, "recall": 1}
    assert citing.answer_parts("red fish", ["red fox owl", "blue"]) == pytest.approx(
        {"f1": 0.4, "precision": 0.5, "recall": 1 / 3}
    )
    assert citing.summary_text("Here is a summary: All [1] is well [2].\nMore") == "All is well."
    assert citing.qa_f1("red fox [1].\nblue", ["fish", "a red fox"]) == 1
    assert citing.rouge_1("red [1].", ["red fox", "red red. blue green"]) == 0.5
    assert citing.summary_rouge("Summary: All is well [1].", ["All is well", "x"]) == pytest.approx(1)
    assert citing.summary_text("All: is well") == "All: is well", "only where it is called a summary"


def test_rouge_1_as_the_package_counts(shared):
    rouge = pytest.importorskip("rouge").Rouge()
    rng, vocabulary = random.Random(1), "red blue fox. x.y a the .  fish".split(" ")
    compared = 0
    for _ in range(500):
        said, meant = (" ".join(rng.choice(vocabulary) for _ in range(rng.randrange(1, 9))) for _ in range(2))
        try:
            wanted = rouge.get_scores([said], [meant])[0]["rouge-1"]["r"]
        except ValueError:
            continue
        compared += 1
        assert citing.rouge_1_recall(said, meant) == pytest.approx(wanted, abs=1e-6), (said, meant)
    assert compared > 400


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return str(tmp_path)


class Entailment:
    """Answers as the toy entailment does, from the words that it is asked in."""

    def __init__(self, fail: str = "") -> None:
        self.asked, self.fail = [], fail

    async def __call__(self, text: str, max_tokens: int | None = None) -> Answer:
        self.asked.append(text)
        premise, claim = re.search(r"Premise:\n(.*)\n\nClaim:\n(.*)\n\nDoes", text, re.S).groups()
        if self.fail and self.fail in premise:
            return Answer(text="Perhaps.")
        return Answer(text="**Yes**." if words(claim) <= words(premise) else "No, it does not.")


def judged(task, prompt, item, text, judge):
    return asyncio.run(task.judged(prompt.answers, item, Answer(text=text), {"entailment": judge}))


def test_judged_on_published_rows(folder, tokenizer):
    task, builder = LCiteevalTask(data=folder), Builder(tokenizer)
    item = task.items(1)[0]
    prompt = builder.build(item, builder.minimum(item))
    place = next(i for i, text in enumerate(item.evidence, 1) if item.answers[0] in text)
    other = place % 6 + 1
    judge = Entailment()
    # The evidence's own words, so that the toy can tell.
    good = " ".join(item.evidence[place - 1].split()[-4:]).rstrip(".")
    got = judged(task, prompt, item, f"{good} [{place}][{other}].", judge)
    assert got.parts["citation recall"] == 1 and got.parts["citation precision"] == 0.5
    assert got.value == got.parts["citation f1"] == pytest.approx(2 / 3)
    assert set(got.parts) >= {"f1", "precision", "recall"} and got.audit == "answered"
    assert f"Title: Title {place - 1}\nPassage: {item.evidence[place - 1]}" in judge.asked[0]
    assert judged(task, prompt, item, f"{good} [99].", judge).value == 0
    failed = judged(task, prompt, item, f"{good} [{place}].", Entailment(fail="Passage"))
    assert (failed.value, failed.audit) == (None, "provider error")


def test_without_the_role_correctness_is_the_score(folder):
    task = LCiteevalTask(data=folder)
    item = task.items(1)[0]
    got = task.score(item.answers, item, Answer(text=f"{item.answers[0]} [1]."))
    assert got.value == 1 and "citation f1" not in got.parts
    assert task.roles and "correctness alone" in task.without_roles
    for exact in ("niah", "counting_stars", "world"):
        assert not LCiteevalTask(dataset=exact).roles, "needs no model"


def test_the_passages_keep_their_order_and_numbers(folder, tokenizer):
    builder = Builder(tokenizer)
    for dataset in ("hotpotqa", "niah", "counting_stars", "dialsim", "gov_report"):
        task = LCiteevalTask(data=folder, dataset=dataset)
        label = "Conversation" if dataset == "dialsim" else "Passage"
        for item in task.items(4):
            prompt = builder.build(item, builder.minimum(item))
            content = prompt.messages[0]["content"].rpartition("that matter:")[2]
            assert [f"{label} [{n}]: " + t in content for n, t in enumerate(item.evidence, 1)] == [True] * 6
            assert [content.index(t) for t in item.evidence] == sorted(content.index(t) for t in item.evidence)


def test_in_noise_the_rows_own_passages_are_found_by_their_new_numbers(folder, tokenizer):
    task = LCiteevalTask(data=folder, noise="passages")
    item = task.items(1)[0]
    prompt = Builder(tokenizer).build(item, 4096)
    content = prompt.messages[0]["content"].rpartition("that matter:")[2]
    numbers = citing.numbers(prompt.answers[-1])
    assert len(numbers) == 6 and numbers == sorted(numbers) and numbers[-1] > 6
    for number, text in zip(numbers, item.evidence, strict=True):
        assert f"Passage [{number}]: {text}" in content
        assert task._passage(prompt.answers, item, number).endswith(text)
    noise = next(n for n in range(1, 40) if n not in numbers)
    assert task._passage(prompt.answers, item, noise) == "" and task._passage(prompt.answers, item, 0) is None
    place = next(n for n, t in zip(numbers, item.evidence, strict=True) if item.answers[0] in t)
    good = " ".join(next(t for t in item.evidence if item.answers[0] in t).split()[-4:])
    assert judged(task, prompt, item, f"{good[:-1]} [{place}][{noise}].", Entailment()).parts["citation precision"] == 0.5


def test_the_needle_lies_where_it_is_asked_for(folder, tokenizer):
    task = LCiteevalTask(data=folder, dataset="niah", noise="passages")
    item = task.items(1)[0]
    for depth in (0.0, 0.5, 1.0):
        prompt = Builder(tokenizer).build(item, 6000, Layout(depth=depth))
        assert abs(prompt.depths[0] - depth) < 0.15
        assert task.score(prompt.answers, item, Answer(text=prompt.answers[0])).value == 1
        assert prompt.evidence[0] and "owls" in prompt.messages[0]["content"][slice(*prompt.evidence[0])]


def test_controlled_subsets(folder):
    task = LCiteevalTask(data=folder, subset="length", dataset="counting_stars")
    assert Counter(i.facets["length"] for i in task.items(12)) == {"32k": 12}
    main = LCiteevalTask(data=folder)
    assert {i.facets["length"] for i in main.items(24)} == {"8k", "16k", "24k", "32k", "40k"}
    hard = LCiteevalTask(data=folder, subset="hardness", dataset="gov_report")
    assert {i.facets["hardness"] for i in hard.items(12)} == {"hard"} and "length" not in hard.items(1)[0].facets
    needles = LCiteevalTask(data=folder, dataset="niah").items(24)
    assert Counter(i.facets["position"] for i in needles) == {"start": 8, "middle": 8, "end": 8}
    same = LCiteevalTask(data=folder, subset="length").items(12)
    assert len({i.cluster for i in same}) == len({i.question for i in same})


def test_generated_questions_need_both_passages(tokenizer):
    task = LCiteevalTask(dataset="world")
    for item in task.items(4):
        prompt = Builder(tokenizer).build(item, 3000)
        pair = citing.numbers(prompt.answers[0])
        answer = citing.without(prompt.answers[0])
        full = task.score(prompt.answers, item, Answer(text=f"It is {answer} [{pair[1]}][{pair[0]}]."))
        assert full.value == 1 and full.parts["recall"] == 1
        half = task.score(prompt.answers, item, Answer(text=f"It is {answer} [{pair[0]}]."))
        assert (half.parts["citation recall"], half.parts["citation precision"]) == (0.5, 1)


def test_where_the_data_lie(folder, tmp_path, monkeypatch):
    assert LCiteevalTask()._source() == "Jonaszky123/L-CiteEval:L-CiteEval-Data_hotpotqa"
    assert LCiteevalTask(data="a/b@v2", subset="hardness")._source() == "a/b:L-CiteEval-Hardness_hotpotqa@v2"
    assert LCiteevalTask(data=folder)._source().endswith("L-CiteEval-Data/hotpotqa.json")
    (tmp_path / "qmsum.json").write_text(json.dumps([question(i) for i in range(3)]))
    assert LCiteevalTask(data=folder, dataset="qmsum")._source().endswith("/qmsum.json")
    with pytest.raises(UserError, match="no L-CiteEval-Data/locomo.json"):
        LCiteevalTask(data=folder, dataset="locomo").items(1)
    with pytest.raises(UserError, match="holds 24 rows"):
        LCiteevalTask(data=folder).items(25)


def test_bad_rows_are_named(tmp_path):
    def error(dataset, row):
        (tmp_path / f"{dataset}.json").write_text(json.dumps([row]))
        with pytest.raises(UserError) as caught:
            LCiteevalTask(data=str(tmp_path), dataset=dataset).items(1)
        return str(caught.value)

    assert "no column 'question'" in error("hotpotqa", {"answer": "x", "docs": ["y"]})
    assert "passage 2" in error("hotpotqa", {"answer": "x", "question": "y", "docs": ["y", {"title": "t"}]})
    assert "no column 'role'" in error("dialsim", question(1))
    assert "does not hold its answer" in error("niah", {"id": 7, "answer": "x", "question": "y", "docs": ["z"]})
    assert "does not hold its answer" in error("counting_stars", {**stars(1), "answer": [11]})


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("l-citeeval-task(dataset=hotpot)", "hotpotqa"),
        ("l-citeeval-task(subset=long)", "main, length, hardness"),
        ("l-citeeval-task(subset=length, dataset=qmsum)", "narrativeqa, hotpotqa, gov_report, locomo, counting_stars"),
        ("l-citeeval-task(noise=passage)", "passages"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


def test_suite():
    members = catalog.expand(catalog.parse("l-citeeval(noise=passages)"), "tasks")
    made = [catalog.make(m, "tasks") for m in members]
    assert len({m.dataset for m in made}) == 11 and not any(m.natural for m in made)
