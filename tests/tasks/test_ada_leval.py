"""Ada-LEval's two tasks: the peer's extractions row by row, constructions against the text, ours beside the peer's quirks."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, Item, UserError
from leadline.scoring import ada_metrics

from .conftest import specs_of


def rows(shared, name):
    return json.loads((shared / "data/metric-vectors/ada_mir.json").read_text())[name]


def test_best_answer_equals_the_peers(shared):
    for row in rows(shared, "ada_bestanswer"):
        found = ada_metrics.designation(row["prediction"], row["num_choice"])
        assert (found or "???") == row["extracted"], row
        assert ada_metrics.best_answer(row["prediction"], [row["answer"]], num_choice=row["num_choice"]) == row["peer_score"], (
            row
        )


def test_tsort_equals_the_peers(shared):
    for row in rows(shared, "ada_tsort"):
        # Where the peer's code stops with an error the answer is wrong.
        wanted = 0.0 if row["peer_score"] == "raises TypeError" else row["peer_score"]
        assert ada_metrics.tsort(row["prediction"], [row["answer"]]) == wanted, row


@pytest.mark.parametrize(
    ("reply", "peer", "ours"),
    [
        ("Answer: [1, 3, 4, 2", 1, 1),
        ("Answer: [1, 3, 4, 2] because segment 1 comes first", 0, 1),
        ("[]", 1, 0),
        ("[1, 3]", 1, 0),
        ("Answer: [1, 3, 4, 2]\nAnswer: [4, 3, 2, 1]", 1, 0),
        ("First I thought of [4, 3, 2, 1].\n**Answer: [1, 3, 4, 2]**", 1, 1),
        ("The order is 1 3 4 2.", 1, 1),
        ("[1, 3, 4, 2, 2]", 1, 0),
        ("7", 0, 0),
        ("I cannot tell.", 0, 0),
    ],
)
def test_orders(reply, peer, ours):
    gold = "[1, 3, 4, 2]"
    assert ada_metrics.tsort(reply, [gold]) == peer
    task = catalog.make("ada-tsort", "tasks")
    item = Item(id="x", task="", instruction="", question="", answers=(gold,), prefill="Answer:")
    assert task.score([gold], item, Answer(text=reply)).value == ours


@pytest.mark.parametrize(
    ("reply", "n", "peer", "ours"),
    [
        ("Answer: A5", 9, "A5", "A5"),
        ("A3 is wrong, so A 5.", 9, "A3", "A5"),
        ("I choose A5, not because A7 is bad but... A5", 9, "A7", "A5"),
        ("A21", 3, "A2", "A21"),
        ("answer 5", 9, "A5", "A5"),
        ("5", 9, "A5", "A5"),
        ("**A5**", 9, "A5", "A5"),
        ("None of the 9", 9, "A9", None),
    ],
)
def test_designations(reply, n, peer, ours):
    assert ada_metrics.designation(reply, n) == peer
    task = catalog.make("ada-best-answer", "tasks")
    assert task.extract(reply, None) == ours


def segments(content):
    found = re.findall(r"\[(Opening|Segment \d|Ending)\]\s*(.*?)\s*\[End of", content, re.S)
    return dict(found)


@pytest.mark.parametrize("spec", ["ada-tsort", "ada-tsort(noise=prose)"])
def test_the_answer_is_the_one_order_in_which_the_inns_meet(spec, tokenizer):
    task = catalog.make(spec, "tasks")
    for item in task.items(3, seed=2):
        prompt = Builder(tokenizer).build(item, 3000, compose=task.compose if task.grows else None)
        found = segments(prompt.messages[-1]["content"])
        assert len(found) == 6
        ends = {
            k: (re.search(r"From the inn of the (.+?) they", v)[1], re.findall(r"reached the inn of the (.+?)\.", v)[-1])
            for k, v in found.items()
        }
        order = json.loads(prompt.answers[0])
        chain = ["Opening", *(f"Segment {n}" for n in order), "Ending"]
        assert all(ends[a][1] == ends[b][0] for a, b in zip(chain, chain[1:], strict=False))
        assert sorted(order) == [1, 2, 3, 4]


def test_segments_grow_alike(tokenizer):
    task = catalog.make("ada-tsort", "tasks")
    item = task.items(1)[0]
    content = Builder(tokenizer).build(item, 16_000, compose=task.compose).messages[-1]["content"]
    counts = [text.count("they went on") for name, text in segments(content).items() if name.startswith("Segment")]
    assert min(counts) > 10
    assert max(counts) - min(counts) <= 1


def test_a_text_of_the_users_is_cut_where_it_runs_on(shared, tokenizer):
    path = shared / "data/haystack-text/little-colonels-hero.txt.gz"
    task = catalog.make(f"ada-tsort(data={str(path)!r})", "tasks")
    from leadline.data.noise import read_text

    whole = " ".join(read_text(path).split())
    for item in task.items(4):
        prompt = Builder(tokenizer).build(item, 8192, compose=task.compose)
        found = segments(prompt.messages[-1]["content"])
        chain = [found[k] for k in ["Opening", *(f"Segment {n}" for n in json.loads(prompt.answers[0])), "Ending"]]
        places = [whole.find(text.split("\n")[0][:200]) for text in chain]
        assert min(places) >= 0
        assert places == sorted(places)


def test_published_cases_stay_as_they_are(tokenizer):
    spec = next(s for s in specs_of("ada-tsort") if "textsort" in s)
    task = catalog.make(spec, "tasks")
    item = task.items(1)[0]
    content = Builder(tokenizer).build(item, Builder(tokenizer).minimum(item)).messages[-1]["content"]
    cases = json.loads(Path(re.search(r"'(.+?)'", spec)[1]).read_text())
    (case,) = [c for c in cases if c["prompt"] == content]
    assert item.answers == (str(case["answer"]),)


def test_only_one_answer_has_all_four_properties(tokenizer):
    task = catalog.make("ada-best-answer", "tasks")
    for item in task.items(6):
        prompt = Builder(tokenizer).build(item, 8192)
        content = prompt.messages[-1]["content"]
        asked = re.search(r"Who keeps a (\w+), plays the (\w+), has a (\w+) door and has room (\d+) in", content)
        told = [
            f" keeps a {asked[1]}.",
            f" plays the {asked[2]}.",
            f" painted the door {asked[3]}.",
            f" has room {asked[4]} in",
        ]
        texts = dict(re.findall(r"(?m)^(A\d+):\n(.+)$", content))
        full = [k for k, text in texts.items() if all(t in text for t in told)]
        near = [k for k, text in texts.items() if sum(t in text for t in told) == 3]
        assert full == [prompt.answers[0]]
        assert len(near) >= task.near
        assert len(texts) > 20


def test_filled_cases_keep_their_own_answers_and_name_the_right_one(tokenizer):
    spec = next(s for s in specs_of("ada-best-answer") if "fill" in s)
    cases = json.loads(Path(re.search(r"'(.+?)'", spec)[1]).read_text())
    task = catalog.make(spec, "tasks")
    for item in task.items(3):
        prompt = Builder(tokenizer).build(item, 3000, compose=task.compose)
        content = prompt.messages[-1]["content"]
        texts = dict(re.findall(r"(?m)^(A\d+):\n(.+)$", content))
        case = cases[item.meta["case"]]
        assert texts[prompt.answers[0]] == case["all_answers"][int(case["answer"][1:]) - 1]
        assert set(case["all_answers"]) <= set(texts.values())
        assert prompt.meta["choices"] == len(texts)
        score = task.score(prompt.answers, replace(item, meta=prompt.meta), Answer(text=prompt.answers[0]))
        assert score.parts == {"guess": 1 / len(texts)}


def test_a_guesser_is_right_once_in_24():
    task = catalog.make("ada-tsort", "tasks")
    rng = random.Random(1)
    hits = [task.grade(task.wrong((), None, rng), ["[2, 4, 1, 3]"], None) for _ in range(4800)]
    assert abs(sum(hits) / len(hits) - task.chance) < 0.012


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("ada-tsort(noise=records)", "none, prose"),
        ("ada-best-answer(peer=true)", "published"),
        ("ada-best-answer(near=9)", "from 0 to 4"),
    ],
)
def test_settings_that_are_wrong(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


def test_data_that_are_wrong(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question_id": 1, "question": "q", "answer": "A9", "all_answers": ["x", "y"]}))
    with pytest.raises(UserError, match="line 1: 'answer' must be one of A1 to A2"):
        catalog.make(f"ada-best-answer(data={str(path)!r})", "tasks").items(1)
    with pytest.raises(UserError, match="no column text, book or content"):
        catalog.make(f"ada-tsort(data={str(path)!r})", "tasks").items(1)
    text = tmp_path / "short.txt"
    text.write_text("One paragraph alone, which is far too short for it.\n")
    with pytest.raises(UserError, match="no text of 6 paragraphs"):
        catalog.make(f"ada-tsort(data={str(text)!r})", "tasks").items(1)
