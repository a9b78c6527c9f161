"""Joint recall in sentences: one value for each pair of town and thing, wherever it is told."""

import re

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.tasks.joint_recall import VALUES


def task(settings):
    return catalog.make(f"joint-recall({settings})", "tasks")


def told(text: str) -> dict[tuple[str, str], str]:
    """Colors by town and thing, as a reader finds them in the text."""
    found = {}
    for town, facts in re.findall(r"In (\w+ \w+ \w+ \w+), (the \w+ is \w+(?:(?:, | and )the \w+ is \w+)*)\.", text):
        for thing, color in re.findall(r"the (\w+) is (\w+)", facts):
            assert (town, thing) not in found, "told twice"
            found[town, thing] = color
    return found


@pytest.mark.parametrize(
    "settings",
    ["", "told=whole, asked=5", "contexts=3, keys=2, asked=0", "contexts=0, keys=5, asked=4", "contexts=0, told=whole"],
)
def test_every_pair_is_told_once_and_asked_clearly(settings, tokenizer_of):
    one = task(settings)
    builder = Builder(tokenizer_of("bytes-plain"))
    for item in one.items(2, seed=1):
        prompt = builder.build(item, 6000, compose=one.compose if one.grows else None)
        content = prompt.messages[-1]["content"]
        found = told(content)
        towns, things = {town for town, _ in found}, {thing for _, thing in found}
        assert len(found) == len(towns) * len(things) and len(things) == one.keys
        assert len(towns) == one.contexts if one.contexts else len(towns) > 8
        asked = re.findall(r"the (\w+) in (\w+ \w+ \w+ \w+?)(?: have|$)", prompt.question, re.M)
        assert [found[town, thing] for thing, town in asked] == list(prompt.answers)
        assert len(prompt.answers) == (one.asked or len(found))
        needed = told(" ".join(content[a:b] for a, b in prompt.evidence))
        assert {(town, thing) for thing, town in asked} <= set(needed)
        if one.told == "scattered":
            assert len(needed) == len(asked)


def test_a_longer_table_begins_with_the_shorter_one(tokenizer_of):
    one = task("contexts=0, keys=4")
    item = one.items(1)[0]
    short, long = (Builder(tokenizer_of("bytes-plain")).build(item, n, compose=one.compose) for n in (1500, 6000))
    assert short.question == long.question and short.answers == long.answers
    assert told(short.messages[-1]["content"]).items() < told(long.messages[-1]["content"]).items()


def test_scores():
    one = task("asked=4")
    item = one.items(1)[0]
    said = lambda text: one.score(item.answers, item, Answer(text=text))  # noqa: E731
    gold = list(item.answers)
    assert said("\n".join(f"{i}. {c}" for i, c in enumerate(gold, 1))).value == 1
    assert said("\n".join(gold)).value == 1, "in their order, without numbers"
    assert said(", ".join(gold).upper()).value == 1
    assert said(f"4. the lamp is {gold[3]}\n2) {gold[1]}").value == 0.5
    wrong = [next(v for v in VALUES if v != c) for c in gold]
    score = said("\n".join(f"{i}. {c}" for i, c in enumerate([*gold[:3], wrong[3]], 1)))
    assert score.value == 0.75 and score.parts["wrong town"] in (0, 0.25)
    elsewhere = [others[0] if others[0] != c else others[1] for others, c in zip(item.meta["others"], gold, strict=True)]
    assert said("\n".join(elsewhere)).parts == {"wrong town": 1}
    assert said("none").audit == "format not found"
    assert said(gold[0]).value == pytest.approx(0.25)


def test_values_are_drawn_evenly():
    counts = dict.fromkeys(VALUES, 0)
    for item in task("contexts=8, keys=8, asked=0").items(12):
        for answer in item.answers:
            counts[answer] += 1
    assert len(VALUES) == 16 and all(25 <= n <= 75 for n in counts.values()), counts


def test_settings_are_checked():
    for settings, says in {
        "contexts=65": "from 0 to 64",
        "keys=17": "from 1 to 16",
        "contexts=2, keys=2, asked=5": "from 0 to 4",
        "contexts=0, asked=0": "from 1 to 64",
        "told=twice": "whole, scattered",
    }.items():
        with pytest.raises(UserError, match=says):
            task(settings)
