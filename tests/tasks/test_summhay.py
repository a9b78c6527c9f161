"""Summary of a Haystack: scores against the peer's released judgements, construction, judged and exact scoring."""

import asyncio
import gzip
import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest

from leadline import catalog
from leadline.data import minutes
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring.insights import COVERAGE, Verdict, bullets, citations, exact, figures, scored
from leadline.tasks.summhay import Summhay, _queries

from .fixtures.summhay import topic

LABELS = {"fully_covered": 1.0, "partially_covered": 0.5, "not_covered": 0.0}


def rows(path):
    with gzip.open(path, "rt") as stream:
        return [json.loads(line) for line in stream]


def slow(bullet_list, verdicts, gold):
    """The three scores worked out by hand, one insight after the other."""
    coverage, citation, joint = [], [], []
    for (how, number), holding in zip(verdicts, gold, strict=True):
        worth = {"FULL_COVERAGE": 1, "PARTIAL_COVERAGE": 0.5}.get(how, 0)
        coverage.append(worth)
        if not worth:
            joint.append(0)
            continue
        said = []
        for bracket in re.findall(r"\[[0-9, ]+\]", bullet_list[number - 1 if isinstance(number, int) else -2]):
            said += re.findall("[0-9]+", bracket)
        said = {int(x) for x in said}
        hits = len([x for x in said if x in holding])
        p, r = (hits / len(said) if said else 0), hits / len(holding)
        citation.append(2 * p * r / (p + r) if p + r else 0)
        joint.append(worth * citation[-1])
    mean = lambda x: sum(x) / len(x)  # noqa: E731
    return {"coverage": mean(coverage), **({"citation": mean(citation)} if citation else {}), "joint": mean(joint)}


def test_by_hand():
    lines = ["All of A [1][2].", "Some of B [4]."]
    got = [scored(*x) for x in ((Verdict(1.0, 1), lines, {1, 2, 3}), (Verdict(0.5, 2), lines, {5}), (Verdict(0.0), lines, {9}))]
    assert [g.citation for g in got] == [pytest.approx(0.8), 0.0, None]
    assert figures(got) == pytest.approx({"coverage": 0.5, "citation": 0.4, "joint": 0.8 / 3})
    assert figures([scored(Verdict(0.0), lines, {1})]) == {"coverage": 0.0, "joint": 0.0}, "no covered insight, no citation"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a [1, 4].", {1, 4}),
        ("a (1)", set()),
        ("a [1-3]", set()),
        ("a[12][7] b[12]", {7, 12}),
        ("[1 4]", {1, 4}),
        ("[ , ]", set()),
    ],
)
def test_citations(text, found):
    assert citations(text) == found


def test_covered_by_no_bullet_is_the_one_before_the_last_there():
    lines = ["a [1]", "b [2]", "c [3]"]
    assert scored(Verdict(1.0), lines, {2}, peer=True).citation == 1
    assert scored(Verdict(1.0), lines, {2}).citation == 0


def test_citations_as_the_peer_takes_them(shared):
    """What the peer's function finds in each bullet of a hundred released summaries."""
    folder = shared / "data/summhay"
    given = json.loads((folder / "scores.json").read_text())["peer"]["citations_per_bullet"]
    summaries = rows(folder / "eval_benchmark.000-099.jsonl.gz")
    assert len(given) == len(summaries) == 100
    for row, wanted in zip(summaries, given, strict=True):
        assert [sorted(citations(b)) for b in row["summary"]] == [sorted(set(w)) for w in wanted]


