"""LongHealth: three settings, abstention, the published format and the generated patients."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from leadline import catalog
from leadline.data import clinic
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.tasks.longhealth_cases import UNANSWERABLE, LonghealthCases, _right

from .fixtures.longhealth_cases import benchmark

OPTIONS = ["Bronchitis", "Asthma", "Gout", "a scan of the head", "Migraine"]


def scored(setting, text, right=1):
    task = LonghealthCases(setting=setting)
    item = task._asked("What was diagnosed?", OPTIONS, right, ["a letter"], [])
    return task.score(item.answers, item, Answer(text=text))


@pytest.mark.parametrize(
    ("setting", "text", "value", "strict", "abstained"),
    [
        (1, "The correct answer is B: Asthma.", 1, 1, None),
        (1, "the correct answer is B: Asthma.", 1, 0, None),
        (1, "The correct answer is C: Gout.", 0, 0, None),
        (1, "B", 1, 0, None),
        (1, "(B) Asthma", 1, 0, None),
        (1, "The correct answer is B. Asthma", 1, 0, None),
        (1, " B: Asthma.", 1, 1, None),  # goes on from the phrase
        (1, "Asthma", 1, 0, None),
        (1, "The correct answer is a scan of the head.", 0, 0, None),
        (2, f"The correct answer is F: {UNANSWERABLE}.", 0, 0, 1),
        (2, "The correct answer is B: Asthma.", 1, 1, 0),
        (3, f"The correct answer is F: {UNANSWERABLE}.", 1, 1, 1),
        (3, "The correct answer is B: Asthma.", 0, 0, 0),
        (3, "F)", 1, 0, 1),
    ],
)
def test_replies(setting, text, value, strict, abstained):
    got = scored(setting, text)
    assert got.value == value
    assert got.parts == {"strict": strict} | ({} if abstained is None else {"abstained": abstained})


def test_what_is_no_answer():
    assert scored(1, "I do not know.").audit == "format not found"
    assert scored(1, "").audit == "empty" and not scored(1, "").parts
    assert scored(1, "F: none of them").audit == "format not found", "there is no F without a patient's absence"


def test_the_right_option():
    assert _right(["mild asthma", "asthma", "gout"], "asthma") == 1, "equality first"
    assert _right(["gout", "mild asthma", "asthma, severe"], "asthma") == 2, "else the last that holds it"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "benchmark_v5.json"
    path.write_text(json.dumps(benchmark()))
    return str(path)


def test_published_settings(path, tokenizer):
    whole = json.loads(Path(path).read_text())
    where = {q["question"]: (name, q) for name, p in whole.items() for q in p["questions"]}
    for setting in (1, 2, 3):
        task = LonghealthCases(setting=setting, data=path, others=5)
        items = task.items(24, seed=1)
        assert len({i.question for i in items}) == 24, "every question once"
        for item in items:
            name, asked = where[item.question.partition("\n")[0]]
            own, answering = whole[name]["texts"], [whole[name]["texts"][t] for t in asked["answer_location"]]
            strange = [t for other, p in whole.items() if other != name for t in p["texts"].values()]
            held = [*item.evidence, *item.distractors]
            if setting == 1:
                assert sorted(held) == sorted(own.values()) and list(item.evidence) == answering
            else:
                assert all(t in strange for t in held if t not in answering)
                assert len(held) == 5 + (len(answering) if setting == 2 else 0)
                assert (set(answering) <= set(held)) == (setting == 2)
                assert f"F: {UNANSWERABLE}" in item.question
            letter = "F" if setting == 3 else "ABCDE"[[asked[f"answer_{c}"] for c in "abcde"].index(asked["correct"])]
            assert item.answers[0].startswith(f"{letter}: ")
            assert item.cluster == name
    builder = Builder(tokenizer)
    prompt = builder.build(items[0], builder.minimum(items[0]))
    assert len(re.findall(r"--- Document \d+ ---", prompt.messages[0]["content"])) == 5


def test_runs_lay_the_documents_anew(path, tokenizer):
    task = LonghealthCases(data=path)
    items = task.items(48, seed=0)
    first, again = items[0], items[24]
    assert first.question == again.question and first.id != again.id
    builder = Builder(tokenizer)
    order = [
        [builder.build(i, builder.minimum(i)).messages[0]["content"].find(t) for t in first.evidence] for i in (first, again)
    ]
    assert order[0] != order[1]


def test_budget(tmp_path):
    """Two letters of 9,000 tokens that both answer, 16,000 allowed: the second is cut, and no other is taken."""
    whole = benchmark(patients=2, questions=1)
    for p in whole.values():
        p["texts"] = {"text_0": "a" * 36_000, "text_1": "b" * 36_000, "text_2": "c" * 400}
        p["questions"][0]["answer_location"] = {"text_0": {}, "text_1": {}}
    (tmp_path / "b.json").write_text(json.dumps(whole))
    item = LonghealthCases(data=str(tmp_path / "b.json")).items(1)[0]
    assert [len(t) for t in item.evidence] == [36_000, 28_000] and not item.distractors
    assert item.facets == {"evidence": "cut"}
    item = LonghealthCases(data=str(tmp_path / "b.json"), budget=0).items(1)[0]
    assert [len(t) for t in (*item.evidence, *item.distractors)] == [36_000, 36_000, 400]
    assert item.facets == {"evidence": "several documents"}


def reading(letters):
    """What letters say, read again from their text."""
    found = []
    for text in letters:
        when = re.search(r"on (\d+) (\w+) (\d{4})\. ", text)
        found.append(
            {
                "name": re.match(r"Letter on (.+?), born", text)[1],
                "date": f"{when[1]} {when[2]} {when[3]}",
                "at": (
                    int(when[3]),
                    [
                        "January",
                        "February",
                        "March",
                        "April",
                        "May",
                        "June",
                        "July",
                        "August",
                        "September",
                        "October",
                        "November",
                        "December",
                    ].index(when[2]),
                ),
                "illness": re.search(r"diagnosed (.+?)\.", text)[1],
                "examination": re.search(r"we did (.+?), which", text)[1],
                "drug": re.search(r"We gave (\w+), (\d+ mg)", text)[1],
                "dose": re.search(r"We gave (\w+), (\d+ mg)", text)[2],
                "blood": dict(re.findall(r"(hemoglobin|sodium|glucose|platelet count) (\d+ [\w/]+)", text)),
            }
        )
    return found


def test_generated_answers_follow_from_the_letters_alone():
    """A reader that knows nothing but the evidence finds the right option, and only that."""
    kinds = Counter()
    for item in LonghealthCases().items(60, seed=4):
        told, text, options = reading(item.evidence), item.question.partition("\n")[0], item.meta["options"]
        kind = item.facets["kind"]
        kinds[kind] += 1
        if kind == "sorting":
            at = {t["examination"]: t["at"] for t in told}
            good = [o for o in options if [at[x] for x in o.split(", then ")] == sorted(at[x] for x in o.split(", then "))]
        elif kind == "negation":
            had = {t[k] for t in told for k in ("drug", "illness", "examination")}
            good = [o for o in options if o not in had]
        else:
            visit = next(t for t in told if t["date"] in text)
            values = [visit["illness"], visit["drug"], visit["examination"], visit["dose"], *visit["blood"].values()]
            good = [o for o in options if o in values]
        assert len(good) == 1 and item.answers[0].endswith(good[0]), (item.question, told)
    assert kinds == {"extraction": 20, "negation": 20, "sorting": 20}


def test_absent_patients_are_absent(tokenizer):
    for item in LonghealthCases(setting=3).items(6):
        prompt = Builder(tokenizer).build(item, 4096)
        name = item.avoid[0]
        context = prompt.messages[0]["content"].rpartition(item.question)[0]
        assert name in item.question and name not in context and context.count("Letter on ") > 5


def test_the_place_of_the_right_figure_tells_nothing():
    rng, ranks = random.Random(0), Counter()
    for i in range(4000):
        q = clinic.question(clinic.patient(i), "extraction", rng)
        if q.text.startswith("What was the ") and "diagnosed" not in q.text:
            figures = [int(o.split()[0]) for o in q.options]
            ranks[sorted(figures).index(figures[q.correct])] += 1
    assert len(ranks) == 5 and max(ranks.values()) < 1.5 * min(ranks.values())


def test_suite():
    members = catalog.expand(catalog.parse("longhealth(wording=unseen)"), "tasks")
    made = [catalog.make(m, "tasks") for m in members]
    assert [m.setting for m in made] == [1, 2, 3] and {m.wording for m in made} == {"unseen"}
    assert [m.chance for m in made] == [0.2, 1 / 6, 1 / 6]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w["patient_01"].pop("texts"), "patient_01: no column 'texts'"),
        (lambda w: w["patient_02"]["questions"][1].pop("answer_c"), "question 1: no column 'answer_c'"),
        (lambda w: w["patient_02"]["questions"][1].update(correct="nonsense"), "no option is the correct answer 'nonsense'"),
        (lambda w: w.update(patient_09="x"), "one JSON object of patients"),
    ],
)
def test_bad_data_is_named(tmp_path, change, says):
    whole = benchmark()
    change(whole)
    (tmp_path / "b.json").write_text(json.dumps(whole))
    with pytest.raises(UserError, match=says):
        LonghealthCases(data=str(tmp_path / "b.json")).items(1)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("longhealth-cases(setting=4)", "1 to 3"),
        ("longhealth-cases(others=0)", "1 to 100"),
        ("longhealth-cases(noise=passages)", "for published data"),
        ("longhealth-cases(data=x, noise='clinic(of=nurses)')", "of=letters or of=notes"),
        ("longhealth-cases(data=x, noise=clinics)", "clinic"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


def test_items_of_published_data_keep_their_names_at_other_settings(path):
    plain, filled = (LonghealthCases(data=path, noise=n) for n in ("none", "passages"))
    assert plain.natural and not filled.natural
    assert [i.question for i in plain.items(4)] == [i.question for i in filled.items(4)]
    assert replace(plain, noise="passages") == filled


@pytest.mark.parametrize("make", [clinic.letters, clinic.notes])
def test_noise_goes_on_as_it_began(make):
    long = make(700, seed=3)
    assert long[:100] == make(100, seed=3) and len(set(long)) > 690 and make(100, seed=4) != long[:100]


def test_notes_say_nothing_that_is_asked_for():
    told = " ".join(clinic.notes(300))
    assert not any(word in told for word in (*clinic.ILLNESSES, *clinic.DRUGS, *clinic.EXAMINATIONS, " mg"))
