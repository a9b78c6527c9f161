"""GoNERD: reading of formats and replies, matching rules, Few-NERD's released counts, what lies in the context."""

import gzip
import json
from dataclasses import replace

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, Item, UserError
from leadline.tasks import _entities, _ner


def item_of(gold, **more):
    meta = {"gold": [list(pair) for pair in gold]}
    return Item(id="x", task="", instruction="", question="", answers=("",), meta=meta, **more)


def scored(reply, gold, spec="gonerd", **more):
    return catalog.make(spec, "tasks").score(("",), item_of(gold, **more), Answer(text=reply))


GOLD = [("Paris", "LOC"), ("Bob", "PER")]


@pytest.mark.parametrize(
    ("reply", "worth"),
    [
        ("Paris\tLOC\nBob\tPER", 1),
        ("Bob\tPER\nParis\tLOC", 1),
        ("Paris\tLOC\nBob\tLOC\nBob\tPER", 0.8),
        ("Eve\tPER", 0),
        ("1. Paris: LOC\n2. **Bob**: PER", 1),
        ('{"Paris": "LOC", "Bob": "PER"}', 1),
        ('[{"name": "Paris", "type": "LOC"}, ["Bob", "PER"]]', 1),
        ("Here are the entities:\nParis\tloc\n\u201cBob\u201d.\tPER", 1),
        ("paris\tLOC\nBob\tPER", 0.5),
        ("Paris\tLOC\nParis\tLOC", 2 / 3),
    ],
)
def test_strict_f1(reply, worth):
    assert scored(reply, GOLD).value == pytest.approx(worth)


def test_case_and_words_in_common():
    assert scored("paris\tLOC\nBob\tPER", GOLD, "gonerd(case=false)").value == 1
    gold = [("Robert Bob Smith", "PER"), ("Bob Jones", "PER"), ("New Paris", "LOC")]
    assert scored("Bob\tPER\nSmith\tPER\nParis\tPER", gold, "gonerd(match=relaxed)").value == pytest.approx(2 * 2 / 6)
    assert scored("Bob\tPER", gold).value == 0


def test_mentions_that_hold_a_colon():
    assert _entities.read("Dune: Part Two: film") == [("Dune: Part Two", "film")]
    assert _entities.read("Dune: Part Two\tfilm") == [("Dune: Part Two", "film")]
    assert _entities.read("I cannot help with that.") is None


def test_nothing_to_list():
    assert scored("None", []).value == 1
    assert scored("[]", []).value == 1
    assert scored("Eve\tPER", []).value == 0
    assert scored("None.", GOLD).value == 0
    assert (scored("I do not know.", GOLD).value, scored("I do not know.", GOLD).audit) == (0, "format not found")


def test_parts():
    score = scored("Paris\tLOC\nEve\tPER", GOLD, evidence=("Paris and Bob.",))
    assert score.parts == {"right": 1, "said": 2, "wanted": 2, "precision": 0.5, "recall": 0.5, "invented": 0.5}


def test_tags():
    tokens = "Bob Smith saw New York and Eve in Rome".split()
    assert _ner.spans(tokens, "B-PER I-PER O B-LOC I-LOC O B-PER O B-LOC".split())[0] == ("Bob Smith", "PER")
    # After O, or after another type, I- begins a new entity; B- always does.
    assert _ner.spans(list("abcd"), ["O", "I-X", "I-Y", "B-Y"]) == [("b", "X"), ("c", "Y"), ("d", "Y")]
    assert _ner.spans(list("abcd"), ["X", "X", "O", "X"]) == [("a b", "X"), ("d", "X")]
    assert _ner.spans(list("abc"), ["B-X", "E-X", "S-X"]) == [("a b", "X"), ("c", "X")]
    assert _ner.spans(["北", "京", "好"], ["B-地", "I-地", "O"]) == [("北京", "地")]


def test_column_files(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(
        "-DOCSTART- -X- O O\n\nBob NNP I-NP B-PER\nran VB O O\n\nHome NN O B-LOC\n\n-DOCSTART- -X- O O\n\nRome N O B-LOC\n"
    )
    assert [(d.text, d.pairs) for d in _ner.read(str(path))] == [
        ("Bob ran Home", (("Bob", "PER"), ("Home", "LOC"))),
        ("Rome", (("Rome", "LOC"),)),
    ]
    path = tmp_path / "b.bio"
    path.write_text("Bob B-PER\nran O\n\nRome B-LOC\n")
    assert [d.text for d in _ner.read(str(path))] == ["Bob ran", "Rome"]


def test_rows(tmp_path):
    rows = [
        {"text": "Bob ran.", "entities": [{"start": 0, "end": 3, "label": "PER"}]},
        {"text": "Bob ran.", "entities": [[0, 3, "PER"]]},
        {"sentence": "Bob ran.", "entities": [{"name": "Bob", "type": "PER"}]},
        {"sentence": "Bob ran.", "entities": {"Bob": "PER"}},
        {"tokens": ["Bob", "ran."], "ner_tags": ["B-PER", "O"]},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows))
    assert {(d.text, d.pairs) for d in _ner.read(str(path))} == {("Bob ran.", (("Bob", "PER"),))}


