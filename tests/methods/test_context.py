"""Methods that change what is fed, against the plain model on what they should feed."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import FAMILIES, feed, generated, left_padded, words  # noqa: E402


def naive_gem_filter(model: Any, ids: list[int], layer: int, topk: int, kernel: int) -> list[int]:
    """Tokens kept, from the plain model's own queries and keys."""
    caught: dict[str, Any] = {}
    attention = model.model.layers[layer].self_attn

    def before(module: Any, args: Any, kwargs: Any) -> None:
        x, (cos, sin) = kwargs["hidden_states"], kwargs["position_embeddings"]
        import sys

        turn = sys.modules[type(module).__module__].apply_rotary_pos_emb
        q = module.q_proj(x).view(1, -1, 4, 8).transpose(1, 2)
        k = module.k_proj(x).view(1, -1, 2, 8).transpose(1, 2)
        caught["q"], caught["k"] = turn(q, k, cos, sin)

    hook = attention.register_forward_pre_hook(before, with_kwargs=True)
    with torch.no_grad():
        model(torch.tensor([ids]))
    hook.remove()
    z = []
    for j in range(len(ids)):
        z.append(sum(float(caught["q"][0, h, -1] @ caught["k"][0, h // 2, j]) for h in range(4)))
    smooth = [sum(z[c] for c in range(j - kernel // 2, j + kernel // 2 + 1) if 0 <= c < len(z)) / kernel for j in range(len(z))]
    return [ids[j] for j in sorted(sorted(range(len(ids)), key=lambda j: (-smooth[j], j))[:topk])]


@pytest.mark.parametrize("layer", [0, 1])
def test_gem_filter_answers_as_the_plain_model_on_what_it_keeps(tiny: Any, layer: int) -> None:
    model, ids = tiny("llama"), words(50)
    kept = naive_gem_filter(model, ids, layer, 12, 5)
    assert kept != ids[-12:]
    wanted = generated(model, kept)
    with applied(model, f"gem-filter(topk=12, layer={layer})"):
        assert generated(model, ids) == wanted
        # As transformers sees it, the whole prompt was read.
        assert feed(model, [ids])[1].get_seq_length() == 50


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_of_a_batch_keep_their_own(tiny: Any, family: str) -> None:
    model, rows = tiny(family), [words(50, 1), words(31, 2), words(9, 3)]
    ids, mask = left_padded(rows)
    with applied(model, "gem-filter(topk=12, layer=1)"):
        out = model.generate(ids, attention_mask=mask, max_new_tokens=6, do_sample=False)
        for i, row in enumerate(rows):
            assert out[i, 50:].tolist() == generated(model, row, 6)


def test_below_its_layer_nothing_is_kept_and_above_nothing_is_run(tiny: Any) -> None:
    model, ran = tiny("llama", num_hidden_layers=3), []
    hooks = [
        block.register_forward_pre_hook(lambda m, a, i=i: ran.append((i, a[0].shape[1])))
        for i, block in enumerate(model.model.layers)
    ]
    with applied(model, "gem-filter(topk=12, layer=1)"):
        cache = feed(model, [words(50)])[1]
    for hook in hooks:
        hook.remove()
    assert ran == [(0, 50), (1, 50), (0, 12), (1, 12), (2, 12)]
    assert all(layer.length == 12 for layer in cache.layers)


def test_an_error_in_the_first_pass_leaves_the_model_whole(tiny: Any) -> None:
    model, ids = tiny("llama"), words(50)
    plain = generated(model, ids)

    def fail(*_: Any) -> None:
        raise RuntimeError("in the first pass")

    hook = model.model.layers[1].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="first pass"), applied(model, "gem-filter(topk=12, layer=1)"):
        generated(model, ids)
    hook.remove()
    assert len(model.model.layers) == 2 and generated(model, ids) == plain


def test_a_second_turn_is_refused(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, "gem-filter(topk=12)"):
        out = model.generate(torch.tensor([words(40)]), max_new_tokens=3, return_dict_in_generate=True)
        ids = torch.cat([out.sequences, torch.tensor([words(9, 1)])], -1)
        with pytest.raises(UserError, match="second turn"):
            model.generate(ids, past_key_values=out.past_key_values, max_new_tokens=2)
