"""SCBench: sessions and their turns, published rows, scores with and without the peer's slips, and what eviction does to turns."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.runs.plan import Plan, cells, parse_tasks
from leadline.runs.prompts import build, build_all, builder_of
from leadline.scoring import scbench_metrics as metrics
from leadline.tasks import _shared_context as made
from leadline.tasks.scbench_set import KINDS, ScbenchSet

from .fixtures.scbench_set import rows, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("scbench")
    write(path)
    return path


def score(task: ScbenchSet, item, text: str) -> float | None:
    return task.score(item.answers, item, Answer(text=text)).value


def test_the_suite_is_the_twelve() -> None:
    members = catalog.expand(catalog.parse("scbench(mode=multi-request)"), "tasks")
    assert [m.settings["kind"] for m in members] == list(KINDS)
    assert all(m.settings["mode"] == "multi-request" for m in members)


# ------------------------------------------------------------------ sessions


@pytest.mark.parametrize("kind", [k for k, v in KINDS.items() if v.make])
def test_turns_of_a_conversation_share_the_context_and_hold_the_answers_before(tokenizer, kind: str) -> None:
    task = ScbenchSet(kind=kind)
    builder, length = Builder(tokenizer), max(4096, task.minimum)
    items = task.items(10, seed=3)[5:]
    assert len({i.cluster for i in items}) == 1 and [i.facets["turn"] for i in items] == list("12345")
    prompts = builder.build_shared(items, length, compose=task.compose if task.grows else None)
    contexts = {p.messages[0]["content"].removesuffix(items[0].question) for p in prompts}
    assert len(contexts) == 1
    assert 0.99 * length <= prompts[4].tokens <= length
    for i, (item, prompt) in enumerate(zip(items, prompts, strict=True)):
        assert len(prompt.messages) == 2 * i + 1 and len(prompt.turns) == i
        assert prompt.text.startswith(prompts[i - 1].text) or not i
        shown = replace(item, meta=prompt.meta)
        assert task.score(prompt.answers, shown, Answer(text=task.gold(prompt.answers, shown))).value == 1
        for j in range(i):
            before = replace(items[j], meta=prompts[j].meta)
            told = prompt.messages[2 * j + 1]["content"].removeprefix(items[j].prefill).strip()
            assert task.score(prompts[j].answers, before, Answer(text=told)).value == 1, "no right answer in the history"
    again = builder.build(items[2], length, compose=task.compose if task.grows else None)
    assert again.messages[1:] == prompts[2].messages[1:] or task.grows


def test_requests_are_asked_alone_over_a_context_read_before(tokenizer) -> None:
    task = ScbenchSet(mode="multi-request", keys="words", turns=3)
    prompts = Builder(tokenizer).build_shared(task.items(3), 1024)
    assert all(len(p.messages) == 1 and p.turns == (p.shared_chars,) for p in prompts)
    assert len({p.text[: p.shared_chars] for p in prompts}) == 1
    assert [i.turns for i in task.items(3)] == [()] * 3


@pytest.mark.parametrize("kind", list(KINDS))
def test_own_replies_have_their_room_and_items_are_else_the_same(tokenizer_of, kind: str) -> None:
    gold, own = ScbenchSet(kind=kind, turns=4), ScbenchSet(kind=kind, turns=4, history="own")
    pairs = list(zip(gold.items(4), own.items(4), strict=True))
    room = 0
    for right, mine in pairs:
        room += right.answer_tokens
        assert mine.answer_tokens == room and right.id != mine.id and len(mine.turns) == len(right.turns)
    builder = Builder(tokenizer_of("bytes-plain"))
    prompts = builder.build_shared([mine for _, mine in pairs], own.minimum, compose=own.compose if own.grows else None)
    assert own.minimum > gold.minimum and 0.99 * own.minimum <= prompts[-1].tokens <= own.minimum


def test_evidence_of_the_other_turns_is_there_at_every_turn(tokenizer) -> None:
    task = ScbenchSet(kind="vt", turns=4)
    items = task.items(4)
    pieces = [{*i.evidence, *i.distractors} for i in items]
    assert all(p == pieces[0] for p in pieces) and len(pieces[0]) == 16
    for item, prompt in zip(items, Builder(tokenizer).build_shared(items, 2048), strict=True):
        starts = [a for a, _ in prompt.evidence]
        assert starts == sorted(starts), "a chain in the order of its assignments, whoever asks for it"
        content = prompt.messages[0]["content"]
        assert [content[a:b] for a, b in prompt.evidence] == list(item.evidence)


@pytest.mark.parametrize("name", ["bytes-chatml", "pieces-headers", "unigram-brackets"])
def test_numbers_are_what_a_reader_of_the_prompt_finds(tokenizer_of, name: str) -> None:
    """Against a slow, obvious reference: all numbers of the text, sorted."""
    task = ScbenchSet(kind="mf", turns=7)
    builder = Builder(tokenizer_of(name))
    for length in (2240, 9000):
        prompts = builder.build_shared(task.items(7, seed=2), length, compose=task.compose)
        text = "".join(prompts[0].messages[0]["content"].split("stand in it.\n\n")[1].split("\n\nWhat")[0])
        values = sorted(int(n) for n in text.replace("\n", " ").replace(",", " ").split())
        middle = len(values) // 2
        median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
        known = {
            "largest number": values[-1], "second largest number": values[-2], "third largest number": values[-3],
            "smallest number": values[0], "second smallest number": values[1], "third smallest number": values[2],
            "median": median,
        }  # fmt: skip
        for p in prompts:
            which = p.question.removeprefix("What is the ").partition(" in the list")[0]
            assert float(p.answers[0]) == known[which]
        assert prompts[-1].tokens >= 0.99 * length
    said = [m["content"] for m in prompts[6].messages[1::2]]
    assert said == [p.answers[0] for p in prompts[:6]]


def test_shots_are_true() -> None:
    for i in range(200):
        text, letter = made.swapped(random.Random(i))
        has = dict(
            pair.rsplit(" a ", 1) for pair in text.partition("ball: ")[2].partition(". ")[0].replace(" one", "").split(", ")
        )
        for sentence in text.split(". ")[1:]:
            if "swap" in sentence:
                a, b = sentence.removesuffix(" swap balls").split(" and ")
                has[a], has[b] = has[b], has[a]
        who = text.partition("Which ball does ")[2].split(" ")[0]
        options = dict(zip("ABCDE", [o.split(" (")[0] for o in text.partition("? (A) ")[2].split(") ")], strict=False))
        assert options[letter].strip() == has[who]
        assert len(set(options.values())) == 5


def test_dates_are_true() -> None:
    from datetime import date, timedelta

    for i in range(300):
        text, letter = made.dated(random.Random(i))
        head, options = text.removeprefix("In a calendar without leap days, which date is ").split("? (A) ")
        count, way, told = head.replace(" days ", " ").split(" ", 2)
        day, month, year = told.split()
        months = list(made.lexicon.MONTHS)
        # 1901 and its neighbours have no leap day.
        start = date(1901, months.index(month) + 1, int(day))
        end = start + timedelta(int(count) * (-1 if way == "before" else 1))
        right = f"{end.day} {months[end.month - 1]} {int(year) + end.year - 1901}"
        listed = [o.rpartition(" (")[0] or o for o in options.split(") ")]
        assert listed["ABCDE".index(letter)] == right and len(set(listed)) == 5, text


def test_items_differ_by_seed_and_session() -> None:
    a, b, c = ScbenchSet().items(5), ScbenchSet().items(10)[5:], ScbenchSet().items(5, seed=1)
    assert len({i.answers for i in (*a, *b, *c)}) == 15


def test_a_run_builds_whole_sessions(folder: Path) -> None:
    spec = f"scbench-set(kind=kv, data={str(folder)!r})"
    plan = Plan(
        models=("minnow",),
        tasks=(*parse_tasks("scbench-set(keys=words, turns=3)"), *parse_tasks(spec)),
        lengths=(4096,),
        samples=7,
    )
    first, second = cells(plan)
    builder = builder_of(plan, "minnow")
    prompts = [build(plan, builder, first, place) for place in range(7)]
    assert [len(p.turns) for p in prompts] == [0, 1, 2, 0, 1, 2, 0]
    assert prompts[1].text.startswith(prompts[0].text) and not prompts[3].text.startswith(prompts[0].text[:300])
    # Published sessions are as long as they are.
    assert [len(build(plan, builder, second, place).turns) for place in range(7)] == [0, 1, 2, 3, 0, 1, 2]
    task = catalog.make("scbench-set(keys=words, turns=3)", "tasks")
    from leadline.data.haystack import ANYWHERE

    built = build_all(builder, task, 5, 1024, 0, ANYWHERE)
    assert [len(p.turns) for p in built] == [0, 1, 2, 0, 1]
    with pytest.raises(UserError, match="by itself"):
        build_all(builder, task, 5, 1024, 0, ANYWHERE, shared=2)
    with pytest.raises(UserError, match="by itself"):
        cells(replace(plan, questions=2))


# ------------------------------------------------------------------ published rows


def test_published_rows_come_as_they_are(tokenizer, folder: Path) -> None:
    task = ScbenchSet(kind="mf", data=str(folder))
    assert task.natural and not task.grows
    known = {str(r["context"]): [str(t["answer"]) for t in r["multi_turns"]] for r in rows("mf")}
    items = task.items(15, seed=1)
    assert [i.facets["turn"] for i in items] == list("123") * 5
    for item in items:
        assert item.answers[0] == known[item.evidence[0]][int(item.facets["turn"]) - 1]
    assert {i.evidence[0] for i in items} == set(known)
    assert items[1].question.startswith("What is the smallest number? Give one number only.")
    prompt = Builder(tokenizer).build(items[2], 4096)
    assert prompt.tokens < 1000 and prompt.messages[0]["content"].count(items[2].evidence[0]) == 1


def test_no_more_turns_than_asked_for_and_a_file_by_name(folder: Path) -> None:
    task = ScbenchSet(kind="kv", turns=2, data=str(folder / "scbench_kv.jsonl"))
    assert [i.facets["turn"] for i in task.items(10)] == list("12") * 5
    with pytest.raises(UserError, match="only 10 questions"):
        task.items(11)


def test_mixed_kinds_say_what_each_turn_is_of(folder: Path) -> None:
    items = ScbenchSet(kind="repoqa-and-kv", data=str(folder)).items(4)
    assert [i.facets["part"] for i in items] == ["repoqa", "kv"] * 2
    assert [i.answer_tokens for i in items] == [1024, 150] * 2
    needles = ScbenchSet(kind="summary-with-needles", data=str(folder)).items(4)
    assert [i.facets["part"] for i in needles] == ["summary", "needle"] * 2


def test_functions_of_the_whole_repository_compete(folder: Path) -> None:
    task = ScbenchSet(kind="repoqa", data=str(folder))
    item = task.items(1)[0]
    functions = item.meta["functions"]
    assert len(functions) in (6, 9) and functions[item.meta["name"]] == item.answers[0]
    other = next(text for name, text in functions.items() if name != item.meta["name"])
    assert score(task, item, f"Here it is:\n```python\n{item.answers[0]}\n```\nDone.") == 1
    assert score(task, item, f"```\nx = 1\n{item.answers[0]}\n```") == 1
    assert score(task, item, f"```\n{other}\n```") == 0
    assert score(task, item, "```\n" + item.answers[0].split("\n")[0] + "\n    pass\n```") == 0
    assert score(task, item, item.answers[0]) == 1
    given = task.score(item.answers, item, Answer(text=f"```\n{item.answers[0]}\n```"))
    assert given.parts == {"BLEU": 1.0}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"context": "x"}, "no column 'multi_turns'"),
        ({"context": "x", "multi_turns": [{"input": "q"}]}, "no column 'answer'"),
        ({"multi_turns": [{"input": "q", "answer": "a"}]}, "no column 'context'"),
        ({"context": "x", "multi_turns": [{"input": "q", "answer": {"a": 1}}]}, "'answer' cannot be"),
    ],
)
def test_a_broken_row_is_named_with_its_place(tmp_path: Path, row: dict, says: str) -> None:
    (tmp_path / "bad.jsonl").write_text(json.dumps(rows("kv")[0]) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(UserError, match=f"line 2.*{says}"):
        ScbenchSet(data=str(tmp_path / "bad.jsonl")).items(1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kind": "repo"}, "kind must be one of kv, prefix-suffix"),
        ({"mode": "chat"}, "multi-turn, multi-request"),
        ({"turns": 1}, "from 2 to 7"),
        ({"history": "none"}, "history must be one of gold, own"),
        ({"history": "own", "mode": "multi-request"}, "requests have no history"),
        ({"noise": "passages"}, "published contexts"),
        ({"kind": "vt", "keys": "words"}, "kind=kv made here"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        ScbenchSet(**settings)
    with pytest.raises(UserError, match=r"no file of vt: it must be named scbench_vt\.jsonl"):
        ScbenchSet(kind="vt", data=str(Path(__file__).parent)).items(1)


# ------------------------------------------------------------------ scores


def test_scores_and_the_peers_slips(folder: Path) -> None:
    vt = ScbenchSet(kind="vt")
    item = replace(vt.items(1)[0], answers=("ABCDE", "FGHIJ", "KLMNO"))
    assert score(vt, item, "ABCDE and KLMNO.") == pytest.approx(2 / 3)
    assert score(replace(vt, peer=True), item, "abcde and KLMNO.") == 0.67
    kv = ScbenchSet()
    one = kv.items(1)[0]
    assert score(kv, one, f"It is {one.answers[0]}, I think.") == 1 and score(kv, one, one.answers[0][:-1]) == 0
    mf = ScbenchSet(kind="mf")
    number = replace(mf.items(1)[0], answers=("7",))
    assert [score(mf, number, t) for t in ("7.0", "It is 7", "17", "-7", "none")] == [1, 1, 0, 0, 0]
    assert score(mf, replace(number, answers=("1234",)), "1,234") == 1
    assert score(replace(mf, peer=True), replace(number, answers=("1234",)), "1,234") == 0
    shot = ScbenchSet(kind="many-shot")
    letter = replace(shot.items(1)[0], answers=("(A)",))
    assert score(shot, letter, "(B)") == 0 and score(shot, letter, "Answer: (A)") == 1
    assert score(replace(shot, peer=True), letter, "(B)") == 1
    chinese = ScbenchSet(kind="qa-chn", data=str(folder))
    place = replace(chinese.items(1)[0], answers=("红叶小镇",))
    assert score(chinese, place, "红叶小镇。") == 1
    assert score(replace(chinese, peer=True), place, "红叶小镇") == pytest.approx(0.4)
    choice = ScbenchSet(kind="choice-eng", data=str(folder))
    asked = choice.items(1)[0]
    assert score(choice, asked, asked.meta["text"]) == 1 and score(choice, asked, f"The answer is {asked.answers[0]}.") == 1
    assert score(replace(choice, peer=True), asked, f"The answer is {asked.answers[0]}.") == 1
    free = ScbenchSet(kind="qa-eng", data=str(folder))
    fact = free.items(1)[0]
    given = free.score(fact.answers, fact, Answer(text=f"I think it was {fact.answers[0].upper()}"))
    assert given.value == 1 and 0 < given.parts["word F1"] < 1


def test_a_summary_is_checked_fact_by_fact_and_no_longer_than_asked() -> None:
    task = ScbenchSet(kind="summary", turns=3)
    item = task.items(1)[0]
    assert score(task, item, f"It says {item.meta['facts'][0]}.") == pytest.approx(0.2)
    assert score(task, item, "Nothing here. " * 9 + item.answers[0]) == 0


def test_a_reply_that_ran_out_of_room_is_scored_by_what_there_is() -> None:
    task = ScbenchSet()
    item = task.items(1)[0]
    given = task.score(item.answers, item, Answer(text=f"{item.answers[0]} and then", stop="length"))
    assert (given.value, given.audit) == (1, "cut off")
    failed = task.score(item.answers, item, Answer(stop="error", error="500"))
    assert (failed.value, failed.audit) == (None, "provider error")


@pytest.mark.parametrize(
    ("said", "meant", "expected"),
    [
        ("def f(x): return x", "def f(x): return x", 1.0),
        ("def f(x): return x", "def f(x, y): return x + y", 0.08793805814457502),
        ("a b c d e f", "a b c x e f", 0.293945703509473),
        ("a", "a", 1.0),
        ("x y", "a b", 0.0),
        ("the cat sat", "the cat sat on the mat", 0.21179545259066854),
        ("the cat sat on the mat now", "the cat sat", 0.19308506685901675),
    ],
)
def test_bleu_is_nltks(said: str, meant: str, expected: float) -> None:
    """Values of nltk 3.10.4, sentence_bleu with SmoothingFunction().method4."""
    assert metrics.function_bleu(said, meant) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("said", "meant", "expected"),
    [
        ("the cat sat on the mat", "a cat was on the mat", 2 / 3),
        ("the cat sat.\nit was on the mat.", "the cat sat on the mat.\nit slept.", 0.875),
        ("a\nb\nc", "c b a", 1.0),
        ("", "x", 0.0),
        ("one two three\nfour five", "one four\ntwo five\nthree", 1.0),
    ],
)
def test_rouge_lsum_is_rouge_scores(said: str, meant: str, expected: float) -> None:
    """Values of rouge_score 0.1.2, rougeLsum without stemmer."""
    assert metrics.rouge_lsum(said, meant) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("python", "class A:\n    @p\n    def g(self):\n        return 1\n\n    def h(self): pass\n", "def g(self):\n        return 1"),
        ("python", "x = 1\n", "x = 1\n"),
        ("python", "print 'old'\ndef f(x):\n    return x\n", "def f(x):\n    return x"),
        ("java", "class B { void f() { if (x) { g(\"}\"); } } }\n", "void f() { if (x) { g(\"}\"); } }"),
        ("typescript", "const f = (x) => { return x; };\nfunction g(a: {b: number}) { return a.b; }\n", "function g(a: {b: number}) { return a.b; }"),
        ("rust", "trait T { fn a(&self); fn b(&self) -> i32 { 1 } }\n", "fn b(&self) -> i32 { 1 }"),
        ("cpp", "// int no() {}\nstatic int add(int a) {\n  return a;\n}\n", "static int add(int a) {\n  return a;\n}"),
        ("go", "func (s *S) Get() int { return 1 }\nfunc f(x interface{}) map[string]struct{} {\n\treturn nil\n}\n", "func f(x interface{}) map[string]struct{} {\n\treturn nil\n}"),
    ],
)  # fmt: skip
def test_the_first_function_is_taken_out_of_a_code_block(language: str, code: str, expected: str) -> None:
    """As tree-sitter finds it, by whose results these were checked."""
    assert metrics.written(f"Sure:\n```\n{code}```\nIt does.", language) == expected
    assert metrics.written("no block", language) == "no block"


def test_choices_as_the_peer_reads_them() -> None:
    cases = {
        "B. amber": 1,
        "Amber": 0,
        "amber falcon": 1,
        "the answer is: B": 1,
        "I say D or B": 0,
        "so B then": 1,
        "": 0,
        "answer is C": 0,
    }
    assert {text: metrics.choice(text, ("amber falcon", "B")) for text in cases} == cases


# ------------------------------------------------------------------ what it is for


@pytest.mark.parametrize(
    ("mode", "method", "first", "later"),
    [
        ("multi-turn", "", (1, 1), (1, 1)),
        ("multi-turn", "snapkv(budget=64)", (1, 1), (0, 0.2)),
        ("multi-request", "", (1, 1), (1, 1)),
        ("multi-request", "snapkv(budget=64)", (0, 0.4), (0, 0.4)),
    ],
)
def test_a_method_that_keeps_what_the_first_question_needs_fails_the_later_ones(
    mode: str, method: str, first: tuple[float, float], later: tuple[float, float]
) -> None:
    """minnow reads 480 tokens; SnapKV at 64 entries keeps what the question of the turn looks at, and no more."""
    pytest.importorskip("torch")
    from contextlib import nullcontext

    import leadline
    from leadline.models.batches import Request
    from leadline.models.local import load

    model = load("minnow", device="cpu")
    task = ScbenchSet(keys="words", turns=3, mode=mode)
    items, builder = task.items(9), Builder(model.tokenizer)
    found: dict[str, list[float]] = {"1": [], "2": [], "3": []}
    with leadline.applied(model, method) if method else nullcontext():
        for i in range(0, 9, 3):
            prompts = builder.build_shared(items[i : i + 3], 480)
            asked = [Request(p.text, p.answer_tokens, p.stop, shared_chars=p.shared_chars, turns=p.turns) for p in prompts]
            before = model.prefilled
            answers = model.generate(asked)
            assert model.prefilled - before < 1.35 * 480, "the context is read once"
            for item, answer in zip(items[i : i + 3], answers, strict=True):
                found[item.facets["turn"]].append(task.score(item.answers, item, answer).value or 0.0)
    means = {turn: sum(v) / len(v) for turn, v in found.items()}
    assert first[0] <= means["1"] <= first[1], means
    assert later[0] <= (means["2"] + means["3"]) / 2 <= later[1], means
