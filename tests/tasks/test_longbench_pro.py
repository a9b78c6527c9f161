"""LongBench Pro: scorers as its script computes them, and as they should be."""

import json
import random

import pytest

from leadline import catalog
from leadline.nouns import Answer, UserError
from leadline.scoring.longbench_pro_metrics import METRICS, lines, ndcg, pairs_right, summary_rouge
from leadline.tasks import longbench_pro

from .fixtures.longbench_pro import row


def make(tmp_path, rows, **settings):
    (tmp_path / "longbench_pro.json").write_text(json.dumps(rows))
    return longbench_pro.LongbenchPro(data=str(tmp_path), **settings)


# Computed with modules/utils.py at 88fbeb8 (pytrec_eval-terrier 0.5, which it calls for NDCG).
VECTORS = [
    ("ndcg", "a b c", "a\nb\nc", 1.0),
    ("ndcg", "a b c", "c\nb\na", 0.7899980042460358),
    ("ndcg", "a b c", "z\na", 0.39748966610151965),
    ("ndcg", "a b c", "a\na\nb", 0.895),
    ("pairs", "a b c", "a\nb\nc", 1.0),
    ("pairs", "a b c", "c\nb\na", 0.0),
    ("pairs", "a b c", "a\nb", 1.0),
    ("pairs", "a b c", "a\nb\nc\nd", 0.5),
    ("pairs", "a b c d", "a\nc\nb\nd", 0.8333333),
    ("pairs", "a b a c", "a\nb\nc", 0.0),
    ("pairs", "a", "a\nb", 0.0),
    ("set-f1", "a b c", "a\nb\nd", 0.6666667),
    ("set-f1", "a b c", "a\n\nb\nd", 0.5714286),
    ("share", "x y", "y\nz", 0.5),
    ("first", "B", "[Answer] b", 1.0),
    ("first", "B", "The answer is B", 0.0),
    ("first", "B", "[答案]\nA\n[Answer]\nB\n[答案] C", 1.0),
    ("share", "Foo Bar", "[答案]\n FOO   bar ", 1.0),
]


@pytest.mark.parametrize(("name", "meant", "said", "score"), VECTORS)
def test_vectors_of_the_peer(name, meant, said, score):
    meant = [meant] if meant == "Foo Bar" else meant.split()
    assert METRICS[f"longbench-pro/{name}-peer"](said, meant) == pytest.approx(score, abs=1e-4)


def test_ndcg_against_the_definition():
    from math import log2

    rng = random.Random(1)
    for _ in range(300):
        meant = rng.sample("abcdefg", rng.randint(1, 5))
        said = rng.sample("abcdefgxyz", rng.randint(1, 8))
        gain = {item: len(meant) - i for i, item in enumerate(meant)}
        top = [gain.get(item, 0) / log2(i + 2) for i, item in enumerate(said[: len(meant)])]
        best = [g / log2(i + 2) for i, g in enumerate(sorted(gain.values(), reverse=True))]
        assert ndcg(said, meant) == pytest.approx(sum(top) / sum(best))


@pytest.mark.parametrize(
    ("meant", "said", "peer", "ours"),
    [
        ("a b c", "a b", 1.0, 1 / 3),  # what is left out costs nothing there
        ("a b c", "a b c d", 0.5, 0.5),
        ("a b c", "c b a", 0.0, 0.0),
        ("a b a c", "a b c", 0.0, 1.0),  # over 1 there, which is refused
        ("a b c", "a b b c", 0.5, 0.5),
    ],
)
def test_pairs_as_they_are_and_should_be(meant, said, peer, ours):
    assert pairs_right(said.split(), meant.split(), peer=True) == pytest.approx(peer)
    assert pairs_right(said.split(), meant.split()) == pytest.approx(ours)


def test_empty_lines_count_for_the_peer_alone():
    assert lines("[Answer]\nA\n\nB", peer=True) == ["a", "", "b"] and lines("[Answer]\nA\n\nB") == ["a", "b"]


