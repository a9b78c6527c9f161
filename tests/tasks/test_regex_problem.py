"""Regular expressions: labels by automata, replies judged by automata, the authors' reading with its quirks."""

import json
import math
import random
import re
from pathlib import Path

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring import regex_metrics as m
from leadline.scoring.automata import equivalent, least, letters, parse, size
from leadline.scoring.metrics import score_file

from .fixtures.regex_problem import specs


def make(spec):
    return catalog.make(spec, "tasks")


@pytest.mark.parametrize("misses", ["far", "near"])
def test_labels_of_pairs(misses):
    items = make(f"regex-problem(misses={misses})").items(24, seed=2)
    for item in items:
        one, two = re.findall("`(.*?)`", item.evidence[0])
        assert letters(parse(one)) == letters(parse(two))
        assert one != two
        assert str(equivalent(parse(one), parse(two))) == item.answers[0]
    assert {i.answers[0] for i in items} == {"True", "False"}


def test_labels_of_smallest():
    for item in make("regex-problem(kind=min)").items(24, seed=2):
        query, label = parse(item.meta["query"]), parse(item.answers[0])
        assert equivalent(query, label)
        assert size(label) == item.meta["fewest"] < size(query)
        assert least(query, size(label) - 1) is None, "no smaller one"


@pytest.mark.parametrize("misses", ["far", "near"])
def test_unions_are_what_they_say(tokenizer, misses):
    """Both unions whole, through the automata: slow, and blind to how they were made."""
    task = make(f"regex-problem(kind=union, misses={misses})")
    told = set()
    for item in task.items(6, seed=1):
        prompt = Builder(tokenizer).build(item, 1024, compose=task.compose)
        content = prompt.messages[-1]["content"]
        one, two = (parse(content[a:b].partition("\n")[2].replace("\n", "")) for a, b in prompt.evidence)
        assert str(equivalent(one, two)) == prompt.answers[0]
        told.add(prompt.answers[0])
    assert told == {"True", "False"}


def test_more_lines_begin_with_fewer(tokenizer):
    task = make("regex-problem(kind=union)")
    item = task.items(1)[0]
    short, long = (Builder(tokenizer).build(item, n, compose=task.compose).text for n in (2048, 8192))
    first = lambda text: text.partition("First expression:\n")[2].split(" +\n")[1:12]  # noqa: E731
    assert first(short) == first(long)


@pytest.mark.parametrize(
    ("reply", "value", "parts"),
    [
        (r"\boxed{b*d*}", 1, {"valid": 1, "equivalent": 1, "minimal": 1, "ratio": 5 / 9}),
        (r"So it is $\boxed{b^{*} d^{*}}$.", 1, {"ratio": 5 / 9}),
        (r"first \boxed{b} then \boxed{\text{b*d*}}", 1, {}),
        (r"\boxed{(b+b)*(d+d)*}", 0, {"equivalent": 1, "minimal": 0, "ratio": 1.0}),
        (r"\boxed{b*(d+d)*}", 0, {"equivalent": 1, "minimal": 0, "ratio": 7 / 9}),
        (r"\boxed{(b+d)*}", 0, {"valid": 1, "equivalent": 0, "ratio": 1.0}),
        ("The answer is b*d*.", 1, {}),
        ("It is `b*d*`, I think.", 1, {}),
        ("I do not know.", 0, {"valid": 0, "ratio": 1.0}),
    ],
)
def test_scoring_of_smallest(reply, value, parts):
    task = make("regex-problem(kind=min)")
    item = task._item("k", "", "b*d*", {"query": "(b+b)*(d+d)*", "fewest": 5})
    score = task.score(item.answers, item, Answer(text=reply))
    assert score.value == value
    assert {k: score.parts[k] for k in parts} == pytest.approx(parts)


@pytest.mark.parametrize(
    ("reply", "ours", "peer"),
    [
        (r"\boxed{True}", "True", "True"),
        (r"\boxed{\text{false}}", "False", "False"),
        ("True? No: False", "False", "True"),
        ("**False**", "False", "False"),
        ("Answer: False\nIt is true that they look alike.", "False", "False"),
        ("They differ.", None, None),
        (r"\boxed{No}, which is false", None, None),
        ("They are equivalent, so the answer is True.", "True", "True"),
    ],
)
def test_reading_of_verdicts(reply, ours, peer):
    assert m.verdict(reply) == ours
    assert m.verdict(reply, peer=True) == peer


