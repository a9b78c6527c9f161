"""LooGLE against the authors' scorers, and what is asked of the published documents."""

import asyncio
import gzip
import json
import random

import pytest

from leadline import catalog
from leadline.nouns import Answer, UserError
from leadline.scoring.loogle_metrics import DEVIATIONS, METRICS, masks_of, numerals, order_right, places
from leadline.tasks.loogle_set import KINDS, LoogleSet

from .fixtures._rows import write


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_all_released_outputs(shared):
    """33 answers of three models, five scores each: equal, and the means as the authors' script prints them."""
    compared, means = 0, {}
    for row in rows(shared / "data/loogle/shortdep_qa.outputs.jsonl.gz"):
        for name, score in row["peer_score"].items():
            got = METRICS[f"loogle/{name.removesuffix('_recall')}"](row["pred"], [row["gt"]])
            assert got == pytest.approx(score, abs=1e-6), (row["model"], row["i"], name)
            means.setdefault((row["model"], name), []).append(got)
            compared += 1
    assert compared == 165
    table = json.loads((shared / "data/loogle/scores.json").read_text())["peer"]
    for (model, name), values in means.items():
        assert sum(values) / len(values) == pytest.approx(table[model]["mean"][name], abs=1e-6)


def test_scores_of_the_task_are_those(shared):
    path = shared / "data/loogle/testdata.shortdep_qa.0-1.jsonl.gz"
    task = LoogleSet(data=str(path))
    outputs = {
        (r["Q"], r["gt"]): r for r in rows(shared / "data/loogle/shortdep_qa.outputs.jsonl.gz") if r["model"] == "llama-index"
    }
    seen = 0
    for item in task.items(23):
        row = outputs.get((item.question, item.answers[0]))
        if row is None:
            continue
        score = task.score(item.answers, item, Answer(text=row["pred"]))
        assert score.value == pytest.approx(row["peer_score"]["rougeL_recall"], abs=1e-6)
        assert score.parts["bleu1"] == pytest.approx(row["peer_score"]["bleu1"], abs=1e-6)
        seen += 1
    assert seen == 11 and len({item.cluster for item in task.items(23)}) == 2


@pytest.mark.parametrize(
    ("name", "said", "meant", "score"),
    [
        ("bleu1", "the cat sat", "the cat sat on the mat", 0.36788),
        ("bleu1", "the cat lay on the mat", "the cat sat on the mat", 0.83333),
        ("bleu4", "one two three", "one two three", 0.0),
        ("rouge1", "the cat lay on the mat", "the cat sat on the mat", 0.8),
        ("rouge2", "the cat lay on the mat", "the cat sat on the mat", 0.6),
        ("rougeL", "the cat lay on the mat", "the cat sat on the mat", 0.8),
        ("rouge1", "", "None of it", 1 / 3),  # an empty reply is scored as the word "None"
        ("cloze-exact", "{'m0': 'Ann', 'm1': 'Rome'}", "{'m0': 'Ann Lee', 'm1': 'Rome'}", 0.5),
        ("cloze-partial", "{'m0': 'Ann', 'm1': 'Rome'}", "{'m0': 'Ann Lee', 'm1': 'Rome'}", 1.0),
        ("cloze-partial", "It is {'m0': 'Ann'}", "{'m0': 'Ann Lee'}", 0.0),
    ],
)
def test_vectors(name, said, meant, score):
    assert METRICS[f"loogle/{name}"](said, [meant]) == pytest.approx(score, abs=1e-5)


# Of get_reorder_deviation.py at 6734382.
@pytest.mark.parametrize(
    ("said", "lsd", "lmd", "sd", "sdd"),
    [
        ("I II III IV", 0, 0, 0, 0),
        ("II I III IV", 0.5, 0.5, 1, 1),
        ("IV III II I", 5, 2, 2, 4),
        ("I II III", *[None] * 4),
        ("I II III IX", *[None] * 4),
        ("I I III IV", *[None] * 4),
    ],
)
def test_deviations_of_an_order(said, lsd, lmd, sd, sdd):
    order = places(numerals(said), ["I", "II", "III", "IV"])
    assert [None if order is None else f(order) for f in DEVIATIONS.values()] == [lsd, lmd, sd, sdd]


