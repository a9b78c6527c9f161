"""XL3M against a loop over segments, one at a time, with the plain model."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.methods.context.xl3m import XL3M  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import generated, words  # noqa: E402

SPEC = "xl3m(budget=24, segment=8, overlap=2, question=4, head=1)"


def naive_xl3m(model: Any, ids: list[int], budget: int, segment: int, overlap: int, question: int, head: int) -> list[int]:
    """The key context as token ids."""
    first, last = head, len(ids) - question
    starts, at = [], first
    while at + segment < last:
        starts.append(at)
        at += segment - overlap
    starts.append(last - segment)
    found = []
    for a in starts:
        row = ids[:head] + ids[a : a + segment] + ids[last:]
        with torch.no_grad():
            p = model(torch.tensor([row])).logits[0, -1].double().softmax(-1).tolist()
        found.append((-sum(x * math.log(x) for x in p if x), a))
    found = sorted(found, key=lambda pair: pair[0])[: (budget - head - question) // segment]
    places = sorted({j for _, a in found for j in range(a, a + segment)})
    return ids[:head] + [ids[j] for j in places] + ids[last:]


@pytest.mark.parametrize("family", ["llama", "gemma3", "smollm3"])
@pytest.mark.parametrize("length", [25, 50, 61])
def test_it_answers_as_the_plain_model_on_the_key_context(tiny: Any, family: str, length: int) -> None:
    model, ids = tiny(family), words(length, 3)
    kept = naive_xl3m(model, ids, 24, 8, 2, 4, 1)
    assert len(kept) < len(ids)
    wanted = generated(model, kept)
    with applied(model, SPEC):
        assert generated(model, ids) == wanted


def entropies(model: Any, method: XL3M, ids: list[int], spans: list[tuple[int, int]]) -> Any:
    """As the method has them in the middle of a prompt."""
    from leadline.models.seams.hold import Hold, Reader

    hold = Hold(model, Stack((method,)).plan, "xl3m")
    hold.install()
    try:
        with torch.no_grad():
            return method.entropies(Reader(hold), torch.tensor(ids), spans)
    finally:
        hold.remove()


def test_entropies_of_copies_are_equal_and_a_model_that_knows_nothing_has_ln_of_its_words(tiny: Any) -> None:
    model = tiny("llama")
    piece, method = words(8, 1), XL3M(**XL3M.trial)
    ids = words(1, 2) + piece + piece + words(8, 4) + words(4, 3)
    found = entropies(model, method, ids, [(1, 9), (9, 17), (17, 25)])
    assert found[0] == pytest.approx(float(found[1]), abs=1e-5) and abs(found[0] - found[2]) > 1e-3
    weight = model.lm_head.weight.data.clone()
    model.lm_head.weight.data.zero_()
    try:
        assert entropies(model, method, ids, [(1, 9)])[0] == pytest.approx(math.log(97), abs=1e-5)
    finally:
        model.lm_head.weight.data.copy_(weight)


def test_segments_cover_everything_once_reassembled() -> None:
    method = XL3M(**XL3M.trial)
    for length in range(14, 60):
        spans = method.windows(length, 8, 2)
        assert {b - a for a, b in spans} <= {8, length - 5}
        assert method.spread(length, spans, torch.zeros(1)).all()


def test_no_forward_is_longer_than_the_budget(tiny: Any) -> None:
    model, widths = tiny("llama"), []
    hook = model.model.layers[0].register_forward_pre_hook(lambda m, a: widths.append(tuple(a[0].shape[:2])))
    with applied(model, SPEC) as stack:
        generated(model, words(400), 1)
        assert stack.reach(64) is None
    hook.remove()
    assert all(width <= 24 for _, width in widths) and sum(rows for rows, _ in widths) == 66 + 1, widths


def test_settings_that_cannot_be() -> None:
    for wrong in ("budget=10", "segment=8, overlap=8, budget=100", "question=0"):
        with pytest.raises(UserError):
            Stack.read(f"xl3m({wrong})")
