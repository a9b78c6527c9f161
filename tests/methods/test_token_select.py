"""TokenSelect against votes and rotations written out in loops."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402
from leadline.methods.attention import token_select  # noqa: E402
from leadline.methods.attention.token_select import TokenSelect  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, rotate, spied  # noqa: E402

SPEC = "token-select(first=2, top=4, local=6, chunk=5)"


def naive_token_select(q: Any, k: Any, first: int, top: int, local: int, inv_freq: list[float]) -> list[int]:
    """Columns that a chunk reads; unrotated q (heads, chunk, head_dim), k (kv_heads, keys, head_dim) up to its end."""
    heads, rows, dim = q.shape
    keys = k.shape[1]
    if keys <= first + top + local:
        return list(range(keys))
    votes = [0.0] * keys
    for h in range(heads):
        mean = [0.0] * dim
        for r in range(rows):
            for c, x in enumerate(rotate(q[h, r].tolist(), local + r, inv_freq)):
                mean[c] += x / rows
        own = k[h // (heads // k.shape[0])]
        logits = [sum(x * y for x, y in zip(mean, own[j].tolist(), strict=True)) for j in range(first, keys - local)]
        total = sum(math.exp(x - max(logits)) for x in logits)
        for j, x in enumerate(logits):
            votes[first + j] += math.exp(x - max(logits)) / total
    assert sum(votes) == pytest.approx(heads)
    chosen = sorted(range(first, keys - local), key=lambda j: (-votes[j], j))[:top]
    return [*range(first), *sorted(chosen), *range(keys - local, keys)]


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_it_reads_what_heads_vote_for_at_packed_positions(tiny: Any, kv_heads: int) -> None:
    model = tiny("llama", num_key_value_heads=kv_heads)
    inv_freq = model.model.rotary_emb.inv_freq.tolist()
    with spied(model, SPEC) as (seen, outs):
        feed(model, [words(28)], after=[words(2, 1)])
    for layer in range(2):
        for at, s in enumerate(seen[layer]):
            q, k, v = s["q"][0], s["k"][0], s["v"][0]
            start = k.shape[1] - q.shape[1]
            for a in range(start - start % 5 if not at else start, k.shape[1], 5):
                b = min(a + 5, k.shape[1])
                part = q[:, a - start : b - start]
                columns = naive_token_select(part, k[:, :b], 2, 4, 6, inv_freq)
                assert len(columns) <= 12
                one = by_pairs(part, k[:, columns], v[:, columns], lambda i, j: (i, j), s["scaling"], inv_freq)
                torch.testing.assert_close(outs[layer][at][0][a - start : b - start], one, atol=5e-5, rtol=1e-4)


def test_votes_by_hand() -> None:
    """Heads that give (.9, .1, 0) and (.2, .3, .5) choose the first, then the first and the last."""
    votes = torch.tensor([[0.9, 0.1, 1e-9], [0.2, 0.3, 0.5]])
    keys = votes.log().T[None].contiguous()  # [1, 3 keys, 2 channels]: channel h is the logit that head h gives
    for top, chosen in ((1, [0]), (2, [0, 2])):
        assert TokenSelect(top=top).choose(torch.eye(2), keys).tolist() == chosen


def test_whole_chunks_give_what_one_prefill_gives(tiny: Any) -> None:
    model = tiny("llama")
    with applied(model, SPEC):
        whole = feed(model, [words(33)])[0]
        torch.testing.assert_close(feed(model, [words(33)], pieces=(5, 20, 8))[0], whole, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_similar_query_reads_what_was_chosen_before(tiny: Any, monkeypatch: Any, rows: int) -> None:
    model, count = tiny("llama"), []
    choose = TokenSelect.choose
    monkeypatch.setattr(TokenSelect, "choose", lambda *a: count.append(0) or choose(*a))
    outs = {}
    for similarity in (None, 1.1, 0.9, -1.1):
        with applied(model, TokenSelect(first=2, top=4, local=6, chunk=5, similarity=similarity)):
            prompts = [words(30), words(25, 2)][:rows]
            cache, mask = feed(model, prompts)[1:]
            count.clear()
            out = torch.stack([feed(model, [[w]] * rows, past=(cache, mask_of(mask, i)))[0] for i, w in enumerate(words(6, 3))])
        outs[similarity] = out, len(count)
    assert torch.equal(outs[1.1][0], outs[None][0])
    assert outs[None][1] == outs[1.1][1] == 2 * 6 * rows
    # Each layer chooses once for each row.
    assert outs[-1.1][1] == 2 * rows <= outs[0.9][1] <= 2 * 6 * rows
    torch.testing.assert_close(outs[-1.1][0][0], outs[None][0][0])
    assert not torch.allclose(outs[-1.1][0][-1], outs[None][0][-1], atol=1e-3)


def mask_of(mask: Any, more: int) -> Any:
    return torch.cat([mask, mask.new_ones(len(mask), more)], -1)


def test_no_position_is_beyond_what_is_read(tiny: Any, monkeypatch: Any) -> None:
    """Whatever the length, so the trained one is no limit."""
    model, largest = tiny("llama"), []
    turned = token_select.turned
    monkeypatch.setattr(token_select, "turned", lambda *a: largest.append(int(a[3].max())) or turned(*a))
    with applied(model, SPEC):
        feed(model, [words(150)], after=[words(2)])
    assert max(largest) == 2 + 4 + 6 - 1
    assert catalog.make(SPEC, "methods").reach(64) is None and TokenSelect().reach(64) == 64


def test_it_composes_with_other_frequencies_of_each_row(tiny: Any) -> None:
    model, rows = tiny("llama"), [words(90), words(31, 1)]
    with applied(model, f"dynamic-ntk + {SPEC}"):
        together = feed(model, rows, after=[[5], [6]])[0]
        for i, row in enumerate(rows):
            alone = feed(model, [row], after=[[5 + i]])[0]
            torch.testing.assert_close(together[i : i + 1], alone, atol=2e-4, rtol=1e-4)