def test_summaries_take_the_best_reference_of_their_language():
    assert summary_rouge("The cat sat", ["a dog lay there", "the cat sat"], False) == pytest.approx(1, abs=1e-6)
    assert summary_rouge("他去了北京", ["他去了上海"], True) == pytest.approx(0.75, abs=1e-6)
    assert summary_rouge("", ["x"], False) == 0


def test_rows_are_chosen_and_broken_down(tmp_path):
    rows = [row(i) for i in range(48)]
    task = make(tmp_path, rows, task="T3", language="en")
    items = task.items(len([r for r in rows if r["secondary_task"].startswith("T3.2") and r["language"] == "English"]))
    assert {item.facets["primary task"] for item in items} == {"T3"}
    assert set(items[0].facets) == {"language", "document", "dependency", "difficulty", "primary task"}
    filled = make(tmp_path, rows, noise="passages")
    found = filled.items(10)
    assert {item.facets["dependency"] for item in found} == {"partial"}, "documents needed as a whole cannot be padded"
    assert {item.facets["primary task"] for item in found} <= {"T3", "T5", "T8", "T10", "T11"}


def test_thinking_asks_the_other_question(tmp_path):
    plain, thinking = (make(tmp_path, [row(0)], thinking=t).items(1)[0] for t in (False, True))
    assert thinking.question.endswith("Think first.") and not plain.question.endswith("Think first.")
    assert (plain.answer_tokens, thinking.answer_tokens) == (1024, 8192)


def test_a_chinese_answer_after_its_mark(tmp_path):
    task = make(tmp_path, [row(3) | {"secondary_task": "T8.2 x", "answer": ["甲", "乙"]}])
    (item,) = task.items(1)
    assert item.facets["language"] == "zh" and task.gold(item.answers, item) == "[答案]\n甲\n乙"
    assert task.score(item.answers, item, Answer(text="想一想\n[答案]\n乙\n丙")).value == 0.5


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"secondary_task": "T12.1 x"}, "unknown secondary task 'T12.1 x'"),
        ({"language": "French"}, "must be English or Chinese"),
        ({"answer": "a"}, "'answer' cannot be 'a'"),
    ],
)
def test_bad_rows(tmp_path, changed, says):
    with pytest.raises(UserError, match=says):
        make(tmp_path, [row(0) | changed]).items(1)


def test_bad_settings():
    with pytest.raises(UserError, match="task must be one of T1, T2"):
        catalog.make("longbench-pro(task=T12)", "tasks")


def test_half_of_a_summary_is_its_likeness(tmp_path, monkeypatch):
    """The mean of ROUGE-L and the best cosine over the references; without the library it is said what is missing."""
    import sys
    import types

    import numpy as np

    from leadline.data import embeddings

    class Fake:
        def __init__(self, name):
            assert name == "some/model"

        def encode(self, texts, normalize_embeddings):
            return np.array([[1.0, 0.0] if "Ann" in t else [0.6, 0.8] for t in texts])

    told = row(9) | {"answer": ["Bo slept all day", "Ann went home"]}
    assert told["secondary_task"].startswith("T4")
    task = make(tmp_path, [told], embedder="some/model")
    (item,) = task.items(1)
    embeddings._model.cache_clear()
    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(SentenceTransformer=Fake))
    got = task.score(item.answers, item, Answer(text="Ann went home"))
    assert got.parts == pytest.approx({"rouge_l": 1.0, "similarity": 1.0}) and got.value == pytest.approx(1.0)
    got = task.score(item.answers, item, Answer(text="nothing of it"))
    assert got.parts == pytest.approx({"rouge_l": 0.0, "similarity": 1.0}) and got.value == pytest.approx(0.5)
    embeddings._model.cache_clear()
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match="pip install sentence-transformers"):
        task.score(item.answers, item, Answer(text="Ann went home"))
