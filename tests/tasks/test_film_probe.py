"""FILM's probes: what is given stands once in a context, positions are swept, the authors' rules and the gap over positions."""

import gzip
import json
import re

import pytest

from leadline import catalog
from leadline.data import pieces
from leadline.data.haystack import Builder, Layout
from leadline.nouns import Answer, Record, UserError
from leadline.scoring import film_metrics as m

from .fixtures.film_probe import specs

KINDS = ("document", "code", "database")


def make(spec):
    return catalog.make(spec, "tasks")


def prompts(spec, tokenizer, n=8, length=2048, layout=None):
    task = make(spec)
    for item in task.items(n, seed=1):
        yield task, item, Builder(tokenizer).build(item, length, layout or Layout())


@pytest.mark.parametrize("spec", [f"film-probe(kind={kind})" for kind in KINDS])
def test_what_is_given_stands_once(tokenizer, spec):
    for task, item, prompt in prompts(spec, tokenizer):
        content = prompt.messages[-1]["content"]
        context = content.removesuffix(item.question)
        cue = re.split(r'"|below\. |the id |name of the function\.\n', item.question)
        cue = next(c for c in cue[1:] if c in context) if task.kind == "document" else item.question.removesuffix("?").split("\n" if task.kind == "code" else " ")[-1]  # fmt: skip
        assert context.count(cue) == 1
        assert cue in item.evidence[0]


def test_given_words_lie_inside_the_sentence():
    for i in range(50):
        piece = pieces.sentence(i, 3)
        assert piece.cue in piece.text
        assert len(piece.cue.split()) == 8
        assert not piece.text.startswith(piece.cue)
        assert not piece.text.rstrip(".").endswith(piece.cue)
        code = pieces.function(i, 3)
        compile(code.text, "piece", "exec")
        assert code.text.count(code.cue) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_positions_are_swept(tokenizer, kind):
    depths = [p.depths[0] for _, _, p in prompts(f"film-probe(kind={kind})", tokenizer, n=20, length=4096)]
    counts = [sum(i <= 5 * d < i + 1 for d in depths) for i in range(5)]
    assert all(2 <= c <= 6 for c in counts), counts
    fixed = [
        p.depths[0] for _, _, p in prompts(f"film-probe(kind={kind})", tokenizer, n=4, length=4096, layout=Layout(depth=0.5))
    ]
    assert all(abs(d - 0.5) < 0.1 for d in fixed), "asked for, a depth is kept"


@pytest.mark.parametrize(
    ("kind", "reply", "answers", "value"),
    [
        ("document", "the cat sat", ["The cat sat on the mat."], 0.6),
        ("document", "The cat sat on the mat", ["The cat sat on the mat."], 0.8),
        ("document", "The Cat sat on the mat. And so on.", ["The cat sat on the mat."], 1),
        ("code", " get_link_pairs", ["get_link_pairs"], 1),
        ("code", "`get_link_pairs()`", ["get_link_pairs"], 1),
        ("code", "Get_link_pairs", ["get_link_pairs"], 0),
        ("code", "get", ["get_link_pairs"], 0),
        ("database", "It is PLACE DE LA Trinité.", ["Place de la Trinité", "painting"], 1),
        ("database", "a painting.", ["Place de la Trinité", "painting."], 1),
        ("database", "a drawing", ["Place de la Trinité", "painting"], 0),
    ],
)
def test_the_authors_rules(kind, reply, answers, value):
    assert m.METRICS[f"film/{kind}"](reply, answers) == pytest.approx(value)
    task = make(f"film-probe(kind={kind})")
    assert task.score(answers, task.items(1)[0], Answer(text=reply)).value == pytest.approx(value)


def test_both_parts_of_a_row():
    task, half = make("film-probe(kind=database)"), make("film-probe(kind=database, both=true)")
    item = task.items(1)[0]
    reply = Answer(text=item.answers[1])
    assert task.score(item.answers, item, reply).value == 1
    assert task.score(item.answers, item, reply).parts == {"label": 0, "description": 1}
    assert half.score(item.answers, item, reply).value == 0.5


def test_the_authors_multiple_choice(shared):
    rows = [json.loads(line) for line in gzip.open(shared / "data/film/csqa_0shot.FILM-7B.jsonl.gz", "rt")]
    got = [m.choice(r["pred"], [r["answer"]], candidates=r["candidates"]) for r in rows]
    assert got == [r["peer_score"] for r in rows]
    table = json.loads((shared / "data/film/scores.json").read_text())
    assert 100 * sum(got) / len(got) == pytest.approx(table["peer"]["FILM-7B"]["csqa_0shot"]["acc"], abs=1e-4)


