"""Needle Threading: the published UUIDs, threads that lead where they say, and both ways to score."""

import json
import re

import pytest

from leadline import catalog
from leadline.data.haystack import Builder, Layout
from leadline.data.noise import open_noise
from leadline.nouns import Answer, UserError
from leadline.scoring.needle_metrics import literal
from leadline.tasks.needle_threads import COLUMNS, KINDS

PAIR = re.compile(r'"([^"]{36})": "([^"]{36})"')


def task(spec):
    return catalog.make(f"needle-threads({spec})" if spec else "needle-threads", "tasks")


def prompts(spec, tokenizer, n=4, length=8192, layout=None):
    one = task(spec)
    return [(i, Builder(tokenizer, seed=2).build(i, length, layout or Layout())) for i in one.items(n, seed=7)]


def test_uuids_are_the_published_ones(shared):
    anchor = json.loads((shared / "data/needle-threading/anchor.json").read_text())
    pairs = [PAIR.fullmatch(text).groups() for text in open_noise("uuids", 0).take(25)]
    drawn = [part for pair in pairs for part in pair]
    assert drawn == anchor["first_50_draws"]
    shows = anchor["readme_shows"]
    assert (drawn[0], drawn[1], drawn[49]) == (shows["first_key"], shows["first_value"], shows["last_value"])
    assert pairs[12] == (shows["asked_key"], shows["answer"]), "depth 50 % of 25 pairs"
    assert len(", ".join(open_noise("uuids", 0).take(25))) + 2 == 2000


@pytest.mark.parametrize("depth", [0, 0.25, 0.5, 1])
def test_depth_is_in_pairs(depth, tokenizer_of):
    [(item, prompt)] = prompts("", tokenizer_of("bytes-plain"), 1, 20_000, Layout(depth))
    pairs = PAIR.findall(prompt.messages[-1]["content"])
    at = [v for _, v in pairs].index(item.answers[0])
    assert abs(at - depth * (len(pairs) - 1)) <= 1


def test_context_is_json(tokenizer_of):
    for item, prompt in prompts("kind=multiple", tokenizer_of("bytes-chatml"), 3):
        context = prompt.messages[-1]["content"].removeprefix(item.instruction).partition("\n\nGive")[0]
        found = json.loads("{" + context.strip() + "}")
        assert len(found) > 20 and [found[k] for k in re.findall(r'"(.{36})"', item.question)] == list(item.answers)


@pytest.mark.parametrize(
    "spec",
    [f"kind={kind}, direction={d}, steps=4" for kind in ("thread", "threads") for d in ("forward", "backward", "random")],
)
def test_threads_lead_where_they_say(spec, tokenizer_of):
    """Followed the slow way, over the text alone."""
    one, turns = task(spec), []
    for item, prompt in prompts(spec, tokenizer_of("bytes-plain"), 6):
        pairs = PAIR.findall(prompt.messages[-1]["content"])
        assert len({k for k, _ in pairs}) == len(pairs), "a key twice"
        where, value = {k: i for i, (k, _) in enumerate(pairs)}, dict(pairs)
        starts = re.findall(r'"(.{36})"', item.question)
        assert len(starts) == (1 if one.kind == "thread" else 2)
        ends, used = [], set()
        for key in starts:
            path = [key]
            while path[-1] in value:
                path.append(value[path[-1]])
            assert len(path) == 5
            steps = [where[b] - where[a] for a, b in zip(path, path[1:-1], strict=False)]
            turns += steps
            used |= set(path)
            ends.append(path[-1])
        assert ends == list(item.answers)
        assert not {v for k, v in pairs if k not in used} & set(value), "a value outside the threads is a key"
    forward, backward = all(t > 0 for t in turns), all(t < 0 for t in turns)
    assert {"forward": forward, "backward": backward, "random": not forward and not backward}[one.direction]


def test_the_condition_holds_for_the_needles_alone(tokenizer_of):
    for spec in ("kind=conditional", "kind=conditional, placement=clustered"):
        for item, prompt in prompts(spec, tokenizer_of("bytes-plain")):
            pairs = PAIR.findall(prompt.messages[-1]["content"])
            mark = re.search(r'character "(.)"', item.question)[1]
            at = [i for i, (k, _) in enumerate(pairs) if mark in k]
            assert sorted(pairs[i][1] for i in at) == sorted(item.answers)
            assert not any(mark in v for _, v in pairs)
            assert (at[-1] - at[0] == 4) == ("clustered" in spec)


def test_scores():
    said = lambda one, item, text: one.score(item.answers, item, Answer(text=text))  # noqa: E731
    one = task("kind=thread, steps=3")
    item = one.items(1)[0]
    links = [PAIR.fullmatch(e).groups() for e in item.evidence]
    assert said(one, item, f"It is **{item.answers[0].upper()}**.").value == 1
    assert said(one, item, links[0][1]).value == 0, "a link is not the end"
    assert said(one, item, f"{links[0][1]} then {item.answers[0]}").value == 0, "the first UUID is the answer"
    assert said(one, item, "I do not know").audit == "format not found"
    many = task("kind=multiple, needles=4")
    item = many.items(1)[0]
    score = said(many, item, "\n".join([*item.answers[:3], links[0][1]]))
    assert score.value == 0.75 and score.parts == {"precision": 0.75, "recall": 0.75, "F1": 0.75}
    assert said(many, item, "\n".join(reversed(item.answers))).value == 1
    assert said(many, item, item.answers[0]).parts["precision"] == 1


