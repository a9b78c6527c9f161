"""LongBench: what is fixed for each set, replies as its scripts take them, the published rows."""

import json

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring.peers import METRICS
from leadline.tasks import longbench_set
from leadline.tasks.longbench_set import EXTENDED, SETS

from .fixtures._rows import longbench, write

ROOMS = {
    "narrativeqa": 128, "qasper": 128, "multifieldqa_en": 64, "multifieldqa_zh": 64, "hotpotqa": 32, "2wikimqa": 32,
    "musique": 32, "dureader": 128, "gov_report": 512, "qmsum": 512, "multi_news": 512, "vcsum": 512, "trec": 64,
    "triviaqa": 32, "samsum": 128, "lsht": 64, "passage_count": 32, "passage_retrieval_en": 32, "passage_retrieval_zh": 32,
    "lcc": 64, "repobench-p": 64,
}  # fmt: skip


def make(folder, **settings):
    return longbench_set.LongbenchSet(data=str(folder), **settings)


def said(task, item, text, **answer):
    return task.score(item.answers, item, Answer(text=text, **answer))


def test_the_facts_are_the_benchmarks():
    """Rooms, first-line rule, templates and metrics as config/dataset2maxlen.json, eval.py and pred.py have them."""
    assert {name: facts.room for name, facts in SETS.items()} == ROOMS
    assert {n for n, f in SETS.items() if f.first_line} == {"trec", "triviaqa", "samsum", "lsht"}
    assert {n for n, f in SETS.items() if not f.chat} == {"trec", "triviaqa", "samsum", "lsht", "lcc", "repobench-p"}
    assert {n for n, f in SETS.items() if f.language == "zh"} == {
        "multifieldqa_zh",
        "dureader",
        "vcsum",
        "lsht",
        "passage_retrieval_zh",
    }
    assert all(f.metric in METRICS for f in SETS.values()) and len(EXTENDED) == 13 < len(SETS) == 21
    assert len({f.category for f in SETS.values()} - {"retrieval", "counting"}) == 5, "the sixth is both of these"
    suite = catalog.expand(catalog.parse("longbench(longest=9)"), "tasks")
    assert [catalog.make(s, "tasks").dataset for s in suite] == list(SETS)


def test_the_published_row_is_asked_as_it_is(shared, tokenizer):
    path = shared / "data/longbench/passage_retrieval_zh.0-7.jsonl.gz"
    task = longbench_set.LongbenchSet(data=str(path), dataset="passage_retrieval_zh")
    items = task.items(8)
    assert len({item.cluster for item in items}) == 8
    assert all(f"段落{n}：" in item.evidence[0] for item in items for n in (1, 30))
    assert all(item.facets["language"] == "zh" and item.facets["words"] == "4,000 to 7,999" for item in items)
    item = items[0]
    number = item.answers[0].removeprefix("段落")
    assert said(task, item, f"段落{number}").value == 1
    assert said(task, item, f"是{number}，不是99").value == 0.5, "every number of the reply counts"
    prompt = Builder(tokenizer).build(item, Builder(tokenizer).minimum(item))
    content = prompt.messages[-1]["content"]
    assert content.index(item.instruction) < content.index(item.evidence[0]) < content.index("摘要：\n\n")
    with pytest.raises(UserError, match="holds 8 questions"):
        task.items(9)


def test_paragraphs_among_others_get_new_numbers(tmp_path, tokenizer):
    text = "\n\n".join(f"Paragraph {i}: It tells of thing {i}." for i in (1, 2, 3))
    write(tmp_path / "passage_retrieval_en.jsonl", [longbench(0, context=text, input="Thing 2.", answers=["Paragraph 2"])])
    task = make(tmp_path, dataset="passage_retrieval_en", noise="passages")
    (item,) = task.items(1)
    assert item.evidence == tuple(f"It tells of thing {i}." for i in (1, 2, 3))
    for length in (2048, 4096):
        prompt = Builder(tokenizer).build(item, length)
        number = prompt.answers[0].removeprefix("Paragraph ")
        assert f"Paragraph {number}: It tells of thing 2." in prompt.messages[-1]["content"]
        assert task.score(prompt.answers, item, Answer(text=number)).value == 1


def test_only_the_first_line_counts_where_the_benchmark_says_so(tmp_path):
    write(tmp_path / "triviaqa.jsonl", [longbench(0, answers=["Rome", "the city of Rome"])])
    write(tmp_path / "hotpotqa.jsonl", [longbench(0, answers=["Rome"])])
    few, qa = make(tmp_path, dataset="triviaqa"), make(tmp_path)
    (item,), (other,) = few.items(1), qa.items(1)
    assert said(few, item, "\n\nRome\nPassage: another one").value == 1
    assert said(few, item, "City of Rome\n").value == 1, "the best over the answers"
    assert said(qa, other, "Rome\nPassage: another one").value == 0.4
    assert item.single_line and not other.single_line