@pytest.mark.parametrize(
    ("reply", "taken"),
    [
        (r"a \boxed{b} c \boxed{(a+b)*}", "(a+b)*"),
        (r"\boxed{\text{a*b}}", "a*b"),
        ("Answer: a*b, surely.", "a*b surely"),
        ("the minimal form is a*b.", "a*b"),
        ("the final regex is a*b\nthat was it", "that was it"),
        ("the final regexminimal regex is a*b\nthat was it", "a*b"),
        (r"\boxed{(a+b]} x", "(a+b]} x"),
    ],
)
def test_the_authors_box(reply, taken):
    """The missing comma, crossed brackets and lost points are theirs."""
    assert m.peer_box(reply) == taken


def test_the_authors_limit_on_length():
    long = r"\boxed{b*d*+b+d+b+d+b+d+b+d+b+d+b}"
    assert m.expression(long, "(b+b)*(d+d)*") is not None
    assert m.expression(long, "(b+b)*(d+d)*", peer=True) is None
    assert m.expression(r"\boxed{b|d}", "b+d", peer=True) == parse("b+d")


def test_published_figures():
    query = parse("(b+b)*(d+d)*")
    rows = [m.minimised(parse(t) if t else None, query, 5) for t in ("b*d*", "b*(d+d)*", "(b+d)*", "")]
    got = m.figures(rows)
    assert got == pytest.approx(
        {"minimality": 25, "equivalence": 50, "length ratio": 100 * math.sqrt(math.sqrt(5 / 9 * 7 / 9))}
    )
    said = ["True", "True", "False", None, "False"]
    assert m.decided(said, [True, False, True, True, False]) == pytest.approx({"accuracy": 40, "f1": 50, "failure rate": 20})


def test_published_rows(tmp_path):
    path = specs(tmp_path)[-1].split("'")[1]
    items = make(f"regex-problem(data='{path}')").items(24, seed=5)
    rows = {(r["query"], r["equivalent_regex"]) for r in map(json.loads, Path(path).read_text().splitlines())}
    for item in items[::2]:
        assert tuple(re.findall("`(.*?)`", item.evidence[0])) in rows
        assert item.answers == ("True",)
    assert len({i.evidence for i in items}) == 24, "each row twice, once with each partner"
    with pytest.raises(UserError, match="holds 24 problems"):
        make(f"regex-problem(data='{path}')").items(25)
    with pytest.raises(UserError, match="holds 12 problems"):
        make(f"regex-problem(data='{path}', kind=min)").items(13)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"query": "a"}, "no column 'minimized_regex'"),
        (
            {"query": "a|b", "minimized_regex": "a", "equivalent_regex": "a", "not_equivalent_regex": "b"},
            "query is no expression",
        ),
    ],
)
def test_bad_rows(tmp_path, row, says):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(UserError, match=says):
        make(f"regex-problem(data='{path}')").items(1)


def test_bad_settings():
    with pytest.raises(UserError, match="eq, min, union"):
        make("regex-problem(kind=maximal)")
    with pytest.raises(UserError, match="fills the context by itself"):
        make("regex-problem(kind=union, noise=none)")


def test_files_of_predictions(tmp_path):
    path = tmp_path / "p.jsonl"
    row = {"prediction": r"\boxed{b*d*}", "answers": ["b*d*"], "query": "(b+b)*(d+d)*"}
    path.write_text(json.dumps(row))
    assert score_file(path, "regexpspace/minimality")["score"] == 1
    assert score_file(path, "regexpspace/length-ratio")["score"] == pytest.approx(5 / 9)
    path.write_text(json.dumps({"prediction": "true", "answers": ["True"]}))
    assert score_file(path, "regexpspace/eq")["score"] == 1
    with pytest.raises(UserError, match="'query'"):
        score_file(path, "regexpspace/minimality")


def test_suite_names_both_problems():
    assert [str(s) for s in catalog.expand(catalog.parse("regex-pspace(wording=unseen)"), "tasks")] == [
        "regex-problem(kind=eq, wording=unseen)",
        "regex-problem(kind=min, wording=unseen)",
    ]


def test_other_forms_stay_in_the_language():
    from leadline.tasks import _regexes as regexes

    rng = random.Random(3)
    for _ in range(40):
        one, label = regexes.minimal(rng)
        assert equivalent(regexes.grown(label, rng), one)
        assert not equivalent(regexes.other(one, rng, True), one)
