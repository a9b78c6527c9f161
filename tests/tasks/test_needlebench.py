"""NeedleBench: needles at their depths, chains that a slow solver can follow, and the published scores."""

import json
import re
from functools import cache

import numpy as np
import pytest

from leadline import catalog
from leadline.data.haystack import Builder, Layout
from leadline.nouns import Answer, UserError
from leadline.scoring.needle_metrics import boxed, boxed_exact, keyword, keyword_or_near
from leadline.tasks._kinship import GENERATIONS, STATEMENTS

ATC = [
    "ancestral-trace",
    "ancestral-trace(language=zh)",
    "ancestral-trace(needles=12)",
    "ancestral-trace(needles=5, noise=none)",
]


def task(spec):
    return catalog.make(spec, "tasks")


@cache
def readings(language: str) -> list[tuple[re.Pattern[str], int]]:
    """Every wording with every word, as a pattern of whole statements, with the generations of the word."""
    person = r"[A-Z]\w+ [A-Z]\. [A-Z]\w+" if language == "en" else r"[\u4e00-\u9fff]{3}"
    found = []
    for way in STATEMENTS[language]:
        for word, generations in GENERATIONS[language].items():
            pattern = re.escape(way.replace("{r}", word))
            for name in "ab":
                first, *others = pattern.split(rf"\{{{name}\}}")
                pattern = first + rf"(?P<{name}>{person})" + rf"(?P={name})".join(others)
            found.append((re.compile(pattern), generations))
    return found


def read(piece: str, language: str) -> tuple[str, str, int]:
    """(elder, younger, generations) of a statement; it must be clear."""
    [found] = [(m["a"], m["b"], g) for pattern, g in readings(language) if (m := pattern.fullmatch(piece))]
    return found


def solve(known: list[tuple[str, str, int]], question: str, kind: str) -> str | None:
    """The answer by walking the family graph; None where the statements do not settle it."""
    up = {younger: (elder, g) for elder, younger, g in known}
    down = {elder: (younger, g) for elder, younger, g in known}
    assert len(up) == len(down) == len(known), "somebody twice"
    asked = [p for p in {**up, **down} if p in question]
    if len(asked) != (2 if kind == "distance" else 1):
        return None
    if kind == "distance":
        for who, end in (asked, asked[::-1]):
            far = 0
            while who in up and who != end:
                who, far = up[who][0], far + up[who][1]
            if who == end:
                return str(far)
        return None
    way = down if kind == "descendant" else up
    who, far = asked[0], 0
    wanted = None if kind == "eldest" else int(re.search(r"\d+", question)[0])
    while who in way and far != wanted:
        who, far = way[who][0], far + way[who][1]
    return who if wanted in (None, far) else None