def test_the_snippets_scores():
    gold = "1759edc3-72ae-2244-8b01-63c1cd9d2b7d"
    assert literal(repr(gold), [gold]) == 1
    assert literal(f'"{gold} and more"', [gold]) == 1, "cut to the length of the gold"
    assert literal(gold, [gold]) == 0, "a bare UUID is no literal, and raised there"
    assert literal(f"  {gold!r}\n", [gold]) == 1
    assert literal(f"The value is {gold!r}", [gold]) == 0
    assert literal(f"[{gold!r}]", [gold]) == 0, "a list, cut to 36 elements, is no text"
    assert literal("12", [gold]) == 0 and literal("", [gold]) == 0 and literal("(" * 500, [gold]) == 0
    assert literal(repr([gold, "b"]), [gold, "b"]) == 1 and literal(repr(["b", gold]), [gold, "b"]) == 0
    one = task("peer=true")
    item = one.items(1)[0]
    assert one.score(item.answers, item, Answer(text=item.answers[0])).value == 0
    assert one.score(item.answers, item, Answer(text=repr(item.answers[0]))).value == 1


def test_published_rows(tmp_path):
    rows = [
        {
            "haystack": '{"a": "b"}',
            "keys": "k",
            "values": f"{i:08d}-0000-0000-0000-000000000000",
            "question": f"q{i}",
            "thread_length": 1,
        }
        for i in range(3)
    ]
    path = tmp_path / "Single_Needle.json"
    path.write_text(json.dumps(rows))
    one = task(f"data={str(path)!r}")
    assert one.natural and {i.question for i in one.items(3)} == {"q0", "q1", "q2"}
    assert all(i.evidence == ('{"a": "b"}',) and len(i.answers) == 1 for i in one.items(3))
    with pytest.raises(UserError, match="holds 3 rows"):
        one.items(4)
    for column in COLUMNS:
        bad = [{k: v for k, v in rows[0].items() if k != column}]
        path.with_name(f"{column}.json").write_text(json.dumps(bad))
        with pytest.raises(UserError, match=column):
            task(f"data={str(path.with_name(f'{column}.json'))!r}").items(1)


@pytest.mark.parametrize("direction", ["forward", "backward", "random"])
def test_all_branches_but_one_break_off(direction, tokenizer_of):
    """Followed the slow way, over the text alone: every chain from the start key."""
    one, turns, firsts = task(f"kind=branched, steps=5, branches=3, direction={direction}"), [], []
    for item, prompt in prompts(one.spec.removeprefix("needle-threads(")[:-1], tokenizer_of("bytes-plain"), 6):
        pairs = PAIR.findall(prompt.messages[-1]["content"])
        chains, open_ = [], [re.findall(r'"(.{36})"', item.question)]
        while open_:
            chain = open_.pop()
            on = [v for k, v in pairs if k == chain[-1]]
            open_ += [[*chain, v] for v in on]
            chains += [] if on else [chain]
        chains.sort(key=len)
        assert [len(c) for c in chains] == [2, 2, 3, 3, 4, 4, 5, 5, 6], "two break off at each of the first four steps"
        assert item.answers == (chains[-1][-1],) and len(item.evidence) == 5 and len(item.distractors) == 8
        where = [pairs.index((a, b)) for a, b in zip(chains[-1], chains[-1][1:], strict=False)]
        turns += [b - a for a, b in zip(where, where[1:], strict=False)]
        # Whoever takes the first pair of each key that comes goes astray.
        at, value = chains[-1][0], dict(reversed(pairs))
        while at in value:
            at = value[at]
        firsts.append(at == item.answers[0])
        said = [one.score(item.answers, item, Answer(text=chain[-1])).value for chain in chains]
        assert said == [0] * 8 + [1]
    assert sum(firsts) < len(firsts)
    forward, backward = all(t > 0 for t in turns), all(t < 0 for t in turns)
    assert {"forward": forward, "backward": backward, "random": not forward and not backward}[direction]


def test_branches_are_told_what_they_cannot_be():
    for spec, says in (("steps=1", "steps must be from 2"), ("branches=1", "from 2 to 10"), ("data=hub", "hold no branched")):
        with pytest.raises(UserError, match=says):
            task(f"kind=branched, {spec}")


def test_the_suite_has_all_six():
    members = catalog.expand(catalog.parse("needle-threading(steps=3)"), "tasks")
    made = [catalog.make(m, "tasks") for m in members]
    assert [t.kind for t in made] == list(KINDS) and all(t.steps == 3 for t in made)
    for spec in ("kind=thred", "needles=0", "steps=26", "direction=up", "placement=near"):
        with pytest.raises(UserError):
            task(spec)


def test_no_two_items_share_a_uuid():
    one, seen = task("kind=thread, steps=25"), set()
    for item in one.items(20):
        found = set(re.findall(r"[0-9a-f-]{36}", "".join(item.evidence)))
        assert len(found) == 26 and not found & seen
        seen |= found
