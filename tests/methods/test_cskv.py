"""CSKV against a model that sees its keys and values through the factors, what it holds, and what training does."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import leadline  # noqa: E402
from leadline import applied  # noqa: E402
from leadline.methods._stack import Stack  # noqa: E402
from leadline.methods.cache.cskv import projections, svd  # noqa: E402
from leadline.models.memory import tensor_bytes  # noqa: E402
from leadline.models.seams.tape import SPARE  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, generated, words  # noqa: E402


def naive_cskv(model: Any, ids: list[int], prompt: int, window: int, share: float) -> Any:
    """Logits after the prompt and each later token, every step from the whole history.

    In the step that feeds token t, keys and values of whole windows that were full before it come from the truncated
    weights, the others from the weights; but a prompt is read exactly.
    """
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    outs = []
    for end in range(prompt, len(ids) + 1):
        # What layers of old tokens computed was computed when they were new: it is replayed step by step.
        hidden = _replay(model, ids, prompt, window, share, end, apply_rotary_pos_emb)
        outs.append(model.lm_head(model.model.norm(hidden))[0, -1])
    return torch.stack(outs)


def _replay(model: Any, ids: list[int], prompt: int, window: int, share: float, end: int, rope: Any) -> Any:
    """Hidden states of the newest tokens after all layers, when `end` tokens have been fed."""
    states = {}
    for upto in [prompt, *range(prompt + 1, end + 1)]:
        first = 0 if upto == prompt else upto - 1
        stale = 0 if upto == prompt else (upto - 1) // window * window
        x = model.model.embed_tokens(torch.tensor([ids[first:upto]]))
        for n, block in enumerate(model.model.layers):
            m, read = block.self_attn, block.input_layernorm(x)
            states[n] = read if first == 0 else torch.cat([states[n], read], 1)
            whole = states[n]
            dim, heads = m.head_dim, m.k_proj.weight.shape[0] // m.head_dim
            sides = []
            for w in (m.k_proj.weight, m.v_proj.weight):
                u, s, v = torch.linalg.svd(w.double())
                rank = int(share * dim) * heads
                low = (u[:, :rank] * s[:rank]) @ v[:rank]
                y = torch.cat([whole[:, :stale].double() @ low.T, whole[:, stale:].double() @ w.double().T], 1).float()
                sides.append(y.view(1, upto, heads, dim).transpose(1, 2))
            q = m.q_proj(read).view(1, upto - first, -1, dim).transpose(1, 2)
            pos = torch.arange(upto)[None]
            cos, sin = model.model.rotary_emb(read, pos)
            k = rope(sides[0], sides[0], cos, sin)[0].repeat_interleave(q.shape[1] // heads, 1)
            q = rope(q, q, cos[:, first:], sin[:, first:])[0]
            v = sides[1].repeat_interleave(q.shape[1] // heads, 1)
            logits = q @ k.transpose(-1, -2) * dim**-0.5
            mask = torch.arange(upto)[None] <= torch.arange(first, upto)[:, None]
            out = torch.softmax(logits.masked_fill(~mask, -torch.inf), -1) @ v
            x = x + m.o_proj(out.transpose(1, 2).flatten(2))
            x = x + block.mlp(block.post_attention_layernorm(x))
    return x


@pytest.mark.parametrize("prompt", [7, 8, 9, 21])
def test_it_equals_the_model_with_truncated_weights_for_old_tokens(tiny: Any, prompt: int) -> None:
    model, ids = tiny("llama"), words(prompt + 19, 3)
    with torch.no_grad():
        wanted = naive_cskv(model, ids, prompt, 8, 0.5)
    with applied(model, "cskv(keys=0.5, values=0.5, window=8)"):
        got = feed(model, [ids[:prompt]], after=[ids[prompt:]])[0][0]
    torch.testing.assert_close(got, wanted, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("family", ["llama", "qwen3", "phi3", "glm4", "smollm3", "qwen2"])
def test_full_rank_gives_the_plain_model(tiny: Any, family: str) -> None:
    """Norms after the projection, biases and joint projections included."""
    model, after = tiny(family), [words(9, 1)]
    plain = feed(model, [words(20)], after=after)[0]
    with applied(model, "cskv(keys=1.0, values=1.0, window=4)"):
        ours = feed(model, [words(20)], after=after)[0]
    torch.testing.assert_close(ours, plain, atol=1e-3, rtol=1e-3)


def test_guesses_change_nothing(tiny: Any) -> None:
    model, ids = tiny("qwen3"), (words(7) * 6)[:40]
    spec = "cskv(keys=1.0, values=1.0, window=4)"
    with applied(model, spec):
        wanted = generated(model, ids, 16)
    with applied(model, f"{spec} + prompt-lookup(ngram=1, tokens=9)"):
        assert generated(model, ids, 16) == wanted


def test_heads_cannot_drop_what_was_coded_together() -> None:
    with pytest.raises(UserError, match="all heads of a token"):
        Stack.read("cskv + snapkv")


def test_the_prompt_is_read_exactly(tiny: Any) -> None:
    model = tiny("llama")
    plain = feed(model, [words(40)])[0]
    with applied(model, "cskv(keys=0.2, values=0.2, window=8)"):
        torch.testing.assert_close(feed(model, [words(40)])[0], plain, atol=1e-5, rtol=1e-4)


def test_it_holds_what_it_says(tiny: Any) -> None:
    model = tiny("llama", hidden_size=128, head_dim=32)
    full = 962 * 2 * 32 * 2 * 4 * 2
    for spec, most in [
        ("cskv(keys=0.2, values=0.2, window=32)", 0.25),
        ("cskv(keys=0.25, values=0.25, window=32, bits=4)", 0.09),
    ]:
        with applied(model, spec) as stack:
            cache = feed(model, [words(960)], after=[words(2)])[1]
        said = stack.methods[0].bound(962, 32, 4, 2) * 2
        held = tensor_bytes(cache)
        spare = SPARE * 2 * (2 * 2 * 32 + 64) * 4 * 2
        assert 0.98 * said <= held <= said + spare + 962 * 4 * 2
        assert held < most * full


def test_few_bits_cost_little(tiny: Any) -> None:
    model, after = tiny("llama"), [words(20, 1)]
    outs = []
    for bits in (16, 8, 4, 2):
        with applied(model, f"cskv(keys=0.75, values=0.75, window=8, bits={bits})"):
            outs.append(feed(model, [words(40)], after=after)[0])
    errors = [(out - outs[0]).abs().mean() for out in outs[1:]]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_the_svd_is_the_best_of_its_rank_and_scales_favour_large_inputs() -> None:
    w, x = torch.randn(16, 24), torch.randn(500, 24) * torch.linspace(0.1, 4, 24)
    down, up = svd(w, 8)
    s = torch.linalg.svdvals(w)
    torch.testing.assert_close((up @ down - w).norm() ** 2, (s[8:] ** 2).sum(), rtol=1e-4, atol=1e-4)
    aware = svd(w, 8, x.abs().mean(0) ** 0.5)
    error = [(x @ (b @ a - w).T).norm() for a, b in ((down, up), aware)]
    assert error[1] < error[0]


def test_training_lowers_the_error_and_the_file_fits_its_model_alone(tiny: Any) -> None:
    model = tiny("llama")
    batches = [torch.tensor([words(64, 100 + i)]) for i in range(60)]
    fitted = leadline.fit(model, "cskv(keys=0.5, values=0.5, window=8)", batches, rate=2e-3)
    assert fitted.figures["after"] < 0.95 * fitted.figures["before"]
    ids, after = words(60, 7), [words(12, 8)]
    plain = feed(model, [ids], after=after)[0]
    errors = {}
    for spec in ("cskv(keys=0.5, values=0.5, window=8)", str(fitted.method)):
        with applied(model, spec):
            errors[spec] = float((feed(model, [ids], after=after)[0] - plain).abs().mean())
    assert errors[str(fitted.method)] < min(v for k, v in errors.items() if k != str(fitted.method))
    with pytest.raises(UserError, match="other weights"), applied(tiny("qwen2"), str(fitted.method)):
        pass
    path = fitted.method.learnt
    with pytest.raises(UserError, match="settings"), applied(model, f"cskv(keys=0.25, values=0.5, window=8, learnt={path!r})"):
        pass
    with pytest.raises(UserError, match="no file"), applied(model, "cskv(learnt=nowhere)"):
        pass
    with pytest.raises(UserError, match="learns nothing"):
        leadline.fit(model, "kivi", batches)
    assert len(generated(model, words(20), 3)) == 3


def test_projections_of_joint_matrices(tiny: Any) -> None:
    for family in ("llama", "phi3"):
        m = tiny(family).model.layers[0].self_attn
        x = torch.randn(1, 3, 32)
        (k, _), (v, _) = projections(m)
        if family == "phi3":
            joint = m.qkv_proj(x)
            assert torch.allclose(torch.cat([x @ k.T, x @ v.T], -1), joint[..., 32:], atol=1e-6)
        else:
            assert torch.allclose(x @ k.T, m.k_proj(x)) and torch.allclose(x @ v.T, m.v_proj(x))