def test_a_reply_that_ran_out_of_room_is_scored_and_named(tmp_path):
    write(tmp_path / "gov_report.jsonl", [longbench(0, input="", answers=["the cat sat on the mat"])])
    task = make(tmp_path, dataset="gov_report")
    (item,) = task.items(1)
    cut = said(task, item, "the cat lay on the mat", stop="length")
    assert (cut.value, cut.audit) == (0.8, "cut off")
    assert said(task, item, "", stop="length").value == 0
    assert said(task, item, "x", stop="window").value is None
    assert said(task, item, "<think>the cat sat on the mat", stop="length").audit == "thinking ran out"


def test_classes_come_from_the_row(tmp_path):
    classes = ["Disease", "medicine", "Disease and medicine", "other"]
    write(tmp_path / "trec.jsonl", [longbench(0, answers=["Disease and medicine"], all_classes=classes)])
    task = make(tmp_path, dataset="trec")
    (item,) = task.items(1)
    assert said(task, item, "Disease and medicine X").value == 0.5, "the original deletes from the list it walks"
    assert said(task, item, "other").value == 0


def test_code_goes_on_where_it_stopped(tmp_path, tokenizer):
    write(tmp_path / "repobench-p.jsonl", [longbench(0, context="import a\n", input="def f(x):\n    ", answers=["return x+1"])])
    task = make(tmp_path, dataset="repobench-p")
    (item,) = task.items(1)
    content = Builder(tokenizer).build(item, 1000).messages[-1]["content"]
    assert "import a\ndef f(x):\n    " in content, "blanks and all"
    assert said(task, item, "```python\nreturn x + 1\n```").value == 0.91
    assert said(task, item, "# a comment alone").value == 0


def test_extended_sets_are_told_apart_by_length(tmp_path):
    rows = [longbench(i, length=n) for i, n in enumerate((3999, 4000, 7999, 8000))]
    write(tmp_path / "hotpotqa_e.jsonl", rows)
    items = make(tmp_path, extended=True).items(4)
    assert sorted(item.facets["words"] for item in items) == ["4,000 to 7,999"] * 2 + ["8,000 and more", "under 4,000"]


def test_documents_that_do_not_fit_are_left_out(tmp_path):
    write(tmp_path / "hotpotqa.jsonl", [longbench(i, context="word " * (10 + 10 * i)) for i in range(3)])
    assert len(make(tmp_path, longest=20).items(2)) == 2
    with pytest.raises(UserError, match="2 questions on documents of at most 20 words"):
        make(tmp_path, longest=20).items(3)
    with pytest.raises(UserError, match="longest=5 may leave none"):
        make(tmp_path, longest=5).items(1)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("longbench-set(dataset=hotpot)", "must be one of narrativeqa"),
        ("longbench-set(dataset=vcsum, extended=true)", "LongBench-E has no 'vcsum'"),
        ("longbench-set(dataset=trec, noise=passages)", "would change its answer"),
        ("longbench-set(dataset=passage_retrieval_en, noise=others)", "number their own paragraphs"),
        ("longbench-v2(difficulty=middle)", "must be one of easy, hard"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


V2 = {
    "_id": "1", "domain": "d", "sub_domain": "s", "difficulty": "hard", "length": "medium", "question": "Which?",
    "choice_A": "one", "choice_B": "two", "choice_C": "three", "choice_D": "four", "answer": "B", "context": " Text. ",
}  # fmt: skip


def test_v2_replies(tmp_path):
    (tmp_path / "data.json").write_text(json.dumps([V2, {**V2, "difficulty": "easy", "question": "What?"}]))
    peer, ours = (catalog.make(f"longbench-v2(data={tmp_path}, difficulty=hard, peer={p})", "tasks") for p in ("true", "false"))
    (item,) = peer.items(1)
    assert item.facets == {"difficulty": "hard", "documents": "medium", "domain": "d"} and item.evidence == ("Text.",)
    assert "(B) two" in item.question
    for text, theirs, right in [
        ("**The correct answer is (B)**", 1, 1),
        ("The correct answer is B", 1, 1),
        ("Answer: B", 0, 1),
        ("the correct answer is (B)", 0, 1),
        ("The correct answer is (C)", 0, 0),
        ("(B)", 1, 1),  # what the prefill leaves to a completion model
        ("I cannot tell", 0, 0),
    ]:
        assert (said(peer, item, text).value, said(ours, item, text).value) == (theirs, right), text
    assert said(peer, item, "I cannot tell").audit == "format not found"
    with pytest.raises(UserError, match="ask for at most"):
        peer.items(2)


@pytest.mark.parametrize(
    ("changed", "says"), [({"answer": "E"}, "A, B, C or D"), ({"choice_D": None}, "'choice_D' cannot be None")]
)
def test_v2_bad_rows(tmp_path, changed, says):
    (tmp_path / "data.json").write_text(json.dumps([{**V2, **changed}]))
    with pytest.raises(UserError, match=says):
        catalog.make(f"longbench-v2(data={tmp_path})", "tasks").items(1)
