"""InfiniRetri against eager attention of the plain model, with loops for sums and smoothing."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.methods.context.infini_retri import InfiniRetri, _ends, _texts  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import generated, words  # noqa: E402

SPEC = "infini-retri(window=12, topk={topk}, phrase={phrase}, question=4, head=1, sentence=3)"


def naive_infini_retri(model: Any, ids: list[int], topk: int, phrase: int) -> list[int]:
    """What is carried to the end, as token ids: sentences of 3, windows of 12, a question of 4, an opening of 1."""
    last = len(ids) - 4
    sentences = [list(range(a, min(a + 3, last))) for a in range(1, last, 3)]
    carried: list[list[int]] = []
    u: list[float] = []
    while sentences:
        spans, sentences = carried + sentences[:4], sentences[4:]
        columns = [j for span in spans for j in span]
        row = [ids[0], *(ids[j] for j in columns), *ids[last:]]
        model.set_attn_implementation("eager")
        with torch.no_grad():
            weights = model(torch.tensor([row]), output_attentions=True).attentions[-1][0].double().sum(0).tolist()
        model.set_attn_implementation("sdpa")
        rows = weights[-4:]
        u = u or [sum(r[-4:]) for r in rows]
        scores = []
        for j in range(len(columns)):
            near = [i for i in range(j - phrase // 2, j - phrase // 2 + phrase) if 0 <= i < len(columns)]
            scores.append(sum(w * w * sum(r[1 + i] for i in near) for w, r in zip(u, rows, strict=True)))
        best = sorted(range(len(columns)), key=lambda j: (-scores[j], j))[:topk]
        chosen = {columns[j] for j in best}
        carried = [span for span in spans if chosen & set(span)]
    return [ids[0], *(ids[j] for span in carried for j in span), *ids[last:]]


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3", "smollm3"])
@pytest.mark.parametrize(("length", "topk", "phrase"), [(17, 3, 1), (46, 3, 4), (58, 5, 3)])
def test_it_answers_as_the_plain_model_on_what_it_carries(tiny: Any, family: str, length: int, topk: int, phrase: int) -> None:
    model, ids = tiny(family), words(length, 3)
    kept = naive_infini_retri(model, ids, topk, phrase)
    assert len(kept) < len(ids)
    wanted = generated(model, kept)
    with applied(model, SPEC.format(topk=topk, phrase=phrase)):
        assert generated(model, ids) == wanted


def test_memory_does_not_grow_and_time_is_linear(tiny: Any) -> None:
    model, widths = tiny("llama"), []
    hook = model.model.layers[0].register_forward_pre_hook(lambda m, a: widths.append(a[0].shape[1]))
    with applied(model, SPEC.format(topk=3, phrase=2)):
        generated(model, words(1205), 1)
    hook.remove()
    assert len(widths) == 100 + 1 and max(widths) <= 1 + 12 + 9 + 4


def test_sentences_end_where_a_space_follows() -> None:
    texts = ["Mr", ".", " Ash", " paid", " 3", ".", "5", "0", ".", " Dr", ".", " Low", " did", " not", "!\n", "\n", "Why", "?"]
    assert _ends(texts) == [2, 11, 16, 18]
    assert _ends(["雨", "。", "晴", "！"]) == [2, 4]
    assert _ends(["a", " b"]) == [2]


def test_long_sentences_are_cut_and_all_is_covered(tiny: Any) -> None:
    method = InfiniRetri(window=5, sentence=12, head=1, question=4)
    spans = method.sentences(None, torch.zeros(40))
    assert [j for a, b in spans for j in range(a, b)] == list(range(1, 36)) and max(b - a for a, b in spans) == 5
    assert [span for group in method.packed(spans) for span in group] == spans


def test_real_sentences_need_a_tokenizer(tiny: Any) -> None:
    with pytest.raises(UserError, match="sentence=N"), applied(tiny("llama"), "infini-retri(topk=3, question=4)"):
        generated(tiny("llama"), words(40))
    with pytest.raises(UserError, match="layers 0 to 1"), applied(tiny("llama"), "infini-retri(layer=2)"):
        pass
    for wrong in ("topk=0", "phrase=0", "window=0"):
        with pytest.raises(UserError):
            Stack.read(f"infini-retri({wrong})")


def test_a_models_own_tokens_spell_its_text() -> None:
    from leadline.models.local import load

    model = load("minnow", device="cpu")
    text = "The harbour was quiet. Mr. Ash paid 3.50 for rope.\n\nWas it late? It was!"
    ids = model.tokenizer.encode(text)[0].tolist()
    assert "".join(_texts(model.module, ids)) == text
