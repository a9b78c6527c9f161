"""Plans: lengths as users write them, keys that tell cells apart, what a run will cost."""

from __future__ import annotations

import json

import pytest

from leadline.nouns import UserError
from leadline.runs import plan as plans
from leadline.runs.plan import Plan, cells, dry_run, parse_length, parse_lengths, parse_tasks


@pytest.mark.parametrize(
    ("text", "tokens"), [("512", 512), ("4k", 4096), ("1m", 1_048_576), ("1.5K", 1536), (" 128k ", 131_072), ("0.5m", 524_288)]
)
def test_lengths(text, tokens):
    assert parse_length(text) == tokens


@pytest.mark.parametrize("text", ["", "k", "0", "-4k", "4kb", "1.3", "4 000", "1e5", "nan", "٣"])
def test_lengths_that_are_none(text):
    with pytest.raises(UserError, match="cannot read the length"):
        parse_length(text)


def test_lists():
    assert parse_lengths("4k,512,4096") == (512, 4096)
    names = [str(t) for t in parse_tasks("needle(needles=2),100-longbench,kv-retrieval")]
    assert names[0] == "needle(needles=2)" and len(names) == 9 and len(set(names)) == 9


def make(**changes) -> Plan:
    settings = {"models": ("minnow",), "tasks": parse_tasks("needle"), "lengths": (512, 1024), "base": (256,), "samples": 3}
    return Plan(**settings | changes)


def test_cells():
    found = cells(make(tasks=parse_tasks("needle,kv-retrieval"), base=(256, 512)))
    assert [(str(c.task), c.length, c.base) for c in found[:3]] == [
        ("needle", 256, True),
        ("needle", 512, True),
        ("needle", 1024, False),
    ]
    assert len(found) == len({c.key for c in found}) == 6
    assert {c.length for c in cells(make(prior=True))} == {0, 256, 512, 1024}


def test_keys_change_with_all_that_could_change_an_answer_and_with_nothing_else():
    key = cells(make())[0].key
    same = {"samples": 9, "max_connections": 2, "base": (256, 512), "max_cost": 1.0, "prices": (1.0, 1.0), "prior": False}
    assert cells(make(**same))[0].key == key
    for name, value in {
        "tasks": parse_tasks("needle(needles=2)"), "seed": 1, "temperature": 0.1, "top_p": 0.5, "max_output": 8, "thinking": 9,
        "noise": "records", "prefill": "off", "questions": 2, "depth": 0.5, "spread": "even", "dtype": "bfloat16",
    }.items():  # fmt: skip
        assert cells(make(**{name: value}))[0].key != key, name


def test_keys_hold_the_weights(monkeypatch):
    key = cells(make())[0].key
    plans._identity.cache_clear()
    monkeypatch.setattr(plans, "_fingerprint", lambda model: "other weights")
    assert cells(make())[0].key != key
    plans._identity.cache_clear()


def test_keys_hold_what_plugins_share(monkeypatch):
    with_rag, without = (cells(make(pipeline=name))[0].key for name in ("rag", ""))
    monkeypatch.setattr(plans, "_helpers", lambda room, asked: ("other",) if asked else ())
    assert cells(make(pipeline="rag"))[0].key != with_rag
    assert cells(make())[0].key == without


def test_a_plan_is_kept_as_json():
    one = make(tasks=parse_tasks("needle(needles=2),kv-retrieval"), prices=(1.0, 2.0))
    assert Plan.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_dry_run_is_from_above():
    whole = dry_run(make(prior=True))
    assert [(e.cell.length, e.samples) for e in whole] == [(0, 3), (256, 3), (512, 3), (1024, 3)]
    assert [e.tokens for e in whole[1:]] == [768, 1536, 3072] and 50 < whole[0].tokens < 1000
    assert all(e.cost is None for e in whole)
    assert dry_run(make(thinking=100))[0].tokens == 3 * 356


def test_dry_run_knows_answers_that_grow():
    """Sixteen answers in one reply: what they cost is known when the first sample is composed."""
    priced = dry_run(make(tasks=parse_tasks("longgenbench"), lengths=(8192,), base=(), prices=(0.0, 1e6)))
    assert priced[0].cost > 3 * 1000 and priced[0].tokens == 3 * 8192


def test_methods_are_for_local_models():
    with pytest.raises(UserError, match="unknown method"):
        make(methods=("nothing",))


def test_one_spelling_of_methods_and_tasks():
    assert make(methods=("", "kivi(bits=4)+self-extend( group=2 )")).methods == ("", "kivi(bits=4) + self-extend(group=2)")
    assert len(cells(make(tasks=parse_tasks("needle,needle(needles=1)")))) == 3


def test_growing_tasks_share_no_haystack(monkeypatch):
    monkeypatch.setattr(type(plans.task_of(parse_tasks("needle")[0])), "grows", True)
    with pytest.raises(UserError, match="does not grow"):
        cells(make(questions=2))