def test_judges_against_people_as_the_peer_reports_them(shared):
    """Correlation and linking of each judge, from the labels as our scale has them."""
    folder = shared / "data/summhay"
    peer = {r["Model"]: r for r in json.loads((folder / "scores.json").read_text())["peer"]["insight_coverage"]}
    summaries = rows(folder / "eval_benchmark.000-099.jsonl.gz")
    for key in (k for k in summaries[0] if k.startswith("predictions_")):
        people, judge, linked = [], [], []
        for row in summaries:
            said = {p["insight_id"]: p for p in row[key]}
            for label in row["annotation"]:
                people.append(LABELS[label["coverage"]])
                judge.append(COVERAGE[said[label["insight_id"]]["coverage"]])
                number = said[label["insight_id"]]["bullet_id"]
                if isinstance(number, int) and label["candidate_id"] != "no_selection":
                    linked.append(number - 1 == int(label["candidate_id"]))
        how, name = key.removeprefix("predictions_").split("_")
        wanted = peer[name + ("-9fs" if how == "9fs" else "")]
        assert np.corrcoef(people, judge)[0, 1] == pytest.approx(wanted["Instance-Level Corr Coeff"], abs=1e-6)
        assert np.mean(linked) == pytest.approx(wanted["Accuracy (linking)"], abs=1e-6)


def test_joint_score_of_released_judgements_by_a_slow_reference(shared):
    """The six judges on a hundred summaries; the documents that hold an insight are made up, for that file has none."""
    for row in rows(shared / "data/summhay/eval_benchmark.000-099.jsonl.gz"):
        lines, rng = row["summary"], random.Random(row["subtopic_id"])
        gold = [set(rng.sample(range(1, 101), rng.randrange(5, 22))) for _ in row["reference_insights"]]
        for key in (k for k in row if k.startswith("predictions_")):
            said = [(p["coverage"], p["bullet_id"]) for p in row[key]]
            got = [
                scored(Verdict(COVERAGE[how], n if isinstance(n, int) else None), lines, held, peer=True)
                for (how, n), held in zip(said, gold, strict=True)
            ]
            assert figures(got) == pytest.approx(slow(lines, said, gold), abs=1e-12)


def test_joint_score_of_the_released_haystacks(shared):
    """The peer's own scores for its released summaries of news, insight by insight."""
    path = shared / "data/summhay/released_news.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the peers' data")
    for row in rows(path):
        said = [
            (Verdict(COVERAGE[v["coverage"]], v["bullet_id"] if isinstance(v["bullet_id"], int) else None), v)
            for v in row["verdicts"]
        ]
        got = [scored(v, row["bullets"], set(raw["documents"]), peer=True) for v, raw in said]
        assert [g.coverage for g in got] == row["peer"]["coverage_score"]
        assert [g.joint for g in got] == pytest.approx(row["peer"]["joint_score"], abs=1e-9)
        assert [g.citation for g in got if g.citation is not None] == pytest.approx(row["peer"]["citation_score"], abs=1e-9)


def test_each_insight_stands_in_its_documents_and_nowhere_else(tokenizer):
    task = Summhay(insights=5, documents=4)
    for item in task.items(3, seed=2):
        prompt = Builder(tokenizer).build(item, 6000)
        content = prompt.messages[-1]["content"].rpartition("The question is about")[0]
        documents = dict(re.findall(r"Document (\d+):\n(.+)", content))
        for (entity, value), gold in zip(item.meta["checks"], prompt.answers, strict=True):
            about = item.avoid[0]
            held = {int(n) for n, text in documents.items() for s in text.split(". ") if about in s.lower() and value in s}
            assert held == citations(gold) and len(held) == 4
            assert all(entity in documents[str(n)] for n in held)


def test_gold_survives_other_words_and_orders(tokenizer):
    task = Summhay()
    item = task.items(1)[0]
    prompt = Builder(tokenizer).build(item, 8192)
    facts = prompt.answers
    shuffled = "\n".join(reversed([f"* {a.upper()}" for a in facts]))
    assert task.score(prompt.answers, item, Answer(text=shuffled)).value == 1
    half = task.score(prompt.answers, item, Answer(text="\n".join(facts[:2])))
    assert half.value == 0.5 and half.parts == {"coverage": 0.5, "citation": 1.0}
    bare = task.score(prompt.answers, item, Answer(text=re.sub(r"\[\d+\]", "", "\n".join(facts))))
    assert bare.value == 0 and bare.parts == {"coverage": 1.0, "citation": 0.0}
    everything = "".join(f"[{n}]" for n in range(1, 80))
    greedy = task.score(prompt.answers, item, Answer(text="\n".join(re.sub(r"(\[\d+\])+", everything, a) for a in facts)))
    assert 0 < greedy.value < 0.2, "citing everything is worth little"


