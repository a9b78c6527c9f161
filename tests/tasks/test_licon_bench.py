"""LIConBench: rounds against the benchmark's selection done plainly, its scorers, Few-NERD's released figures, label places."""

import gzip
import json
from dataclasses import replace

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.scoring import longicl_metrics as metrics
from leadline.tasks._shots import Shot, in_rounds

from .conftest import specs_of


def plain_rounds(shots):
    """The benchmark's selection step by step: each turn each class, or the next later one that still has a row."""
    rows = {}
    for shot in shots:
        rows.setdefault(shot.label, []).append(shot)
    names, taken, out = list(rows), dict.fromkeys(rows, 0), []
    for _ in range(len(shots)):
        for i, name in enumerate(names):
            for other in [name, *names[i + 1 :]]:
                if taken[other] < len(rows[other]):
                    out.append(rows[other][taken[other]])
                    taken[other] += 1
                    break
    return out


def test_rounds_equal_the_plain_selection():
    labels = "a b c a a b d c a d a e b".split()
    shots = [Shot(label, f"{label}{i}", label) for i, label in enumerate(labels)]
    assert in_rounds(shots) == plain_rounds(shots)
    assert [s.label for s in in_rounds(shots)][:5] == ["a", "b", "c", "d", "e"]


def test_fewnerd_counts_equal_the_released_figures(shared):
    folder = shared / "data/longiclbench"
    damaged = json.loads((folder / "fewnerd_predictions.damaged.json").read_text())
    gold = [json.loads(line)["entities"] for line in gzip.open(folder / "fewnerd_test.0000-0899.jsonl.gz", "rt")]
    counts = [metrics.entity_counts(said, wanted) for said, wanted in zip(damaged["predictions"], gold, strict=False)]
    right, said, wanted = (sum(column) for column in zip(*counts, strict=True))
    assert (said, wanted, right) == (842, 938, 538)
    precision, recall, f1 = metrics.micro(counts)
    peer = damaged["peer"]
    assert (precision, recall, f1) == pytest.approx((peer["precision"], peer["recall"], peer["f1"]), abs=1e-12)
    # The sums of the parts of all items give the same, by 2 right / (said + wanted).
    assert 2 * right / (said + wanted) == pytest.approx(f1, abs=1e-7)


def test_fewnerd_rows_build_and_their_gold_is_right(shared, tokenizer):
    folder = shared / "data/longiclbench"
    data, demos = (str(folder / name) for name in ("fewnerd_test.0000-0899.jsonl.gz", "fewnerd_train_10turns.jsonl.gz"))
    task = catalog.make(f"licon-bench(data={data!r}, demos={demos!r})", "tasks")
    item = task.items(5)[4]
    prompt = Builder(tokenizer).build(item, 16_384, compose=task.compose)
    item = replace(item, meta=prompt.meta)
    score = task.score(prompt.answers, item, Answer(text=prompt.answers[0] + "\nNobody: person-other"))
    wanted = prompt.answers[0].count("\n") + 1
    assert score.parts == {"right": wanted, "said": wanted + 1, "wanted": wanted}
    assert score.value == pytest.approx(2 * wanted / (2 * wanted + 1))


@pytest.mark.parametrize(
    ("metric", "reply", "answer", "worth"),
    [
        ("banking77", "Card_Arrival\nservice query: x", "card_arrival", 1),
        ("banking77", "card_arrival service query: x", "card_arrival", 1),
        ("banking77", "The intent is card_arrival", "card_arrival", 0),
        ("goemotions", " joy comment: next", "joy", 1),
        ("discovery", '"However," \nmore', "however", 1),
        ("discovery", "as_a_result", "as_a_result,", 1),
        ("tacred", "per:title\nsentence: y", "per:title", 1),
        ("tacred", "Per:Title", "per:title", 0),
        ("fewnerd", "Paris: GPE\nEve: person", "Paris: GPE\nBob: person", 0.5),
        ("fewnerd", "Paris: GPE: x\n\nBob: person", "Paris: GPE\nBob: person", 2 / 3),
        ("fewnerd", "Sentence: Paris: GPE", "Paris: GPE", 0),
        ("dialogre", "per:friends, per:boss", "per:boss, per:friends", 0),
        ("dialogre", "per:friends, per:boss", "per:friends, per:boss", 1),
        ("dialogre", "per:friends, nobody", "per:friends, per:boss", 2 / 3),
    ],
)
def test_the_benchmarks_scorers(metric, reply, answer, worth):
    assert metrics.METRICS[f"longicl/{metric}"](reply, [answer]) == pytest.approx(worth)


def test_a_reply_that_repeats_its_query():
    reply = "service query: lost it\nintent category: card_lost\nservice query: more"
    assert metrics.banking77(reply, ["card_lost"], question="lost it") == 1
    assert metrics.banking77(reply, ["card_lost"]) == 0
    assert metrics.banking77("lost it\ncard_lost", ["card_lost"], question="lost it") == 1


def built(spec, tokenizer, n=6, length=6000):
    task = catalog.make(spec, "tasks")
    out = []
    for item in task.items(n, seed=4):
        prompt = Builder(tokenizer).build(item, length, compose=task.compose if task.grows else None)
        out.append((task, replace(item, meta=prompt.meta), prompt))
    return out


