"""Dual chunk attention: the paper's table of distances, pairwise oracle, and pieces of any size."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from leadline import applied, catalog  # noqa: E402
from leadline.data.haystack import Builder  # noqa: E402
from leadline.models.local import Request, load  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, words  # noqa: E402
from .oracles import by_pairs, spied  # noqa: E402

CLOSE = {"atol": 2e-4, "rtol": 1e-4}


def naive_dual_chunk(i: int, j: int, chunk: int, local: int) -> tuple[int, int]:
    """Where query and key are rotated to."""
    stride = chunk - local
    apart = i // stride - j // stride
    if apart == 0:
        return i % stride, j % stride
    if apart == 1:
        return min(i % stride + stride, chunk), j % stride
    return min(2 * stride - 1, chunk), j % stride


def test_the_toy_rows() -> None:
    def row(i: int) -> list[int]:
        return [a - b for a, b in (naive_dual_chunk(i, j, 6, 2) for j in range(i + 1))]

    assert row(9) == [6, 5, 4, 3, 5, 4, 3, 2, 1, 0]
    assert row(13) == [6, 5, 4, 3, 6, 5, 4, 3, 5, 4, 3, 2, 1, 0]
    assert max(max(row(i)) for i in range(200)) == 6


@pytest.mark.parametrize("chunk, local", [(6, 2), (11, 4), (9, 6), (5, 1)])
def test_each_pair_is_in_one_view_and_attention_is_the_pairwise_definition(tiny: Any, chunk: int, local: int) -> None:
    model, spec = tiny("llama"), f"dual-chunk(chunk_size={chunk}, local_size={local})"
    inv_freq = model.model.rotary_emb.inv_freq.tolist()
    for length in (4, 7, 26):
        with spied(model, spec) as (seen, outs):
            feed(model, [words(length)])
        for layer in range(2):
            s = seen[layer][0]
            oracle = by_pairs(
                s["q"][0], s["k"][0], s["v"][0], lambda i, j: naive_dual_chunk(i, j, chunk, local), s["scaling"], inv_freq
            )
            torch.testing.assert_close(outs[layer][0][0], oracle, atol=2e-5, rtol=1e-4)


def test_it_is_plain_up_to_its_largest_distance(tiny: Any) -> None:
    model, spec = tiny("llama"), "dual-chunk(chunk_size=20, local_size=6)"
    for length, same in ((14, True), (21, True), (23, False)):
        plain = feed(model, [words(length)])[0]
        with applied(model, spec):
            assert torch.allclose(feed(model, [words(length)])[0], plain, **CLOSE) is same, length


def test_token_by_token_and_pieces_are_one_prefill(tiny: Any) -> None:
    model, prompt = tiny("llama"), words(50)
    with applied(model, "dual-chunk(chunk_size=11, local_size=4, log_scale=true)"):
        once = feed(model, [prompt])[0]
        for pieces in ((1,) * 50, (3, 20, 8, 19)):
            torch.testing.assert_close(feed(model, [prompt], pieces=pieces)[0], once, **CLOSE)


def test_the_log_scale_is_the_papers_beyond_the_trained_length(tiny: Any) -> None:
    method = catalog.make("dual-chunk(log_scale=true)", "methods")

    class Layer:
        trained = 64

    factors = method.temper(Layer, torch.tensor([[0, 63, 127, 255]]))
    wanted = [1, 1, (0.1 * math.log(2) + 1) ** 2, (0.1 * math.log(4) + 1) ** 2]
    assert factors[0].tolist() == pytest.approx(wanted, rel=1e-5)


def test_sizes_follow_the_trained_length_and_must_leave_a_chunk(tiny: Any) -> None:
    assert catalog.make("dual-chunk", "methods").sizes(4096) == (3072, 3072 - 512)
    with pytest.raises(UserError, match="local_size"):
        catalog.make("dual-chunk(chunk_size=8, local_size=8)", "methods")
    with pytest.raises(UserError, match="local_size"), applied(tiny("llama"), "dual-chunk(local_size=48)"):
        pass


def test_minnow_reads_four_times_as_far(tokenizer: Any) -> None:
    """The papers' claim, on a small scale: no training, and what is far away is found."""
    model, task = load("minnow"), catalog.make("needle", "tasks")
    length = 4 * model.window - 50
    items = task.items(8, seed=3)
    prompts = [Builder(tokenizer).build(item, length) for item in items]

    def found() -> int:
        # So that prompts beyond the plain model's window are read too.
        model.window = None
        asked = [Request(text=p.text, max_tokens=p.answer_tokens, stop=p.stop) for p in prompts]
        scores = [task.score(p.answers, i, a) for p, i, a in zip(prompts, items, model.generate(asked), strict=True)]
        return sum(score.value == 1 for score in scores)

    plain = found()
    with applied(model, "dual-chunk"):
        assert found() >= max(6, plain + 2), plain