def test_exact_verdicts():
    lines = ["Nothing here [814].", "The mill lent 814 carts [1].", "Ada Lamb lent 814 crowns [2]."]
    assert exact("Ada Lamb", "814", lines) == Verdict(1.0, 3)
    assert exact("Eva Fenn", "814", lines) == Verdict(0.5, 2), "numbers in citations do not count"
    assert exact("Eva Fenn", "81", lines) == Verdict(0.0)
    assert exact("cart", "0", lines) == Verdict(0.5, 2), "a plural"


class Judge:
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, *replies: str | Answer) -> None:
        self.replies, self.asked = list(replies), []

    async def __call__(self, text: str, max_tokens: int | None = None) -> Answer:
        self.asked.append(text)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply if isinstance(reply, Answer) else Answer(text=reply)


def judged(task, answers, item, text, judge):
    answer = text if isinstance(text, Answer) else Answer(text=text)
    return asyncio.run(task.judged(answers, item, answer, {"judge": judge}))


@pytest.fixture
def published(tmp_path):
    """One item of a published haystack: two insights, in documents 1, 4, 7 and 3, 6."""
    path = tmp_path / "topic_1.json"
    path.write_text(json.dumps(topic(1, subtopics=1)))
    task = Summhay(data=str(path))
    item = task.items(1)[0]
    held = [{d + 1 for d in range(8) if (k + d) % 3 == 0} for k in range(2)]
    answers = tuple(f"x {''.join(f'[{n}]' for n in sorted(h))}" for h in held)
    return task, item, answers, held


FULL, NONE = '{"coverage": "FULL_COVERAGE", "bullet_id": 1}', '{"coverage": "NO_COVERAGE", "bullet_id": "NA"}'


def test_judged(published):
    task, item, answers, held = published
    summary = f"- first {''.join(f'[{n}]' for n in held[0])}\n- second [3]"
    judge = Judge(FULL, 'Let me see: {"coverage": "partial", "bullet_id": "2"}')
    got = judged(task, answers, item, summary, judge)
    second = 2 * (1 / 1) * (1 / len(held[1])) / (1 + 1 / len(held[1]))
    assert got.audit == "answered" and got.parts == pytest.approx({"coverage": 0.75, "citation": (1 + second) / 2})
    assert got.value == pytest.approx((1 + 0.5 * second) / 2)
    assert len(judge.asked) == 2 and all(i in q for i, q in zip(item.meta["insights"], judge.asked, strict=True))
    assert '"bullet_id": 2' in judge.asked[0] and "second [3]" in judge.asked[0]
    assert (
        judged(task, answers, item, summary, Judge('{"coverage": "FULL_COVERAGE", "bullet_id": [2, 1]}', NONE)).parts[
            "coverage"
        ]
        == 0.5
    )


def test_a_judge_that_cannot_be_read_is_asked_again_and_then_left_out(published):
    task, item, answers, _ = published
    judge = Judge("hm", FULL, '{"coverage": "FULL_COVERAGE", "bullet_id": 9}', "no idea")
    got = judged(task, answers, item, "- one [1][4][7]", judge)
    assert len(judge.asked) == 4
    assert got.value == 1 and got.parts == {"coverage": 1.0, "citation": 1.0, "unjudged": 0.5}
    for silent in (Judge("hm"), Judge(Answer(stop="error", error="500")), Judge(Answer(stop="filter"))):
        assert judged(task, answers, item, "- one", silent).value is None
        assert judged(task, answers, item, "- one", silent).audit == "provider error"


def test_no_judge_is_asked_about_what_was_not_answered(published):
    task, item, answers, _ = published
    judge = Judge(FULL)
    assert judged(task, answers, item, " ", judge).audit == "empty"
    cut = judged(task, answers, item, Answer(text="- one", stop="length"), judge)
    assert (cut.value, cut.audit) == (0.0, "cut off")
    assert not judge.asked


