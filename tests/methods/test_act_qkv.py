"""ActQKV against loops over pairs, windows and blocks, and what its probe finds that a mean does not."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, generated, words  # noqa: E402
from .oracles import by_pairs, rotate, spied  # noqa: E402

INIT, LOCAL, BLOCK, TOPK, STAND, WINDOW = 2, 8, 4, 2, 2, 8
SPEC = f"act-qkv(init={INIT}, local={LOCAL}, block={BLOCK}, topk={TOPK}, least=1, represent={STAND}, window={WINDOW})"


def turned(x: Any, places: list[int], inv_freq: list[float]) -> Any:
    """Vectors (heads, tokens, head_dim) rotated to places, in float64."""
    return torch.tensor([[rotate(v.tolist(), p, inv_freq) for v, p in zip(h, places, strict=True)] for h in x]).double()


def naive_act_qkv(q: Any, k: Any, prompt: int, scaling: float, inv_freq: list[float]) -> list[set[int]]:
    """For each query the keys that it reads, by the definitions.

    Args:
        q: queries of all tokens, unrotated (heads, tokens, head_dim).
        k: keys (kv_heads, tokens, head_dim).
        prompt: tokens of the prompt; each later one is a window.
        scaling: factor of the logits.
        inv_freq: frequencies.
    """
    heads, tokens, _ = q.shape
    groups = heads // len(k)
    near_q, near_k = turned(q, list(range(tokens)), inv_freq), turned(k, list(range(tokens)), inv_freq)
    far_q = turned(q, [LOCAL] * tokens, inv_freq)
    received = torch.zeros(len(k), tokens, dtype=torch.float64)
    for h in range(heads):
        for i in range(tokens):
            near = list(range(max(0, i - LOCAL + 1), i + 1))
            received[h // groups, near] += (near_k[h // groups, near] @ near_q[h, i] * scaling).softmax(0)
    vectors = [torch.cat([far_q[h, i] for h in range(heads)]) for i in range(tokens)]
    windows = [list(range(a, min(a + WINDOW, prompt))) for a in range(0, prompt, WINDOW)] + [[i] for i in range(prompt, tokens)]
    read: list[set[int]] = []
    past: list[Any] = []
    for window in windows:
        blocks = [b for b in range(tokens) if INIT + (b + 1) * BLOCK - 1 <= window[0] - LOCAL]
        if past:
            mean, var = torch.stack(past).mean(0), torch.stack(past).var(0)
            bias = [float(((vectors[t] - mean) ** 2 / (var + var.mean() / 100)).mean()) for t in window]
        else:
            bias = [1.0] * len(window)
        probe = sum(x / sum(bias) * vectors[t] for x, t in zip(bias, window, strict=True))
        scores = {}
        for b in blocks:
            own = list(range(INIT + b * BLOCK, INIT + (b + 1) * BLOCK))
            parts = []
            for h in range(heads):
                g = h // groups
                best = sorted(own, key=lambda j, g=g: -float(received[g, j]))[:STAND]
                parts.append(k[g, best].double().mean(0))
            key = torch.cat(parts)
            scores[b] = float(key @ probe / (key.norm() * probe.norm()))
        chosen = sorted(blocks, key=lambda b: -scores[b])[: min(TOPK, len(blocks))]
        held = set(range(INIT)) | {INIT + b * BLOCK + c for b in chosen for c in range(BLOCK)}
        held |= set(range(INIT + len(blocks) * BLOCK, tokens))
        read += [{j for j in range(i + 1) if j in held or i - j < LOCAL} for i in window]
        past += [vectors[t] for t in window] if window[0] < prompt else []
    return read


def test_attention_is_to_what_the_loops_choose(tiny: Any) -> None:
    model = tiny("llama")
    inv_freq = model.model.rotary_emb.inv_freq.tolist()
    with spied(model, SPEC) as (seen, outs):
        feed(model, [words(44)], after=[words(3, 1)])
    for layer in range(2):
        q = torch.cat([s["q"][0] for s in seen[layer]], 1)
        k, v, scaling = seen[layer][-1]["k"][0], seen[layer][-1]["v"][0], seen[layer][-1]["scaling"]
        read = naive_act_qkv(q, k, 44, scaling, inv_freq)
        assert any(len(r) < i + 1 for i, r in enumerate(read))

        def rule(i: int, j: int, read: list[set[int]] = read) -> tuple[float, float] | None:
            return ((i, j) if i - j < LOCAL else (LOCAL, 0)) if j in read[i] else None

        oracle = by_pairs(q, k, v, rule, scaling, inv_freq)
        torch.testing.assert_close(torch.cat([o[0] for o in outs[layer]]), oracle, atol=2e-5, rtol=1e-4)


def test_what_is_learnt_of_queries_is_their_mean_and_variance() -> None:
    method, x = catalog.make("act-qkv", "methods"), torch.randn(70, 5, dtype=torch.float64)
    moments = torch.zeros(5, dtype=torch.float64), torch.zeros(5, dtype=torch.float64), torch.tensor(0.0)
    for part in x.split([8, 8, 20, 1, 33]):
        moments = method.learnt(part, moments)
    torch.testing.assert_close(moments[0], x.mean(0))
    torch.testing.assert_close(moments[1], x.var(0))
    assert int(moments[2]) == 70


def test_layers_share_blocks_by_how_spread_their_scores_are() -> None:
    method = catalog.make("act-qkv(topk=10, least=2)", "methods")
    assert method.density(torch.ones(7)) == pytest.approx(1) and method.density(torch.tensor([3.0])) == 1
    assert method.density(torch.tensor([9.0, 0, 0, 0])) < 0.1
    assert [method.share(layer, 100, [1.0] * 4) for layer in range(4)] == [10] * 4
    assert [method.share(layer, 3, [1.0] * 4) for layer in range(4)] == [3] * 4
    shares = [method.share(layer, 100, [0.2, 0.9, 0.5, 0.4]) for layer in range(4)]
    assert shares == [4, 18, 10, 8] and sum(shares) == 40
    assert method.share(0, 100, [1e-9, 1.0]) == 2 and method.share(0, 100, [1.0, 1e-9]) == 20


def test_an_unusual_query_leads_the_probe_where_a_mean_drowns_it() -> None:
    method, seeded = catalog.make("act-qkv", "methods"), torch.Generator().manual_seed(0)
    usual = torch.zeros(64)
    usual[:8] = 10
    before = method.learnt(
        usual + torch.randn(500, 64, generator=seeded), (torch.zeros(64), torch.zeros(64), torch.tensor(0.0))
    )
    window = usual + torch.randn(32, 64, generator=seeded)
    needle = torch.randn(64, generator=seeded)
    needle = needle * (math.sqrt(64) / needle.norm())
    window[17] = 10 * needle
    # Many blocks look like what is usual; one has what the unusual query asks for.
    blocks = torch.cat([usual + 3 * torch.randn(20, 64, generator=seeded), needle[None]])

    def found(query: Any) -> int:
        return int(torch.cosine_similarity(blocks, query[None], dim=-1).argmax())

    assert found(method.probe(window, before)) == 20
    assert found(window.mean(0)) != 20
    same = method.probe(usual.expand(4, -1), before)
    torch.testing.assert_close(same, usual)


def test_guesses_are_refused(tiny: Any) -> None:
    with applied(tiny("llama"), f"{SPEC} + prompt-lookup"), pytest.raises(UserError, match="guess"):
        generated(tiny("llama"), words(40))