@pytest.mark.parametrize("spec", ATC)
def test_every_statement_is_needed(spec, tokenizer_of):
    one = task(spec)
    builder = Builder(tokenizer_of("bytes-plain"))
    kinds = []
    for item in one.items(4, seed=5):
        length = builder.minimum(item) if one.natural else 3000
        prompt = builder.build(item, length, compose=one.compose if one.grows else None)
        content = prompt.messages[-1]["content"]
        pieces = [read(content[a:b], one.language) for a, b in prompt.evidence]
        kind = prompt.meta["question"]
        kinds.append(kind)
        assert solve(pieces, prompt.question, kind) == prompt.answers[0]
        for i in range(0, len(pieces), max(1, len(pieces) // 9)):
            less = solve(pieces[:i] + pieces[i + 1 :], prompt.question, kind)
            assert less != prompt.answers[0], f"{kind} without statement {i}"
        assert len(pieces) == prompt.meta["needles"]
        order = sorted(range(len(pieces)), key=lambda i: prompt.evidence[i])
        assert order != sorted(order) or len(pieces) < 6, "not shuffled"
    assert kinds == ["eldest", "ancestor", "descendant", "distance"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_statements_of_a_chain_fill_the_length(language, tokenizer_of):
    one = task(f"ancestral-trace(language={language})")
    builder = Builder(tokenizer_of("bytes-plain"))
    item = one.items(1)[0]
    short, long = (builder.build(item, length, compose=one.compose) for length in (3000, 8000))
    assert short.scope > 0.8 and len(long.evidence) > 2 * len(short.evidence)
    texts = [[p.messages[-1]["content"][a:b] for a, b in p.evidence] for p in (short, long)]
    assert texts[1][: len(texts[0])] == texts[0], "a longer chain begins with the shorter one"


def test_one_needle_lies_at_every_depth(tokenizer_of):
    for spec in ("needlebench-grid", "needlebench-grid(language=zh)"):
        builder = Builder(tokenizer_of("bytes-plain"))
        for item in task(spec).items(2):
            for depth in (0, 0.1, 0.5, 0.9, 1):
                [found] = builder.build(item, 8192, Layout(depth)).depths
                assert abs(found - depth) < 0.02
            first, last = (builder.build(item, 8192, Layout(d)) for d in (0, 1))
            assert first.messages[-1]["content"].removeprefix(item.instruction).strip().startswith(item.evidence[0])
            assert last.messages[-1]["content"].removesuffix(item.question).strip().endswith(item.evidence[0])


def test_eleven_needles_lie_a_tenth_apart(tokenizer_of):
    item = task("needlebench-grid(kind=multiple)").items(1)[0]
    prompt = Builder(tokenizer_of("bytes-plain")).build(item, 60_000)
    assert np.allclose(prompt.depths, np.linspace(0, 1, 11), atol=0.01)
    assert len(set(item.answers)) == len(set(item.evidence)) == 11
    for line, (needle, answer) in zip(
        prompt.question.splitlines()[1:], zip(item.evidence, item.answers, strict=True), strict=True
    ):
        place = max(re.findall(r"[A-Z]\w+ [A-Z]\w+ [a-z]+ [A-Z]\w+", line), key=len)
        assert place in needle and answer in needle


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_chain_moves_with_its_first_needle(language, tokenizer_of):
    one = task(f"needlebench-grid(kind=reasoning, language={language})")
    builder = Builder(tokenizer_of("bytes-plain"))
    sizes = []
    for item in one.items(4, seed=3):
        sizes.append(len(item.evidence))
        for depth in (0, 0.4, 1):
            prompt = builder.build(item, 30_000, Layout(depth))
            assert np.allclose(prompt.depths, [min(1, depth + 0.1 * j) for j in range(len(item.evidence))], atol=0.02)
            pieces = [read(prompt.messages[-1]["content"][a:b], language) for a, b in prompt.evidence]
            assert solve(pieces, prompt.question, "eldest") == item.answers[0]
    assert sizes == [2, 3, 4, 5]


def test_depths_that_a_task_fixes(tokenizer_of):
    item = task("needlebench-grid(kind=reasoning, needles=3)").items(1)[0]
    for layout in (Layout(), Layout(spread="even"), Layout(spread="clustered")):
        assert layout.depths(item, 1) == list(item.depths)
    assert Layout(0.95).depths(item, 1) == pytest.approx([0.95, 1, 1])


def test_boxes_as_the_peer_reads_them():
    cases = {
        r"So it is \boxed{James Hill}.": "James Hill",
        r"\boxed{A} no, \boxed{B}": "B",
        r"\boxed{\text{James Hill}}": "James Hill",
        r"\boxed{{James Hill}}": "James Hill",
        r"\boxed{James~Hill}": "James Hill",
        r'\boxed{"James  Hill"}': "James Hill",
        r"\boxed{James Hill": "None",
        r"\boxed {James Hill}": "None",
        r"\boxed{}": "None",
        r"\fbox{James Hill}": "None",
        "James Hill": "None",
        r"\[ \boxed{12} \]": "12",
        r"\boxed{\boxed{x}}": "x",
    }
    for said, found in cases.items():
        assert boxed(said) == found, said
    assert boxed_exact(r"\boxed{ James Hill }", ["James Hill"]) == 1
    assert boxed_exact(r"\boxed{james hill}", ["James Hill"]) == 0
    assert boxed_exact("James Hill", ["James Hill"]) == 0


def test_retrieval_as_the_peer_scores_it():
    assert keyword("It is the amber falcon.", ["amber falcon"]) == 1
    assert keyword("It is the Amber Falcon.", ["amber falcon"]) == 0, "case counts"
    assert keyword("b, a", ["a", "b", "c", "d"]) == 0.5, "their order does not"
    assert keyword_or_near("abcx", ["zzz", "abcd"]) == pytest.approx(0.15)
    assert keyword_or_near("ab cx", ["zzz", "a bcd"]) == pytest.approx(0.15), "white space is left out"
    assert keyword_or_near("zzz", ["zzz", "abcd"]) == 1 and keyword_or_near("", ["zzz", ""]) == 0.2
    with pytest.raises(UserError, match="two answers"):
        keyword_or_near("x", ["y"])
    assert keyword_or_near("kitten", ["zzz", "sitting"]) == pytest.approx(0.2 * (1 - 3 / 7))


def test_scores_of_the_tasks():
    said = lambda one, item, text, **how: one.score(item.answers, item, Answer(text=text, **how))  # noqa: E731
    one = task("needlebench-grid(kind=reasoning)")
    item = one.items(1)[0]
    name = item.answers[0]
    assert said(one, item, rf"... it follows that \boxed{{{name}}}").value == 1
    assert said(one, item, f"It is {name}.").audit == "format not found"
    assert said(one, item, f" {name}}}.").value == 1, "a completion of the prefill closes the box that it opened"
    assert said(one, item, rf"\boxed{{{item.meta['people'][0]}}}").value == 0
    assert said(one, item, r"thinking about \boxed{", stop="length").audit == "cut off"
    many = task("needlebench-grid(kind=multiple)")
    item = many.items(1)[0]
    score = said(many, item, "\n".join(item.answers[:5]))
    assert score.value == pytest.approx(5 / 11)
    assert score.parts["depth 40 %"] == 1 and score.parts["depth 50 %"] == 0 and len(score.parts) == 11
    trace = task("ancestral-trace(question=distance, needles=3)")
    item = trace.items(1)[0]
    assert said(trace, item, rf"\boxed{{{item.answers[0]}}}").value == 1
    assert said(trace, item, rf"\boxed{{{int(item.answers[0]) + 1}}}").value == 0


def test_hand_made_chain():
    """father, grandmother, dad: four generations."""
    told = ["Ben C. Dahl is the father of Ada C. Dahl.", "The grandmother of Ben C. Dahl is Eva F. Falk."]
    pieces = [read(piece, "en") for piece in [*told, "Gus H. Hale is the dad of Eva F. Falk."]]
    assert solve(pieces, "the ancestor of Ada C. Dahl, 4 generations", "ancestor") == "Gus H. Hale"
    assert solve(pieces, "between Ada C. Dahl and Gus H. Hale", "distance") == "4"
    assert solve(pieces[:2], "between Ada C. Dahl and Gus H. Hale", "distance") is None


def test_published_needles(tmp_path):
    path = tmp_path / "n.jsonl"
    row = {"needle": "N0", "retrieval_question": "Q0? Answer as in '___'.", "arg1": "a0", "arg2": "k0", "language": "English"}
    rows = [{k: v.replace("0", str(i)) if k != "language" else v for k, v in row.items()} for i in range(12)]
    rows.append({**rows[0], "arg2": "k99"})
    path.write_text("\n".join(map(json.dumps, rows)))
    one = task(f"needlebench-grid(kind=multiple, data={str(path)!r})")
    for item in one.items(3):
        assert len({e for e in item.evidence}) == 11 and "Answer as" not in item.question
        assert not {"k0", "k99"} <= set(item.answers), "one place twice"
    single = task(f"needlebench-grid(data={str(path)!r})").items(1)[0]
    assert "Answer as in" in single.question and single.answers[0].startswith("k")
    with pytest.raises(UserError, match="Chinese"):
        task(f"needlebench-grid(language=zh, data={str(path)!r})").items(1)
    other = tmp_path / "bad.jsonl"
    other.write_text(json.dumps({"needle": "x"}))
    with pytest.raises(UserError, match="retrieval_question"):
        task(f"needlebench-grid(data={str(other)!r})").items(1)


def test_settings_are_checked():
    for spec, says in {
        "needlebench-grid(kind=many)": "single, multiple, reasoning",
        "needlebench-grid(needles=6)": "from 2 to 5",
        "needlebench-grid(language=de)": "en, zh",
        "needlebench-grid(kind=reasoning, data=x)": "always generated",
        "ancestral-trace(needles=1)": "from 2 to 512",
        "ancestral-trace(question=age)": "distance",
    }.items():
        with pytest.raises(UserError, match=says):
            task(spec)
    members = catalog.expand(catalog.parse("needlebench(language=zh)"), "tasks")
    assert [task(m).language for m in members] == ["zh"] * 4


def test_words_span_the_published_generations():
    for language, near, far in (("en", "father mother dad mom", 6), ("zh", "父亲 母亲 爸爸 妈妈", 6)):
        spans = GENERATIONS[language]
        assert {word for word, g in spans.items() if g == 1} == set(near.split())
        assert sum(g == 2 for g in spans.values()) == far and len(spans) == 10
    assert (len(STATEMENTS["en"]), len(STATEMENTS["zh"])) == (7, 6)
