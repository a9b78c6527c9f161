"""HiP attention against its tree search on lists, and how good what it finds is."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.methods.attention.hip_attention import HipAttention  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, spied  # noqa: E402

SETTINGS: dict[str, Any] = dict(top=6, block_q=4, block_k=2, first=2, window=3, dense=0)
SPEC = "hip-attention(top=6, block_q=4, first=2, window=3, dense=0)"


def naive_hip_attention(q: Any, k: Any, top: int, block: int) -> tuple[list[int], int]:
    """Key blocks that one head finds with sampled queries q (rows, head_dim) among k (keys, head_dim), and looks taken."""
    count, blocks, looks = top // block, math.ceil(len(k) / block), 0
    nodes = [(i * blocks // count, (i + 1) * blocks // count) for i in range(count)]
    while any(b - a > 1 for a, b in nodes):
        halves = []
        for a, b in nodes:
            half = a + (b - a) // 2
            halves += [(x, y) for x, y in ((a, half), (half, b)) if y > x]
        scores = []
        for a, b in halves:
            c = (a + b) // 2
            scores.append(max(float(x @ y) for x in q for y in k[c * block : (c + 1) * block]))
            looks += 1
        best = sorted(range(len(halves)), key=lambda i: (-scores[i], i))[:count]
        nodes = [halves[i] for i in sorted(best)]
    return [a for a, _ in nodes], looks


@pytest.mark.parametrize(("length", "kv_heads"), [(9, 2), (30, 1), (47, 4), (61, 2)])
def test_it_reads_what_the_search_finds(tiny: Any, length: int, kv_heads: int) -> None:
    model = tiny("llama", num_key_value_heads=kv_heads)
    with spied(model, SPEC) as (seen, outs):
        feed(model, [words(length)], after=[words(2, 1)])
    for layer in range(2):
        for at, s in enumerate(seen[layer]):
            start = s["k"].shape[2] - s["q"].shape[2]
            for h in range(4):
                g, reads = h // (4 // kv_heads), {}
                for i in range(start, s["k"].shape[2]):
                    a = i - i % 4 if not at else i
                    b = min(a + 4, s["k"].shape[2]) if not at else i + 1
                    end = a + 1 - 3
                    reads[i] = set(range(2)) | set(range(max(0, end), i + 1))
                    if end - 2 > 6:
                        found = naive_hip_attention(s["q"][0, h, a - start : b - start : 2], s["k"][0, g, 2:end], 6, 2)[0]
                        reads[i] |= {2 + 2 * c + o for c in found for o in range(2)}
                    else:
                        reads[i] |= set(range(i + 1))

                def rule(i: int, j: int, reads: dict[int, set[int]] = reads) -> tuple[float, float] | None:
                    return (i, j) if j in reads[i] else None

                one = by_pairs(s["q"][0, h : h + 1], s["k"][0, g : g + 1], s["v"][0, g : g + 1], rule, s["scaling"])
                torch.testing.assert_close(outs[layer][at][0].view(-1, 4, 8)[:, h], one, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("keys", [33, 64, 129, 500])
def test_the_search_is_the_slow_one_and_takes_few_looks(keys: int) -> None:
    torch.manual_seed(keys)
    q, k = torch.randn(2, 3, 8), torch.randn(1, keys, 8)
    method = HipAttention(**SETTINGS | {"top": 16})
    found = method.search(q, k)
    for h in range(2):
        blocks, looks = naive_hip_attention(q[h], k[0], 16, 2)
        assert found[h].tolist() == blocks == sorted(set(blocks))
        # One more level for twice the keys.
        assert looks <= 2 * 8 * (math.ceil(math.log2(keys / 16)) + 1)


def test_a_single_peak_is_found_and_keys_that_change_slowly_are_found_mostly() -> None:
    method = HipAttention(**SETTINGS | {"top": 16})
    near = torch.arange(200) - 121
    peak = torch.stack([-(near.float() ** 2), torch.zeros(200)], -1)[None]
    best = peak[0, :, 0].topk(14).indices.tolist()
    found = {2 * c + o for c in method.search(torch.tensor([[[1.0, 0.0]]]), peak)[0].tolist() for o in range(2)}
    assert set(best) <= found
    torch.manual_seed(0)
    walk = torch.randn(1, 400, 8).cumsum(1)
    walk, q, recall = walk - walk.mean(1, keepdim=True), torch.randn(32, 1, 8), []
    for h in range(32):
        found = {2 * c + o for c in method.search(q[h : h + 1], walk)[0].tolist() for o in range(2)}
        recall.append(len(found & set((walk[0] @ q[h, 0]).topk(16).indices.tolist())) / 16)
    # Random sets of that size have 0.04.
    assert sum(recall) / 32 > 0.4


def test_a_step_is_a_row_of_the_prompt_in_blocks_of_one(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, HipAttention(**SETTINGS | {"block_q": 1})):
        prompt = words(40)
        steps = feed(model, [prompt[:37]], after=[prompt[37:]])[0][:, -1]
        torch.testing.assert_close(steps, feed(model, [prompt])[0][:, -1], atol=2e-4, rtol=1e-4)


def test_whole_blocks_give_what_one_prefill_gives(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, SPEC):
        whole = feed(model, [words(41)])[0]
        torch.testing.assert_close(feed(model, [words(41)], pieces=(16, 20, 5))[0], whole, atol=2e-4, rtol=1e-4)


def test_dense_layers_are_left_alone(tiny: Any) -> None:
    with spied(tiny("llama"), SPEC.replace("dense=0", "dense=1")) as (seen, outs):
        feed(tiny("llama"), [words(30)])
    s = seen[0][0]
    dense = by_pairs(s["q"][0], s["k"][0], s["v"][0], lambda i, j: (i, j), s["scaling"])
    torch.testing.assert_close(outs[0][0][0], dense, atol=2e-5, rtol=1e-4)
    with pytest.raises(UserError, match="2 layers"), applied(tiny("llama"), "hip-attention"):
        pass
