"""L-Eval against the authors' scores of released predictions, row by row."""

import asyncio
import gzip
import json

import pytest

from leadline import catalog
from leadline.nouns import Answer, UserError
from leadline.scoring import rouge_scores
from leadline.scoring.leval_metrics import METRICS, choice_said, choices_said, number_said
from leadline.tasks.l_eval_set import CLOSED, SETS, LEvalSet

from .fixtures._rows import write

EXAM = {
    "codeU": "output",
    "coursera": "choices",
    "gsm100": "number",
    "quality": "choice",
    "topic_retrieval_longchat": "contains",
    "tpo": "choice",
}


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_all_released_exam_predictions(shared):
    """983 rows: each equal, and so the table that the authors' script prints."""
    found = {}
    data = rows(shared / "data/leval/exam_eval.turbo-16k-0613.jsonl.gz")
    for row in data:
        got = METRICS[f"leval/{EXAM[row['task']]}"](row["pred"], [row["gt"]])
        assert got == row["peer_score"], (row["task"], row["i"])
        found.setdefault(row["task"], []).append(100 * got)
    assert len(data) == 983
    table = json.loads((shared / "data/leval/scores.json").read_text())["exam_eval"]["turbo-16k-0613"]
    for task, scores in found.items():
        printed = table[task].get("exact_match", table[task].get("score"))
        assert sum(scores) / len(scores) == pytest.approx(printed, abs=1e-4), task


def test_all_released_ngram_predictions(shared):
    """1,006 rows, F1 or three ROUGE scores each: equal, and the geometric means of the table too."""
    found, compared = {}, 0
    for row in rows(shared / "data/leval/ngram_eval.turbo-16k-0613.jsonl.gz"):
        for name, score in row["peer_score"].items():
            got = 100 * METRICS[f"leval/{name}"](row["pred"], [row["gt"]])
            assert got == pytest.approx(score, abs=1e-5), (row["task"], row["i"], name)
            found.setdefault(row["task"], {}).setdefault(name, []).append(got)
            compared += 1
    assert compared == 1490
    table = json.loads((shared / "data/leval/scores.json").read_text())["ngram_eval"]["turbo-16k-0613"]
    for task, scores in found.items():
        means = [sum(v) / len(v) for v in scores.values()]
        score = means[0] if len(means) == 1 else (means[0] * means[1] * means[2]) ** (1 / 3)
        assert score == pytest.approx(table[task]["LEval_score"], abs=1e-4), task


def test_the_tasks_score_as_the_metrics_do(shared):
    """The whole way from a document's question, for a sub-task with letters, in the authors' reading."""
    task = LEvalSet(data=f"{shared}/data/leval/data.quality.jsonl.gz", peer=True)
    predictions = {
        r["query"]: r for r in rows(shared / "data/leval/exam_eval.turbo-16k-0613.jsonl.gz") if r["task"] == "quality"
    }
    items = task.items(202)
    assert len({item.cluster for item in items}) == 15
    scores = []
    for item in items:
        row = predictions[item.meta["query"]]
        scores.append(task.score(item.answers, item, Answer(text=row["pred"])).value)
        assert scores[-1] == row["peer_score"]
    assert 100 * sum(scores) / len(scores) == pytest.approx(61.3861, abs=1e-4)


@pytest.mark.parametrize(
    ("reply", "one", "several"),
    [
        ("(B)", "B", "B"),
        ("The answer is C", "C", "C"),
        ("xyz", "A", "A"),
        ("", "None", "None"),
        ("BC", "BC", "BC"),  # searched as text in "ABCD"
        ("A, B", "A", "A"),
        ("A. foo\nC. bar", "A", "AC"),
        ("The answers are B and D.", "B", "BD"),
        ("DBA", "D", "ABD"),
        ("xxBA", "B", "BA"),  # not put in order, so that it is a part of AB
        ("C Question: A. B.", "C", "C"),
    ],
)
def test_letters_of_the_peer(reply, one, several):
    assert (choice_said(reply), choices_said(reply)) == (one, several)