@pytest.mark.parametrize("kind", ["document", "database"])
def test_published_pieces(shared, tokenizer, kind):
    for _, item, prompt in prompts(f"film-probe(kind={kind}, data='{shared / 'data/film'}')", tokenizer, n=6, length=4096):
        assert prompt.messages[-1]["content"].count(item.evidence[0]) == 1


def test_readers_of_all_and_of_half(tokenizer):
    """A reader that knows the whole context is even; one that sees its second half alone has the whole gap."""
    for kind in KINDS:
        every, half, depths = [], [], []
        for task, item, prompt in prompts(f"film-probe(kind={kind})", tokenizer, n=40, length=1536):
            content, (a, b) = prompt.messages[-1]["content"], prompt.evidence[0]
            seen = "" if (a + b) / 2 < len(content.removesuffix(item.question)) / 2 else content[a:b]
            every.append(task.score(prompt.answers, item, Answer(text=content[a:b])).value)
            half.append(task.score(prompt.answers, item, Answer(text=seen or "none")).value)
            depths.append(prompt.depths[0])
        whole, part = (m.robustness(scores, depths, spans=4) for scores in (every, half))
        assert (whole.mean, whole.gap) == (1, 0)
        assert part.mean == pytest.approx(0.5, abs=0.1)
        assert part.gap == 1
        assert part.spans[0] == 0
        assert part.spans[-1] == 1


def test_gap_by_hand():
    got = m.robustness([1, 0, 1, 1, 0.5], [0.05, 0.15, 0.95, 1.0, 0.19], spans=10, chance=0.2)
    assert got.spans == (1, 0.25, *[None] * 7, 1)
    assert got.counts == (1, 2, 0, 0, 0, 0, 0, 0, 0, 2)
    assert (got.mean, got.gap) == (0.75, 0.75)
    assert got.corrected == pytest.approx({"mean": 0.55 / 0.8, "gap": 0.75 / 0.8})
    assert m.robustness([], []) is None
    with pytest.raises(UserError, match="1 or more"):
        m.robustness([1], [0.5], spans=0)


def test_the_authors_spans():
    """Four sets with each position once; position 49, 99, ... of every span is never scored."""
    positions = [p for _ in range(4) for p in range(800)]
    sets = [s for s in range(4) for _ in range(800)]
    even = m.as_published([0.25] * 3200, positions, sets, 800)
    assert (even.mean, even.gap, sum(even.counts)) == (0.25, 0, 3200 - 64)
    last_half = m.as_published([float(p >= 400) for p in positions], positions, sets, 800)
    assert (last_half.mean, last_half.gap) == (0.5, 1)
    only = m.as_published([float(p % 50 == 49) for p in positions], positions, sets, 800)
    assert only.mean == 0


def test_by_task_and_length():
    told = dict(cell="", model="m", base=False, item="", cluster="", prompt="", sha="", tokens=1, audit="answered")
    rows = [Record(**told, task="t", length=n, score=float(d > 0.5 or n == 1), depths=(d,)) for n in (1, 2) for d in (0.1, 0.9)]
    rows += [
        Record(**told, task="t", length=1, score=None, depths=(0.5,)),
        Record(**told, task="t", length=1, score=0, depths=(0.1, 0.2)),
    ]
    found = m.of_records(rows, spans=2)
    assert {k: (v.mean, v.gap) for k, v in found.items()} == {("t", 1): (1, 0), ("t", 2): (0.5, 1)}


def test_bad_input(tmp_path):
    with pytest.raises(UserError, match="document, code, database"):
        make("film-probe(kind=prose)")
    with pytest.raises(UserError, match="kind=database alone"):
        make("film-probe(both=true)")
    with pytest.raises(UserError, match="no file named like code_functions"):
        make(f"film-probe(kind=code, data='{tmp_path}')").items(1)
    (tmp_path / "document_sentences.jsonl").write_text('{"sentence": "x"}\n')
    with pytest.raises(UserError, match="no column 'piece'"):
        make(f"film-probe(data='{tmp_path}')").items(1)
    (tmp_path / "document_sentences.jsonl").write_text('{"sentence": "x y", "piece": "x"}\n{"sentence": "x z", "piece": "x"}\n')
    with pytest.raises(UserError, match="no more than 0 pieces that can be told"):
        make(f"film-probe(data='{tmp_path}')").items(1)


def test_published_pieces_run_out(tmp_path):
    with pytest.raises(UserError, match="no more than 60 pieces"):
        make(specs(tmp_path)[-1]).items(61)


def test_suite_is_three_probes():
    assert len(catalog.expand(catalog.parse("film-val"), "tasks")) == 3