def demonstrations(prompt):
    content = prompt.messages[-1]["content"]
    found = [block.split("\nLabel: ") for block in content.split("Text: ")[1:] if "\nLabel: " in block]
    return [(text, label.split("\n")[0]) for text, label in found]


def test_rounds_hold_each_class_once_and_texts_fix_their_label(tokenizer):
    for task, item, prompt in built("licon-bench(classes=14)", tokenizer):
        shots = demonstrations(prompt)
        labels = list(item.meta["labels"])
        assert [label for _, label in shots[:28]] == labels * 2
        assert item.meta["shots"] == len(shots)
        # A reader that knows the rule finds the label: the demonstrations whose animal and color the query has.
        from leadline.data import lexicon

        def seen(text):
            words = text.replace(".", " ").replace(",", " ").split()
            return next((c, a) for c, a in zip(words, words[1:], strict=False) if c in lexicon.COLORS and a in lexicon.ANIMALS)

        rule = {seen(text): label for text, label in shots}
        assert len(rule) == 14
        assert rule[seen(item.meta["text"])] == prompt.answers[0]
        place = labels.index(prompt.answers[0])
        assert item.facets["label place"] == ("first third", "middle third", "last third")[3 * place // 14]
        recent = task.score(prompt.answers, item, Answer(text=shots[-1][1]))
        assert recent.value == float(shots[-1][1] == prompt.answers[0])
        if not recent.value:
            assert recent.parts == {"known label": 1, "place of a wrong label": 1.0}


def test_places_are_asked_alike():
    task = catalog.make("licon-bench(classes=15)", "tasks")
    places = [item.facets["label place"] for item in task.items(45, seed=1)]
    assert {places.count(p) for p in set(places)} == {15}
    assert len(set(places)) == 3


def test_prompts_of_a_seed_share_their_demonstrations(tokenizer):
    one, two = (demonstrations(prompt) for _, _, prompt in built("licon-bench(classes=14)", tokenizer, n=2))
    assert one[:60] == two[:60]


def test_grouped_demonstrations_stand_together(tokenizer):
    for _, item, prompt in built("licon-bench(classes=14, order=grouped)", tokenizer, n=2):
        labels = [label for _, label in demonstrations(prompt)]
        assert sum(a != b for a, b in zip(labels, labels[1:], strict=False)) == 13
        assert list(dict.fromkeys(labels)) == list(item.meta["labels"])


def test_fixed_rounds_stay_the_same_at_every_length(tokenizer):
    task = catalog.make("licon-bench(classes=8, rounds=2)", "tasks")
    item = task.items(1)[0]
    short, long = (Builder(tokenizer).build(item, length) for length in (2500, 9000))
    assert sorted(demonstrations(short)) == sorted(demonstrations(long))
    assert len(demonstrations(long)) == 16


def test_words_around_a_label_do_not_hide_it(tokenizer):
    task, item, prompt = built("licon-bench(classes=14)", tokenizer, n=1)[0]
    gold, other = prompt.answers[0], next(label for label in item.meta["labels"] if label != prompt.answers[0])
    for reply, worth in ((f"The label is **{gold.upper()}**.", 1), (f"{other}, not {gold}", 0), ("no idea", 0)):
        assert task.score(prompt.answers, item, Answer(text=reply)).value == worth
    assert task.score(prompt.answers, item, Answer(text="no idea")).audit == "format not found"
    peer = replace(task, peer=True)
    assert peer.score(prompt.answers, item, Answer(text=f"The label is {gold}")).value == 0


def test_chance_and_minimum_follow_the_classes():
    few, many = (catalog.make(f"licon-bench(classes={n})", "tasks") for n in (8, 174))
    assert few.chance == 1 / 8
    assert many.minimum > 5 * few.minimum


def test_relations_by_place(tokenizer):
    spec = next(s for s in specs_of("licon-bench") if "talks" in s)
    task, item, prompt = built(spec, tokenizer, n=1)[0]
    first, second = prompt.answers[0].split(", ")
    assert task.score(prompt.answers, item, Answer(text=f"{first}, nothing")).parts == {"right": 1, "said": 1, "wanted": 2}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("licon-bench(classes=1)", "from 2 to 210"),
        ("licon-bench(order=mixed)", "rounds, grouped"),
        ("licon-bench(demos='a.jsonl')", "needs data="),
    ],
)
def test_settings_that_are_wrong(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


def test_data_that_are_wrong(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"review": "good", "stars": 5}\n{"review": "bad", "stars": 1}\n')
    with pytest.raises(
        UserError, match=r"line 1: no text was found .*has: review, stars.*columns='text=NAME'|line 1: no label was found"
    ):
        catalog.make(f"licon-bench(data={str(path)!r})", "tasks").items(1)
    with pytest.raises(UserError, match="columns are written as in"):
        catalog.make(f"licon-bench(data={str(path)!r}, columns=stars)", "tasks").items(1)
    with pytest.raises(UserError, match="holds no text to ask about"):
        catalog.make(f"licon-bench(data={str(path)!r}, columns='text=review, label=stars')", "tasks").items(1)
