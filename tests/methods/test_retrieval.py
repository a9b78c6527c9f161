"""Retrieval by the model's own embeddings against loops over pieces."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import generated, words  # noqa: E402

SPEC = "retrieval(budget=24, chunk=8, overlap=2, question=4, head=1, depth={depth})"


def naive_retrieval(model: Any, ids: list[int], depth: int) -> list[int]:
    """Kept tokens: two pieces of 8, in an opening of 1 and a question of 4."""

    def embed(row: list[int]) -> list[float]:
        with torch.no_grad():
            found = model(torch.tensor([row]), output_hidden_states=True).hidden_states[depth][0].double()
        return [float(sum(found[:, c]) / len(row)) for c in range(found.shape[1])]

    starts = [*range(1, len(ids) - 4 - 8, 6), len(ids) - 12]
    pieces = [embed(ids[a : a + 8]) for a in starts]
    common = [sum(column) / len(pieces) for column in zip(*pieces, strict=True)]
    asked = [x - c for x, c in zip(embed(ids[-4:]), common, strict=True)]
    scores = []
    for piece in pieces:
        own = [x - c for x, c in zip(piece, common, strict=True)]
        norms = math.hypot(*own) * math.hypot(*asked)
        scores.append(sum(x * y for x, y in zip(own, asked, strict=True)) / norms)
    kept = sorted(range(len(starts)), key=lambda i: (-scores[i], i))[:2]
    return [t for j, t in enumerate(ids) if j < 1 or j >= len(ids) - 4 or any(starts[i] <= j < starts[i] + 8 for i in kept)]


@pytest.mark.parametrize("family", ["llama", "qwen3", "smollm3"])
@pytest.mark.parametrize("depth", [0, 1])
def test_it_answers_as_the_plain_model_on_the_nearest_pieces(tiny: Any, family: str, depth: int) -> None:
    model = tiny(family)
    for seed in range(3):
        ids = words(55, seed)
        kept = naive_retrieval(model, ids, depth)
        assert len(kept) < len(ids)
        wanted = generated(model, kept)
        with applied(model, SPEC.format(depth=depth)):
            assert generated(model, ids) == wanted


def test_a_piece_with_the_questions_words_is_found_wherever_it_lies(tiny: Any) -> None:
    from leadline.methods.context.retrieval import Retrieval
    from leadline.models.seams.hold import Hold, Reader

    method = Retrieval(budget=13, chunk=8, overlap=0, question=4, head=1)
    hold = Hold(tiny("llama"), Stack((method,)).plan, "retrieval")
    hold.install()
    for place in range(0, 40, 8):
        rest = [w + 8 if w < 11 else w for w in words(40, place)]
        rest[place : place + 8] = [3, 4, 5, 6, *rest[place + 4 : place + 8]]
        kept = method.chosen(Reader(hold), torch.tensor([9, *rest, 6, 3, 5, 4]))
        assert kept.nonzero()[:, 0].tolist() == [0, *range(1 + place, 9 + place), *range(41, 45)]
    hold.remove()


def test_settings_that_cannot_be(tiny: Any) -> None:
    for wrong in ("budget=100", "chunk=32, overlap=32", "depth=-1"):
        with pytest.raises(UserError):
            Stack.read(f"retrieval({wrong})")
    with pytest.raises(UserError, match="2 layers"), applied(tiny("llama"), "retrieval(depth=3)"):
        pass