@pytest.mark.parametrize(
    ("name", "said", "meant", "score"),
    [
        ("choices", "AB", "ABC", 0.25),
        ("choices", "xxBA", "AB", 0.25),
        ("contains", "The first topic is X y", "x Y", 1),
        ("contains", "18.0", "18", 1),
        ("number", "The answer is 1,234.50.", "1234", 1),
        ("number", "so 7 apples, 12 in all\n\n99", "12", 1),
        ("number", "minus -5", "5", 1),  # digits only
        ("output", "It is [6 15].", "[6 15]", 1),
        ("output", "the final output is 3.0, then 4", "3", 1),
        ("output", "[6 15] and then a lot of other words follow", "[6 15]", 0),
        ("sci-fi", "maybe [fact: dunno]", "True [fact: False]", 0),
        ("sci-fi", "True. [fact: it is true]", "True [fact: False]", 0.5),
    ],
)
def test_vectors(name, said, meant, score):
    assert METRICS[f"leval/{name}"](said, [meant]) == score


def test_numbers_of_the_peer():
    assert number_said("The answer is 1,234.50.") == "1234" and number_said("none") == ""


def test_common_subsequence_against_the_table():
    import random

    rng = random.Random(3)
    for _ in range(200):
        a, b = ([rng.choice("abcde") for _ in range(rng.randint(0, 12))] for _ in range(2))
        table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
        assert rouge_scores.common(a, b) == table[-1][-1]


def make(tmp_path, subset, instructions, outputs, evaluation="exam", **settings):
    row = {"instructions": instructions, "outputs": outputs, "input": "The document.", "source": "s", "evaluation": evaluation}
    write(tmp_path / f"{subset}.jsonl", [row])
    return LEvalSet(data=str(tmp_path), subset=subset, **settings)


def said(task, item, text):
    return task.score(item.answers, item, Answer(text=text))


@pytest.mark.parametrize(
    ("subset", "meant", "reply", "score"),
    [
        ("quality", "(B) two", "I think (B) is right", 1),
        ("quality", "A", "nothing fits", "format not found"),
        ("coursera", "ABD", "A, B and D", 1),
        ("coursera", "ABD", "The answers are B and D.", 0.25),
        ("coursera", "BD", "B. two\nC. three", 0),
        ("coursera", "A", "A dog would say C", 0),
        ("coursera", "A", "I cannot tell", "format not found"),
        ("gsm100", "1234", "so\nThe answer is $1,234.00.", 1),
        ("gsm100", "5", "The answer is -5", 0),
        ("gsm100", "5", "none", "format not found"),
        ("topic_retrieval_longchat", "The role of art", "It was the role of art in it", 1),
    ],
)
def test_replies_as_they_should_be_read(tmp_path, subset, meant, reply, score):
    task = make(tmp_path, subset, ["Which?"], [meant])
    (item,) = task.items(1)
    got = said(task, item, reply)
    assert score in (got.value, got.audit)


def test_two_truths_are_two_questions(tmp_path):
    query = "Ants fly, True or False? Answer this question based on the world described in the document."
    task = make(tmp_path, "sci_fi", [query], ["True [fact: False]"])
    items = {item.facets["by"]: item for item in task.items(2)}
    assert items["story"].answers == ("true",) and items["world"].answers == ("false",)
    assert "described in the document" in items["story"].question and "of the real world" in items["world"].question
    assert said(task, items["world"], "False.").value == 1 and said(task, items["world"], "hm").audit == "format not found"


def test_rows_for_judges_are_kept_apart(tmp_path):
    for evaluation, held in (("rouge", "scored"), ("LLM", "LLM"), ("human", "human")):
        for asked in ("scored", "LLM", "human"):
            task = make(tmp_path / held, "meeting_summ", ["Sum up."], ["All is well."], evaluation, rows=asked)
            if asked == held:
                assert len(task.items(1)) == 1
            else:
                with pytest.raises(UserError, match="holds no questions"):
                    task.items(1)