def test_swaps_are_the_fewest():
    """As many as a search over all swaps needs."""
    from itertools import combinations, permutations

    for n in (2, 3, 4):
        depth = {tuple(range(n)): 0}
        ring = [tuple(range(n))]
        while ring:
            fresh = []
            for order in ring:
                for i, j in combinations(range(n), 2):
                    other = list(order)
                    other[i], other[j] = other[j], other[i]
                    if tuple(other) not in depth:
                        depth[tuple(other)] = depth[order] + 1
                        fresh.append(tuple(other))
            ring = fresh
        for order in permutations(range(n)):
            assert DEVIATIONS["sd"](order) == depth[order]


def test_an_order_is_worth_how_near_its_events_are():
    assert order_right(["I", "II", "III"], ["I", "II", "III"]) == 1 and order_right(["III", "II", "I"], ["I", "II", "III"]) == 0
    assert order_right(["II", "I", "III"], ["I", "II", "III"]) == 0.5 and order_right(["I"], ["I", "II"]) == 0


def test_masks_in_what_models_write():
    assert masks_of('Sure: {"<mask-0>": "Ann Lee"}.') == {"<mask-0>": "Ann Lee"}
    assert masks_of("{'a': '1'} or rather {'a': '2'}") == {"a": "2"} and masks_of("nothing") is None
    assert masks_of("{'a': '1'} or", peer=True) is None and masks_of("{'a': __import__('os')}") is None


def pair(**told):
    return {"input": "Text.", "title": "t", "output": "none", "qa_pairs": str([{"Q": "Which?", "S": [], **told}])}


def test_questions_that_ask_for_an_order(tmp_path):
    write(tmp_path / "longdep_qa.jsonl", [pair(A="II,I,III", type="timeline_reorder"), pair(A=3, type="computation")])
    task = LoogleSet(data=str(tmp_path), part="longdep_qa", kind="timeline_reorder")
    (item,) = task.items(1)
    score = task.score(item.answers, item, Answer(text="II. that, then I. this, III. at last"))
    assert score.value == 1 and score.parts == {"lsd": 0, "lmd": 0, "sd": 0, "sdd": 0}
    assert task.score(item.answers, item, Answer(text="first this")).audit == "format not found"
    (other,) = LoogleSet(data=str(tmp_path), part="longdep_qa", kind="computation").items(1)
    assert other.answers == ("3",)


def test_events_that_are_numbered_get_numerals(tmp_path):
    listed = {"Q": "Order these:\n1. On 2 May.\n2.In 1990\n3. Last", "A": "2,1,3", "type": "timeline_reorder"}
    plain = {**listed, "Q": "Order 1 the first, 2 the next and 3 the last."}
    write(tmp_path / "longdep_qa.jsonl", [pair(**listed), pair(**plain)])
    task = LoogleSet(data=str(tmp_path), part="longdep_qa")
    numerals, digits = sorted(task.items(2), key=lambda item: item.answers[0].isdecimal() or "2" in item.answers[0])
    assert numerals.answers == ("II,I,III",) and "\nI. On 2 May.\nII.In 1990\nIII. Last" in numerals.question
    assert task.score(numerals.answers, numerals, Answer(text="II of 1990, I of 2 May 1991, III")).value == 1
    assert digits.answers == ("2,1,3",)
    assert task.score(digits.answers, digits, Answer(text="2, 1, then 3 (in 1990)")).value == 1


