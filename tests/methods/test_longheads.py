"""LongHeads: three nested loops over heads, queries and chunks; pieces, padding, ties and guesses taken back."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from leadline import applied, catalog  # noqa: E402
from leadline.models.local import load  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, generated, words  # noqa: E402
from .oracles import rotate, spied  # noqa: E402

CLOSE = {"atol": 2e-4, "rtol": 1e-4}
SPEC = "longheads(attended=20, chunk=4)"


def attention(q: list[list[float]], k: list[list[float]], v: list[list[float]], scaling: float) -> list[list[float]]:
    """Each query reads all keys."""
    out = []
    for one in q:
        logits = [scaling * sum(a * b for a, b in zip(one, key, strict=True)) for key in k]
        weights = [math.exp(x - max(logits)) for x in logits]
        out.append([sum(w * x[c] for w, x in zip(weights, v, strict=True)) / sum(weights) for c in range(len(v[0]))])
    return out


def naive_longheads(
    q: list[list[float]], k: list[list[float]], v: list[list[float]], w: int, count: int, scaling: float, inv_freq: list[float]
) -> tuple[list[list[float]], list[list[int]]]:
    """One head: output of each query, and the chunks that it read."""
    tokens = len(q)

    def turned(x: list[list[float]], start: int = 0) -> list[list[float]]:
        return [rotate(one, start + at, inv_freq) for at, one in enumerate(x)]

    features = []
    for at in range(0, tokens - w + 1, w):
        own_q, own_k = turned(q[at : at + w]), turned(k[at : at + w])
        out = attention(own_q, own_k, v[at : at + w], len(q[0]) ** -0.5)
        mean = [sum(column) / w for column in zip(*out, strict=True)]
        features.append(attention([mean], own_k, own_k, len(q[0]) ** -0.5)[0])
    outs, reads = [], []
    for i in range(tokens):
        n = i // w
        forced = sorted({0, max(0, n - 1), n})
        others = [g for g in range(n) if g not in forced]
        others.sort(key=lambda g: (-sum(a * b for a, b in zip(q[i], features[g], strict=True)), g))
        read = sorted(forced + others[: count - len(forced)])
        places = [j for g in read for j in range(g * w, min((g + 1) * w, i + 1))]
        keys = turned([k[j] for j in places])
        query = rotate(q[i], len(places) - 1, inv_freq)
        outs.append(attention([query], keys, [v[j] for j in places], scaling)[0])
        reads.append(read)
    return outs, reads


@pytest.mark.parametrize("length", [7, 20, 41, 64])
def test_it_is_the_definition_by_loops(tiny: Any, length: int) -> None:
    model = tiny("llama")
    inv_freq = model.model.rotary_emb.inv_freq.tolist()
    different = False
    with spied(model, SPEC) as (seen, outs):
        feed(model, [words(length)])
    for layer in range(2):
        s = seen[layer][0]
        reads = []
        for h in range(4):
            q, k, v = s["q"][0, h].tolist(), s["k"][0, h // 2].tolist(), s["v"][0, h // 2].tolist()
            wanted, read = naive_longheads(q, k, v, 4, 5, s["scaling"], inv_freq)
            torch.testing.assert_close(outs[layer][0][0].view(length, 4, 8)[:, h], torch.tensor(wanted), atol=2e-5, rtol=1e-4)
            reads.append(read)
        different |= any(read != reads[0] for read in reads)
    assert different or length <= 20, "heads choose alike: the test shows little"


def test_it_is_plain_where_all_is_attended(tiny: Any) -> None:
    model = tiny("llama")
    for length, same in ((20, True), (40, False)):
        plain = feed(model, [words(length)])[0]
        with applied(model, SPEC):
            assert torch.allclose(feed(model, [words(length)])[0], plain, **CLOSE) is same


@pytest.mark.parametrize("other", ["", " + entropy-abf(exempt=0, trained=8)"])
def test_choosing_all_chunks_is_dense(tiny: Any, other: str) -> None:
    """Early queries of a long prompt choose all there is; those of a short one go the dense way."""
    outs = []
    for length in (20, 41):
        with spied(tiny("llama"), SPEC + other) as (_, out):
            feed(tiny("llama"), [words(41)[:length]])
        outs.append([out[layer][0][0, :20] for layer in range(2)])
    torch.testing.assert_close(outs[0], outs[1], atol=2e-5, rtol=1e-4)


def test_token_by_token_and_pieces_are_one_prefill(tiny: Any) -> None:
    model, prompt = tiny("llama"), words(50)
    with applied(model, SPEC):
        once = feed(model, [prompt])[0]
        for pieces in ((1,) * 50, (3, 20, 8, 19)):
            torch.testing.assert_close(feed(model, [prompt], pieces=pieces)[0], once, **CLOSE)


def test_of_equal_chunks_the_earlier_is_read() -> None:
    method = catalog.make(SPEC, "methods")
    features = torch.zeros(1, 1, 9, 2)
    assert method.choose(torch.ones(1, 1, 1, 2), torch.tensor([[8]]), features, 5).flatten().tolist() == [0, 1, 2, 7, 8]
    features[0, 0, [4, 5]] = 1.0
    assert method.choose(torch.ones(1, 1, 1, 2), torch.tensor([[8]]), features, 5).flatten().tolist() == [0, 4, 5, 7, 8]
    assert method.choose(torch.ones(1, 1, 1, 2), torch.tensor([[2]]), features, 5).flatten().tolist() == [-1, -1, 0, 1, 2]


def test_guesses_that_are_taken_back_leave_nothing(tiny: Any) -> None:
    model, prompt = tiny("llama"), words(12) * 3
    with applied(model, SPEC):
        plain = generated(model, prompt, new=24)
    with applied(model, f"{SPEC} + prompt-lookup"):
        assert generated(model, prompt, new=24) == plain


def test_other_parts_compose(tiny: Any) -> None:
    model, rows = tiny("llama"), [words(40, 1), words(31, 2)]
    for other in ("yarn(factor=2, beta_fast=8)", "snapkv(budget=16, window=4)", "entropy-abf(exempt=0, trained=16)"):
        with applied(model, f"{SPEC} + {other}"):
            together = feed(model, rows, after=[words(3), words(3, 1)])[0]
            alone = feed(model, rows[1:], after=[words(3, 1)])[0]
        torch.testing.assert_close(together[1:], alone, **CLOSE)


def test_sizes_must_leave_a_choice(tiny: Any) -> None:
    assert catalog.make("longheads", "methods").sizes(4096) == (256, 16)
    with pytest.raises(UserError, match="quarter of attended"), applied(tiny("llama"), "longheads(chunk=32)"):
        pass
    model = load("minnow")
    with applied(model, "longheads"):
        assert model.window is None