def test_open_questions_tell_the_length(tmp_path):
    task = make(tmp_path, "meeting_summ", ["Sum up."], ["the cat sat on the mat"], "rouge")
    (item,) = task.items(1)
    assert item.question.endswith("Write about 6 words.")
    score = said(task, item, "the cat lay on the mat")
    assert score.value == pytest.approx(5 / 6) and score.parts == pytest.approx({"rouge1": 5 / 6, "rouge2": 3 / 5})
    assert make(tmp_path, "meeting_summ", ["Sum up."], ["x"], "rouge", hint=False).items(1)[0].question == "Sum up."


@pytest.mark.parametrize(
    ("replies", "value", "audit"),
    [
        (["so [[A]]", "so [[B]]"], 1, "answered"),
        (["[[B]]", "[[A]]"], 0, "answered"),
        (["[[A]]", "[[A]]"], 0.5, "answered"),  # always the first is no win
        (["[[C]]", "[[B]]"], 0.75, "answered"),
        (["", "unsure", "[[B]]"], 1, "answered"),  # the first order is left out after a second try
        (["", "", "x", "y"], None, "provider error"),
    ],
)
def test_a_judge_asked_in_both_orders(tmp_path, replies, value, audit):
    other = write(tmp_path / "baseline.jsonl", [{"query": "Sum up.", "gt": "All is well.", "m_pred": "The other."}])
    task = make(tmp_path, "meeting_summ", ["Sum up."], ["All is well."], "LLM", rows="LLM", baseline=other)
    (item,) = task.items(1)
    assert task.roles and not LEvalSet().roles
    asked, left = [], list(replies)

    async def ask(text, max_tokens=0):
        asked.append(text)
        told = left.pop(0)
        return Answer(text=told) if told else Answer(stop="error")

    score = asyncio.run(task.judged(item.answers, item, Answer(text="Mine."), {"judge": ask}))
    assert (score.value, score.audit) == (value, audit) and "rouge" in score.parts and not left
    assert asked[0].index("Mine.") < asked[0].index("The other.") and asked[-1].index("Mine.") > asked[-1].index("The other.")


def test_questions_that_the_baseline_lacks_are_left_out(tmp_path):
    other = write(tmp_path / "baseline.jsonl", [{"query": "One?", "gt": "1", "m_pred": "x"}])
    assert len(make(tmp_path, "multidoc_qa", ["One?", "Two?"], ["1", "2"], "f1", baseline=other).items(1)) == 1
    bad = write(tmp_path / "bad.jsonl", [{"query": "One?", "gt": "1"}])
    with pytest.raises(UserError, match="no column that ends in _pred"):
        make(tmp_path, "multidoc_qa", ["One?"], ["1"], "f1", baseline=bad).items(1)


def test_all_twenty(shared):
    assert len(SETS) == 20 and set(CLOSED) < set(SETS)
    members = catalog.expand(catalog.parse("l-eval"), "tasks")
    assert {catalog.make(m, "tasks").subset for m in members} == set(SETS)
    for name, subset in (("gov_report_summ", "gov_report_summ"), ("multidoc_qa", "multidoc_qa")):
        task = LEvalSet(data=f"{shared}/data/leval/data.{name}.jsonl.gz", subset=subset)
        assert len(task.items(len(task.asked()))) == {"gov_report_summ": 13, "multidoc_qa": 136}[name]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("l-eval-set(subset=qualiti)", "subset must be one of coursera"),
        ("l-eval-set(subset=gsm100, noise=prose)", "would change its answer"),
        ("l-eval-set(rows=all)", "rows must be one of scored, LLM, human"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


def test_bad_rows(tmp_path):
    with pytest.raises(UserError, match="line 1: 1 instructions but 2 outputs"):
        make(tmp_path, "quality", ["a"], ["b", "c"]).items(1)
    with pytest.raises(UserError, match="by the story"):
        make(tmp_path, "sci_fi", ["a"], ["True"]).items(1)