def test_a_judge_scores_generated_haystacks_too():
    task = Summhay(insights=2, documents=2)
    item = task.items(1)[0]
    answers = ("a [1][2]", "b [3][4]")
    assert judged(task, answers, item, "- a [1][2]", Judge(FULL, NONE)).value == 0.5


def test_published_haystacks(published, tokenizer):
    task, item, answers, held = published
    assert task.natural and not task.without_roles
    builder = Builder(tokenizer)
    prompt = builder.build(item, builder.minimum(item))
    content = prompt.messages[-1]["content"]
    assert [content.index(f"Document {n}:\nReport {n - 1}.") for n in range(1, 9)] == sorted(a - 12 for a, _ in prompt.evidence)
    assert [citations(a) for a in prompt.answers] == held
    assert item.facets == {"domain": "conversations"}
    with pytest.raises(UserError, match="scored by a judge"):
        task.score(answers, item, Answer(text="- a"))
    filled = replace(task, noise="minutes")
    prompt = Builder(tokenizer).build(filled.items(1)[0], 3000)
    for gold, name in zip(prompt.answers, filled.items(1)[0].meta["insights"], strict=True):
        for n in citations(gold):
            assert (
                name.split()[-1].rstrip(".") in prompt.messages[-1]["content"].split(f"Document {n}:")[1].split("Document")[0]
            )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("subtopics"), "no column 'subtopics'"),
        (lambda t: t["documents"][2].pop("insights_included"), "document 3: no column 'insights_included'"),
        (lambda t: t["subtopics"][0]["insights"].append({"insight": "x"}), "insight_id"),
    ],
)
def test_bad_data_is_named(tmp_path, change, says):
    bad = topic(1)
    change(bad)
    (tmp_path / "t.json").write_text(json.dumps(bad))
    with pytest.raises(UserError, match=says):
        Summhay(data=str(tmp_path / "t.json")).items(1)


def test_what_is_wrong_is_said(tmp_path):
    for spec, says in (
        ("summhay(insights=1)", "2 to 10"),
        ("summhay(documents=30)", "2 to 20"),
        ("summhay(noise=minutes)", "published"),
        (f"summhay(data={str(tmp_path)!r}, noise=mintues)", "minutes"),
    ):
        with pytest.raises(UserError, match=says):
            catalog.make(spec, "tasks")
    with pytest.raises(UserError, match="no .json file"):
        Summhay(data=str(tmp_path)).items(1)
    (tmp_path / "t.json").write_text(json.dumps(topic(1, subtopics=2)))
    with pytest.raises(UserError, match="holds 2 queries"):
        Summhay(data=str(tmp_path)).items(3)


def test_queries_are_drawn_by_seed(tmp_path):
    for n in (1, 2):
        (tmp_path / f"t{n}.json").write_text(json.dumps(topic(n)))
    orders = [[s["subtopic_id"] + t["topic_id"] for t, s in _queries(str(tmp_path), seed)] for seed in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1] and len(set(orders[0])) == 12


def test_minutes_repeat_themselves():
    some = minutes.minutes(200)
    assert len(set(some)) == 200 and some[:50] == minutes.minutes(50)
    facts = [s for text in some for s in text.split(". ")[1:] if "project" in s and any(c.isdigit() for c in s)]
    values = [re.findall(r"\d{3}", s)[0] for s in facts]
    assert len(values) > 2 * len(set(values)), "the same facts come again"
    for index in range(50):
        found = minutes.facts(index, 3, 10)
        assert len({f.entity for f in found}) == len({f.value for f in found}) == 10
        for a in found:
            said = [a.said(w) for w in range(3)]
            assert all(exact(a.entity, a.value, [s]).coverage == 1 for s in said)
            assert all(exact(b.entity, b.value, said).coverage == 0 for b in found if b is not a), (a, said)


def test_bullets():
    assert bullets("# Summary\n\n - a [1]\n\t\n2. b ") == ["# Summary", "- a [1]", "2. b"]
