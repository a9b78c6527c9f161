"""Methods that change the cache: what they keep and in what form, against rules written out the slow way."""

from __future__ import annotations

import random
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402
from leadline.methods.cache._bits import decode, encode  # noqa: E402
from leadline.models.memory import tensor_bytes  # noqa: E402
from leadline.models.seams.store import end_prompt  # noqa: E402
from leadline.models.seams.tape import SPARE  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import softmax_rows, spied  # noqa: E402


def kept(cache: Any, layer: int, row: int = 0) -> list[list[int]]:
    """Positions held by each kv-head."""
    pos = cache.layers[layer].pos[row].tolist()
    return [sorted(p for p in head if p >= 0) for head in pos]


def top(scores: list[float], count: int) -> list[int]:
    """Indices of the highest, of equals the earlier."""
    return sorted(sorted(range(len(scores)), key=lambda j: (-scores[j], j))[:count])


# ------------------------------------------------------------------ chosen by an observation window


def naive_snapkv(weights: Any, kv_heads: int, budget: int, window: int, kernel: int, pooling: str) -> list[list[int]]:
    """Kept positions per kv-head from a prompt's attention weights (heads, tokens, tokens)."""
    heads, tokens, _ = weights.shape
    if tokens <= budget:
        return [list(range(tokens))] * kv_heads
    out = []
    for g in range(kv_heads):
        own = range(g * heads // kv_heads, (g + 1) * heads // kv_heads)
        raw = [
            sum(float(weights[h, i, j]) for h in own for i in range(tokens - window, tokens)) / len(own)
            for j in range(tokens - window)
        ]
        smooth = []
        for j in range(len(raw)):
            near = [raw[c] for c in range(j - kernel // 2, j + kernel // 2 + 1) if 0 <= c < len(raw)]
            smooth.append(sum(near) / kernel if pooling == "average" else max(near))
        out.append(top(smooth, budget - window) + list(range(tokens - window, tokens)))
    return out


def naive_pyramid_kv(tokens: int, layers: int, budget: int, window: int, beta: int) -> list[int]:
    """Entries beside the window of each layer, by the authors' integer formula."""
    cap = budget - window
    low = cap // beta
    high = 2 * cap - low
    if high >= tokens - window:
        high = tokens - window
        low = 2 * cap - high
    return [high - place * ((high - low) // (layers - 1)) for place in range(layers)]


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("kernel", [1, 5])
def test_snapkv_keeps_what_the_last_queries_look_at(tiny: Any, pooling: str, kernel: int) -> None:
    model = tiny("llama")
    spec = f"snapkv(budget=14, window=4, kernel={kernel}, pooling={pooling})"
    with spied(model, spec) as (seen, _):
        _, cache, _ = feed(model, [words(40)])
        end_prompt(cache)
    for layer in range(2):
        s = seen[layer][0]
        weights = softmax_rows(s["q"][0], s["k"][0], s["scaling"])
        assert kept(cache, layer) == naive_snapkv(weights, 2, 14, 4, kernel, pooling)


def test_what_follows_reads_what_was_kept_and_what_was_said(tiny: Any) -> None:
    model = tiny("llama")
    with spied(model, "snapkv(budget=14, window=4)") as (seen, outs):
        _, cache, _ = feed(model, [words(40)], after=[words(3, 1)])
    for layer in range(2):
        held = kept(cache, layer)
        full = seen[layer][0]
        for step in (1, 2, 3):
            s = seen[layer][step]
            for h in range(4):
                g = h // 2
                # All keys that ever were: the prompt's before the cut, and those of the steps.
                later = s["k"][0, g, -step:], s["v"][0, g, -step:]
                keys, values = (torch.cat([full[n][0, g], x]) for n, x in zip("kv", later, strict=True))
                read = [p for p in held[g] if p <= 39 + step]
                weights = (keys[read] @ s["q"][0, h, 0] * s["scaling"]).softmax(0)
                torch.testing.assert_close(outs[layer][step][0, 0].view(4, 8)[h], weights @ values[read], atol=1e-5, rtol=1e-4)


def test_pyramid_budgets_sum_to_the_budget() -> None:
    rng = random.Random(0)
    for _ in range(300):
        window, layers, beta = rng.randint(1, 16), rng.randint(1, 40), rng.randint(1, 50)
        budget = window + rng.randint(1, 200)
        method = catalog.make(f"pyramid-kv(budget={budget}, window={window}, beta={beta})", "methods")
        tokens = rng.randint(1, 1000)
        got = method.budgets(tokens, layers)
        cap = budget - window
        assert got == sorted(got, reverse=True) and min(got) >= 0
        assert max(got) <= max(0, tokens - window)
        if tokens <= budget:
            assert got == [max(0, tokens - window)] * layers
            continue
        assert sum(got) == layers * cap
        if tokens >= 2 * cap and layers > 1:
            naive = naive_pyramid_kv(tokens, layers, budget, window, beta)
            # Their step is rounded down, so that their layers keep up to one more for each layer below.
            assert all(0 <= b - a + 1 <= place + 1 for place, (a, b) in enumerate(zip(got, naive, strict=True)))
            assert got[0] - naive[0] in (0, 1)


def test_pyramid_selects_as_snapkv_at_each_layers_budget(tiny: Any) -> None:
    model = tiny("llama", num_hidden_layers=3)
    with spied(model, "pyramid-kv(budget=12, window=4, kernel=3, beta=4)") as (seen, _):
        _, cache, _ = feed(model, [words(40)])
        end_prompt(cache)
    budgets = catalog.make("pyramid-kv(budget=12, window=4, beta=4)", "methods").budgets(40, 3)
    assert budgets == [14, 8, 2]
    for layer, budget in enumerate(budgets):
        s = seen[layer][0]
        weights = softmax_rows(s["q"][0], s["k"][0], s["scaling"])
        assert kept(cache, layer) == naive_snapkv(weights, 2, budget + 4, 4, 3, "max")


# ------------------------------------------------------------------ evicting at every step


def naive_h2o(history: list[Any], prompt: int, kv_heads: int, budget: int, recent: int) -> list[list[list[int]]]:
    """Kept positions per kv-head after the prompt and after each step; nothing is ever deleted, only hidden.

    Args:
        history: for each forward its queries and all keys so far, (heads, new, dim) and (kv_heads, seen, dim).
        prompt: tokens of the first forward.
    """
    heads = history[0][0].shape[0]
    visible = [list(range(prompt)) for _ in range(kv_heads)]
    sums: list[dict[int, float]] = [{} for _ in range(kv_heads)]
    states = []
    for q, k, scaling in history:
        for h in range(heads):
            g = h // (heads // kv_heads)
            for r in range(q.shape[1]):
                i = k.shape[1] - q.shape[1] + r
                seen = [j for j in visible[g] if j <= i] + ([i] if i not in visible[g] else [])
                weights = (k[g, seen].double() @ q[h, r].double() * scaling).softmax(0).tolist()
                for j, w in zip(seen, weights, strict=True):
                    sums[g][j] = sums[g].get(j, 0.0) + w
        last = k.shape[1] - 1
        for g in range(kv_heads):
            held = visible[g] + ([last] if last not in visible[g] else [])
            if len(held) > budget:
                newest = held[len(held) - recent :]
                older = held[: len(held) - recent]
                heavy = [older[c] for c in top([sums[g][j] for j in older], budget - recent)]
                held = heavy + newest
            visible[g] = held
        states.append([list(v) for v in visible])
    return states


def naive_tova(history: list[Any], prompt: int, budget: int) -> list[list[int]]:
    """Kept positions, the same for all heads, after the prompt and after each step."""
    visible = list(range(prompt))
    states = []
    for q, k, scaling in history:
        heads, kv_heads = q.shape[0], k.shape[0]
        last = k.shape[1] - 1
        held = visible + ([last] if last not in visible else [])
        mean = torch.zeros(len(held), dtype=torch.float64)
        for h in range(heads):
            g = h // (heads // kv_heads)
            mean += (k[g, held].double() @ q[h, -1].double() * scaling).softmax(0) / heads
        if len(held) > budget:
            held = [held[c] for c in top(mean.tolist(), budget)]
        visible = held
        states.append(list(visible))
    return states


def watched(model: Any, spec: str, prompt: list[int], after: list[int]) -> tuple[list[list[Any]], list[list[list[list[int]]]]]:
    """For each layer the history that the naive ones read, and what was kept after each forward, per kv-head."""
    states: list[list[list[list[int]]]] = [[], []]
    history: list[list[Any]] = [[], []]
    keys: list[Any] = [None, None]
    with spied(model, spec) as (seen, _):
        past = None
        for i in range(len(after) + 1):
            row = prompt if i == 0 else [after[i - 1]]
            _, cache, mask = feed(model, [row], past=past)
            past = cache, mask
            end_prompt(cache)
            for layer in range(2):
                s = seen[layer][i]
                new = s["k"][0, :, -len(row) :]
                keys[layer] = new if i == 0 else torch.cat([keys[layer], new], 1)
                history[layer].append((s["q"][0], keys[layer], s["scaling"]))
                pos = kept(cache, layer)
                states[layer].append(pos)
    return history, states


def test_h2o_keeps_the_heavy_hitters_step_by_step(tiny: Any) -> None:
    for spec, budget, recent in [("h2o(budget=12, recent=4)", 12, 4), ("h2o(budget=9, recent=0)", 9, 0)]:
        history, states = watched(tiny("llama"), spec, words(30), words(20, 1))
        for layer in range(2):
            assert states[layer] == naive_h2o(history[layer], 30, 2, budget, recent)


def test_h2o_without_heavy_hitters_is_a_window(tiny: Any) -> None:
    _, states = watched(tiny("llama"), "h2o(budget=7, recent=7)", words(20), words(3, 1))
    assert states[1][-1] == [list(range(16, 23))] * 2


def test_tova_drops_what_the_newest_looks_at_least(tiny: Any) -> None:
    history, states = watched(tiny("llama"), "tova(budget=12)", words(30), words(20, 1))
    for layer in range(2):
        assert [s[0] for s in states[layer]] == naive_tova(history[layer], 30, 12)
    # Fed one by one it is another history, and another choice.
    history, states = watched(tiny("llama"), "tova(budget=12)", words(1), words(49, 1))
    for layer in range(2):
        assert [s[0] for s in states[layer]] == naive_tova(history[layer], 1, 12)


def naive_streaming_llm_kept(tokens: int, start: int, recent: int) -> list[int]:
    return [p for p in range(tokens) if p < start or tokens - p < recent]


def test_streaming_keeps_the_first_and_the_newest_of_each_row(tiny: Any) -> None:
    rows = [words(40, 1), words(23, 2), words(4, 3)]
    with applied(tiny("llama"), "streaming-llm(start=3, recent=8)"):
        _, cache, _ = feed(tiny("llama"), rows)
        end_prompt(cache)
    for row, tokens in enumerate([40, 23, 4]):
        assert kept(cache, 0, row) == [naive_streaming_llm_kept(tokens, 3, 8)]


# ------------------------------------------------------------------ KIVI


def naive_kivi(keys: Any, values: Any, bits: int, group: int, residual: int) -> tuple[Any, Any]:
    """What a row (kv_heads, tokens, head_dim) reads back as, group by group."""
    heads, tokens, dim = keys.shape
    k, v = keys.clone(), values.clone()

    def coded(x: Any) -> Any:
        low, high = x.min(), x.max()
        scale = (high - low) / (2**bits - 1)
        return torch.stack([low if scale == 0 else ((n - low) / scale).round() * scale + low for n in x])

    for h in range(heads):
        for start in range(0, tokens - tokens % residual, group):
            for c in range(dim):
                k[h, start : start + group, c] = coded(keys[h, start : start + group, c])
        for i in range(max(0, tokens - residual)):
            for c in range(0, dim, group):
                v[h, i, c : c + group] = coded(values[h, i, c : c + group])
    return k, v


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 32, 40])
def test_kivi_reads_back_what_the_definition_says(tiny: Any, bits: int, tokens: int) -> None:
    model, steps = tiny("llama"), 19
    spec = f"kivi(bits={bits}, group=8, residual=16)"
    with spied(model, spec) as (seen, _):
        _, cache, _ = feed(model, [words(tokens)], after=[words(steps, 1)])
    for layer in range(2):
        full = [torch.cat([seen[layer][0][n][0]] + [s[n][0, :, -1:] for s in seen[layer][1:]], 1) for n in ("k", "v")]
        got = cache.layers[layer].read()
        for ours, naive in zip(got, naive_kivi(*full, bits, 8, 16), strict=True):
            torch.testing.assert_close(ours[0], naive, atol=1e-5, rtol=1e-5)


def test_kivis_groups_begin_at_each_rows_first_token(tiny: Any) -> None:
    model, rows = tiny("llama"), [words(40, 1), words(23, 2), words(5, 3)]
    with spied(model, "kivi(group=8, residual=16)") as (seen, _):
        _, cache, _ = feed(model, rows, after=[words(14, i) for i in range(3)])
    for layer in range(2):
        keys, values = cache.layers[layer].read()
        for row, tokens in enumerate([40, 23, 5]):
            full = [
                torch.cat([seen[layer][0][n][row, :, -tokens:]] + [s[n][row, :, -1:] for s in seen[layer][1:]], 1)
                for n in ("k", "v")
            ]
            naive = naive_kivi(*full, 2, 8, 16)
            torch.testing.assert_close(keys[row, :, -tokens - 14 :], naive[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(values[row, :, -tokens - 14 :], naive[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_kivis_packing_is_undone_and_its_error_bounded(bits: int) -> None:
    method = catalog.make(f"kivi(bits={bits}, group=16, residual=16)", "methods")
    codes = torch.randint(0, 2**bits, (3, 5, 16)).float()
    codes[..., :2] = torch.tensor([0, 2**bits - 1])
    assert torch.equal(decode(encode(codes, bits), bits, codes), codes), "whole numbers over the whole range are exact"
    x = torch.randn(1, 2, 32, 16)
    x[..., 3] = 7.25
    coded = method.encode_keys(x, None, None)
    back = method.decode_keys(coded, x, None)
    assert (back[..., 3] == 7.25).all(), "a group of equal numbers"
    assert ((back - x).abs() <= coded[1].transpose(-1, -2).repeat_interleave(16, 3).flatten(2, 3) / 2 + 1e-5).all()
    assert coded[0].dtype == torch.uint8 and coded[0].numel() == x.numel() * bits // 8
    values = method.encode_values(x, None, None)
    assert (method.decode_values(values, x, None) - x).abs().max() <= values[1].max() / 2 + 1e-5


def test_kivi_is_better_per_channel_where_one_channel_is_large() -> None:
    method = catalog.make("kivi(bits=2, group=16, residual=16)", "methods")
    x = torch.randn(1, 1, 64, 16)
    x[..., 5] += 40
    by_channel = (method.decode_keys(method.encode_keys(x, None, None), x, None) - x).abs().mean()
    by_token = (method.decode_values(method.encode_values(x, None, None), x, None) - x).abs().mean()
    assert by_channel < by_token / 5


def test_kivi_holds_the_bytes_it_says(tiny: Any) -> None:
    """Beyond rounding: a long cache at 2 bits takes little more than an eighth of float32 with its scales."""
    model = tiny("llama", hidden_size=128, head_dim=32)
    with applied(model, "kivi(bits=2, group=32, residual=32)") as stack:
        _, cache, _ = feed(model, [words(960)], after=[words(2)])
    said = stack.methods[0].bound(962, 32, 4, 2) * 2
    held = tensor_bytes(cache)
    positions = 962 * 4 * 2
    spare = SPARE * 2 * 32 * 4 * 2 * 2
    assert said <= held <= said * 1.02 + spare + positions
    assert held < 0.2 * (962 * 32 * 2 * 4 * 2 * 2)