def test_fewnerd_counts_equal_the_released_figures(shared):
    """One pair a mention, names as they stand: the strict rule gives the peer's counts."""
    folder = shared / "data/longiclbench"
    damaged = json.loads((folder / "fewnerd_predictions.damaged.json").read_text())
    gold = [json.loads(line)["entities"] for line in gzip.open(folder / "fewnerd_test.0000-0899.jsonl.gz", "rt")]
    task, totals, same = catalog.make("gonerd", "tasks"), [0, 0, 0], 0
    for said, wanted in zip(damaged["predictions"], gold, strict=False):
        reply = "\n".join(f"{m}\t{k}" for m, k in said.items())
        counts = task._counts(reply, item_of(wanted.items()))
        plain = (sum(wanted.get(m) == k for m, k in said.items()), len(said), len(wanted))
        # Ours puts aside blanks and quotes around a name, which the peer counts as another name.
        clean = all(name == _entities.bare(name) for name in (*said, *wanted))
        assert counts == plain if clean else counts[0] >= plain[0], (said, wanted)
        same += clean
        totals = [a + b for a, b in zip(totals, plain, strict=True)]
    assert totals == [538, 842, 938]
    assert same > 190


def test_every_gold_name_stands_in_the_context_and_noise_adds_none(tokenizer):
    for spec in ("gonerd", "gonerd(one=true)"):
        task = catalog.make(spec, "tasks")
        for item in task.items(6, seed=3):
            short, long = (Builder(tokenizer).build(item, length) for length in (4096, 12_000))
            content = long.messages[-1]["content"]
            assert all(name in content for name, _ in item.meta["gold"])
            assert short.meta == long.meta
            noise = content
            for text in item.evidence:
                noise = noise.replace(text, "")
            assert not any(name in noise for name, _ in item.meta["gold"])


def test_one_document_is_asked_for(tokenizer):
    task = catalog.make("gonerd(one=true, abstain=0)", "tasks")
    for item in task.items(4):
        number = item.question.split("in document ")[1].split()[0]
        (text,) = [t for t in item.evidence if t.startswith(f"[Document {number}]")]
        assert item.meta["gold"] and all(name in text for name, _ in item.meta["gold"])


def test_some_items_have_nothing_to_list():
    none = [item for item in catalog.make("gonerd(abstain=50)", "tasks").items(30) if item.answers == ("None",)]
    assert 5 <= len(none) <= 25
    assert all(item.facets == {"entities": "none"} and "- company" in item.question for item in none)
    assert not any(
        " and " in t.split("worked for ")[-1].split(".")[0] for item in none for t in item.evidence if "worked for" in t
    )
    assert all(item.answers != ("None",) for item in catalog.make("gonerd(abstain=0)", "tasks").items(30))


def test_growing_lists_grow_and_keep_room_for_the_answer(tokenizer):
    task = catalog.make("gonerd(grow=true)", "tasks")
    item = task.items(1)[0]
    sizes = []
    for length in (2048, 16_384):
        prompt = Builder(tokenizer).build(item, length, compose=task.compose)
        grown = replace(item, meta=prompt.meta)
        assert prompt.answer_tokens >= 64 + len(tokenizer.ids(task.gold(prompt.answers, grown)))
        content = prompt.messages[-1]["content"]
        assert all(name in content for name, *_ in prompt.meta["gold"])
        sizes.append(len(prompt.answers))
        first = [f"{m}\t{k}" for m, k, third in prompt.meta["gold"] if third == 0]
        parts = task.score(prompt.answers, grown, Answer(text="\n".join(first))).parts
        assert (parts["recall, first third"], parts["recall, last third"], parts["precision"]) == (1, 0, 1)
    assert sizes[1] > 4 * sizes[0]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("gonerd(types='planet')", "invented types are person"),
        ("gonerd(one=true, grow=true)", "one of several"),
        ("gonerd(match=loose)", "strict, relaxed"),
    ],
)
def test_settings_that_are_wrong(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.jsonl", '{"words": []}', "line 1: rows are read as sentence"),
        ("a.jsonl", '{"tokens": ["a"], "ner_tags": [3]}', "numbers here"),
        ("a.jsonl", '{"tokens": ["a"], "ner_tags": []}', "1 tokens but 0 tags"),
        ("a.jsonl", '{"text": "a", "entities": [{"type": "X"}]}', "an entity needs"),
        ("a.jsonl", '{"text": "a", "entities": {}}', "holds no entities"),
        ("a.conll", "Bob B-PER\nran\n", "line 2: a token and its tag"),
    ],
)
def test_data_that_are_wrong(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        catalog.make(f"gonerd(data={str(path)!r})", "tasks").items(1)


def test_without_its_context_nothing_is_known(tokenizer):
    task = catalog.make("gonerd(grow=true)", "tasks")
    item = task.items(1)[0]
    assert task.score(Builder(tokenizer).bare(item).answers, item, Answer(text="None")).value == 0
