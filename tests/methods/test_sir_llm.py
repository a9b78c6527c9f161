"""SirLLM against a list of tokens with their surprise, and what survives rounds of boilerplate."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
t = pytest.importorskip("transformers")

from leadline import applied  # noqa: E402
from leadline.models.local import load  # noqa: E402
from leadline.models.seams.store import end_prompt  # noqa: E402
from leadline.nouns import UserError  # noqa: E402

from .conftest import feed, forward, words  # noqa: E402
from .oracles import by_pairs, spied  # noqa: E402


def naive_sir_llm(held: list[tuple[int, float]], start: int, entropy: int, recent: int) -> list[tuple[int, float]]:
    """What is left of (position, surprise) pairs when a round's prompt has ended."""
    if len(held) <= start + entropy + recent:
        return held
    order = sorted(range(len(held)), key=lambda i: (-held[i][1], i))
    kept = {i for i in order[:entropy]} | {i for i in range(len(held)) if held[i][0] < start}
    for i in reversed(range(len(held))):
        if len(kept) < start + entropy + recent:
            kept.add(i)
    return [held[i] for i in sorted(kept)]


def surprises(logits: Any, ids: list[int], before: Any = None) -> list[float]:
    """Minus log likelihood of each token by the logits before it; None for the first where there are none."""
    rows = ([] if before is None else [before]) + list(logits)
    out = [] if before is not None else [math.nan]
    return (out + [-float(row.double().log_softmax(-1)[i]) for row, i in zip(rows, ids[len(out) :], strict=False)])[: len(ids)]


@pytest.mark.parametrize(
    ("start", "entropy", "recent", "decay"), [(2, 6, 4, 0.7), (3, 9, 0, 1.0), (2, 0, 9, 1.0), (0, 8, 2, 0.0)]
)
def test_what_is_kept_over_rounds_is_the_lists(tiny: Any, start: int, entropy: int, recent: int, decay: float) -> None:
    model, held, at, mask, before = tiny("llama"), [], 0, torch.ones(1, 0, dtype=torch.long), None
    with applied(model, f"sir-llm(start={start}, entropy={entropy}, recent={recent}, decay={decay})"), torch.no_grad():
        cache = t.DynamicCache(config=model.config)
        for turn in range(4):
            for step, n in enumerate((15, 1, 1, 1)):
                ids = words(n, 10 * turn + step)
                mask = torch.cat([mask, torch.ones(1, n, dtype=torch.long)], -1)
                logits = forward(model, torch.tensor([ids]), mask, cache)[0]
                if step == 0:
                    e = surprises(logits, ids)
                    e[0] = max(e[1:])
                    held = [(p, x * decay) for p, x in held]
                else:
                    e = surprises(logits, ids, before)
                before = logits[-1]
                held += [(at + i, x) for i, x in enumerate(e)]
                at += n
                if step == 0:
                    end_prompt(cache)
                    held = naive_sir_llm(held, start, entropy, recent)
                for layer in cache.layers:
                    assert layer.pos[0, 0].tolist() == [p for p, _ in held]
                    torch.testing.assert_close(layer.notes["sir-llm"][0, 0], torch.tensor([x for _, x in held]))
            assert len(held) <= start + entropy + recent + 3


def test_attention_is_by_places_in_the_cache(tiny: Any) -> None:
    model = tiny("llama")
    inv_freq = model.model.rotary_emb.inv_freq.tolist()
    with spied(model, "sir-llm(start=2, entropy=6, recent=4)") as (seen, outs):
        _, cache, mask = feed(model, [words(40)])
        end_prompt(cache)
        feed(model, [words(9, 2)], past=(cache, mask))
    for layer in range(2):
        s = seen[layer][1]
        assert s["k"].shape[2] == 12 + 9
        oracle = by_pairs(s["q"][0], s["k"][0], s["v"][0], lambda i, j: (i, j), s["scaling"], inv_freq)
        torch.testing.assert_close(outs[layer][1][0], oracle, atol=2e-5, rtol=1e-4)


def test_pieces_and_padding_have_the_surprise_of_one_prompt(tiny: Any) -> None:
    model, rows = tiny("llama"), [words(40, 1), words(23, 2)]
    with applied(model, "sir-llm(start=2, entropy=100)"):
        notes = []
        for cache in (feed(model, rows)[1], feed(model, rows, pieces=(9, 17, 14))[1], *(feed(model, [r])[1] for r in rows)):
            notes.append(
                [one[mask] for layer in cache.layers for one, mask in zip(layer.notes["sir-llm"], layer.valid, strict=True)]
            )
    for a, b in zip(notes[0], notes[1], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    for a, b in zip(notes[0][:2], [notes[2][0], notes[3][0]], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_scaled_logits_and_missing_heads_are_refused(tiny: Any) -> None:
    with applied(tiny("llama").model, "sir-llm"), pytest.raises(UserError, match="output head"):
        tiny("llama").model(torch.tensor([words(5)]))
    assert len(tiny("llama").model._forward_hooks) == 0


def survives(minnow: Any, spec: str, rounds: int) -> int:
    """Tokens of a planted phrase that are held after rounds of boilerplate."""
    plain = minnow.tokenizer.ids("The weather is fine today. The weather is fine today. ")
    rare = minnow.tokenizer.ids("Zyx 7391 quorv.")
    at, length = len(plain), 0
    with applied(minnow.module, spec):
        cache, mask = None, None
        for turn in range(rounds + 1):
            ids = plain + rare + plain if turn == 0 else plain
            past = None if cache is None else (cache, mask)
            _, cache, mask = feed(minnow.module, [ids], past=past)
            end_prompt(cache)
            length += len(ids)
    held = set(cache.layers[-1].pos[0, 0].tolist())
    assert max(held) == length - 1 or "recent=0" in spec
    return len(held & set(range(at, at + len(rare))))


def test_a_surprise_outlives_a_window_of_the_same_size_and_fades_with_decay() -> None:
    minnow = load("minnow", device="cpu")
    assert survives(minnow, "streaming-llm(start=2, recent=31)", 4) == 0
    kept = {
        d: [survives(minnow, f"sir-llm(start=2, entropy=24, recent=6, decay={d})", k) for k in (0, 2, 4)] for d in (1.0, 0.3)
    }
    assert min(kept[1.0]) >= 1, kept
    assert kept[0.3][-1] < kept[1.0][-1], kept