def test_masks_of_a_question(tmp_path):
    write(tmp_path / "shortdep_cloze.jsonl", [pair(A={"<mask-0>": "Ann Lee", "<mask-1>": "Rome"})])
    ours, peer = (LoogleSet(data=str(tmp_path), part="shortdep_cloze", peer=p) for p in (False, True))
    (item,) = ours.items(1)
    text = "Here: {'<mask-0>': 'Ann', '<mask-1>': 'Rome'}"
    score = ours.score(item.answers, item, Answer(text=text))
    assert (score.value, score.parts) == (0.5, {"partial": 1.0, "masks": 2.0}) and not ours.roles
    assert peer.score(item.answers, item, Answer(text=text)).value == 0


def judge(*replies):
    """A judge that says these things one after the other; '' fails."""
    asked, left = [], list(replies)

    async def ask(text, max_tokens=0):
        asked.append(text)
        said = left.pop(0)
        return Answer(text=said) if said else Answer(stop="error", error="500")

    return {"judge": ask}, asked


@pytest.mark.parametrize(
    ("replies", "value", "audit"),
    [
        (["True"], 1, "answered"),
        (["False."], 0, "answered"),
        (["True or False", "True"], 1, "answered"),
        (["", "False"], 0, "answered"),
        (["maybe", "perhaps"], None, "provider error"),
    ],
)
def test_a_judge_of_answers(tmp_path, replies, value, audit):
    write(tmp_path / "shortdep_qa.jsonl", [pair(A="In the city of Rome.")])
    task = LoogleSet(data=str(tmp_path))
    (item,) = task.items(1)
    ask, asked = judge(*replies)
    score = asyncio.run(task.judged(item.answers, item, Answer(text="Rome"), ask))
    assert (score.value, score.audit) == (value, audit) and score.parts["rouge1"] == 0.2 or score.parts["rouge1"] == 0
    assert "Which?" in asked[0] and "In the city of Rome." in asked[0] and len(asked) == len(replies)
    ask, asked = judge("True")
    assert asyncio.run(task.judged(item.answers, item, Answer(text=""), ask)).value == 0 and not asked


def test_a_judge_of_summaries(tmp_path):
    write(
        tmp_path / "longdep_summarization.jsonl",
        [{"input": "Paper.", "title": "t", "qa_pairs": "none", "output": "All of it."}],
    )
    task = LoogleSet(data=str(tmp_path), part="longdep_summarization")
    (item,) = task.items(1)
    for replies, value in ((["85"], 0.85), (["Rating: 90/100"], 0.9), (["300", "none"], None)):
        ask, _ = judge(*replies)
        assert asyncio.run(task.judged(item.answers, item, Answer(text="Some of it."), ask)).value == value


@pytest.mark.parametrize(
    ("part", "row", "says"),
    [
        ("shortdep_qa", {"input": "x", "qa_pairs": "none"}, "must be a Python list as text"),
        ("shortdep_qa", {"input": "x", "qa_pairs": "{}"}, "another part's file"),
        ("shortdep_qa", pair(A={"a": "b"}), "'A' cannot be"),
        ("shortdep_cloze", pair(A="b"), "'A' cannot be"),
        ("longdep_summarization", {"input": "x", "qa_pairs": "none"}, "no column 'output'"),
    ],
)
def test_bad_rows(tmp_path, part, row, says):
    write(tmp_path / f"{part}.jsonl", [row])
    with pytest.raises(UserError, match=says):
        LoogleSet(data=str(tmp_path), part=part).items(1)


def test_published_documents(shared):
    task = catalog.make(f"loogle-set(data='{shared}/data/loogle/testdata.longdep_qa.0.jsonl.gz', part=longdep_qa)", "tasks")
    items = task.items(len(task.asked()))
    assert {item.facets["kind"] for item in items} <= set(KINDS)
    rng = random.Random(0)
    for item in items:
        assert task.score(item.answers, item, Answer(text=task.gold(item.answers, item))).value == 1
        assert task.score(item.answers, item, Answer(text=task.wrong(item.answers, item, rng))).value < 1
