"""The shipped minnow is what its card says: it reads at its trained length and not at four times that."""

import json
from importlib import resources

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tokenizers import Tokenizer

from leadline.nouns import UserError
from leadline.training.examine import digest, examine
from leadline.training.recipes.minnow import Minnow
from leadline.training.vocabulary import Encoder

FOLDER = resources.files("leadline.models") / "minnow_weights"


@pytest.fixture(scope="module")
def card():
    return json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))


def test_card_is_of_these_weights(card):
    for name, sha in card["sha256"].items():
        assert digest(FOLDER / name) == sha, name


def test_card_says_where_it_reads(card):
    rows = {(row["task"], row["length"]): row for row in card["tasks"]}
    window = card["window"]
    for task in ("needle", "kv-retrieval(haystack=records)"):
        at, far = rows[task, window], rows[task, 4 * window]
        assert at["n"] >= 400 and at["score"] >= 0.95 and at["low"] >= 0.93
        assert far["score"] <= 0.4
    assert any("unseen" in task for task, _ in rows)


@pytest.mark.parametrize("kind", ["needle", "records"])
def test_it_reads_within_its_length_and_not_beyond(kind, card):
    model = transformers.LlamaForCausalLM.from_pretrained(str(FOLDER)).eval()
    encode = Encoder(Tokenizer.from_file(str(FOLDER / "tokenizer.json")))
    (near,) = examine(model, encode, [kind], [card["window"]], 30)
    (far,) = examine(model, encode, [kind], [card["window"] * 4], 10)
    assert near["score"] >= 0.9
    assert far["score"] <= 0.5


def test_mistakes_are_named():
    with pytest.raises(UserError, match="cpu-512"):
        Minnow(out="x", profile="cpu-51")
    with pytest.raises(UserError, match="minutes"):
        Minnow(out="x", minutes=-1)
