"""The training loop and the structured start, on models of a few thousand weights."""

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from leadline.training.data.reader import ANSWER, Batch
from leadline.training.examine import right
from leadline.training.pretrain import Phase, Plan, hidden, train
from leadline.training.priming import prime

PIECES = 600


def fresh(seed=0, primed=True, layers=2):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=PIECES, hidden_size=128, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
        head_dim=64, tie_word_embeddings=True, max_position_embeddings=256,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    if primed:
        prime(model, seed=seed)
    return model


def test_forward_equals_transformers():
    model = fresh().eval()
    ids = torch.randint(0, PIECES, (2, 50))
    with torch.no_grad():
        ours = hidden(model, ids, torch.float32) @ model.model.embed_tokens.weight.T
        assert torch.allclose(ours, model(ids).logits, atol=1e-4)


def pull(model, n=60):
    """By how much a repeated context lifts the token that followed it, and in what share of trials it is in the top ten."""
    gen = torch.Generator().manual_seed(5)
    lifts, hits = [], 0
    for _ in range(n):
        ids = torch.randperm(PIECES, generator=gen)[:120]
        at = int(torch.randint(10, 100, (1,), generator=gen))
        seen = torch.cat([ids, ids[at - 2 : at + 1]])
        with torch.no_grad():
            logits = model(seen[None]).logits[0, -1]
        lifts.append(float(logits[ids[at + 1]] - logits.mean()))
        hits += bool(ids[at + 1] in logits.topk(10).indices)
    return np.mean(lifts), hits / n


def test_primed_model_looks_up_before_any_training():
    """The point of the structured start; the control is the same model with an ordinary one."""
    primed, plain = pull(fresh())[1], pull(fresh(primed=False))[1]
    assert primed > 0.5 > 0.2 > plain


def toy(rng: random.Random, number: int, phase: Phase) -> Batch:
    """Sequences that repeat their first half."""
    source = np.random.default_rng(rng.getrandbits(32))
    half = source.integers(0, PIECES, (phase.rows, phase.length // 2))
    ids = np.concatenate([half, half], 1)
    rows, columns = np.meshgrid(np.arange(phase.rows), np.arange(phase.length // 2, phase.length - 1), indexing="ij")
    positions = (rows * phase.length + columns).ravel()
    targets = ids.ravel()[positions + 1]
    return Batch(ids, positions, targets, np.full(len(positions), ANSWER, np.float32), ["toy"] * phase.rows)


PLAN = Plan(
    phases=(Phase(length=16, rows=4, until=0.5), Phase(length=32, rows=2, until=1.0)),
    tokens=64 * 8, minutes=60, dtype="float32", warmup=2, log=2, compile=False, save_s=0,
)  # fmt: skip


class Killed(Exception):
    pass


def test_resumed_equals_straight(tmp_path):
    straight = fresh()
    curve = train(straight, PLAN, toy, tmp_path / "a")
    assert [row["length"] for row in curve] == [16, 16, 16, 32]

    def kill(model, place):
        if place["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        train(fresh(), PLAN, toy, tmp_path / "b", note=kill)
    resumed = fresh(seed=9)
    train(resumed, PLAN, toy, tmp_path / "b")
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_wall_clock_limit(tmp_path):
    import dataclasses

    curve = train(fresh(), dataclasses.replace(PLAN, tokens=1e12, minutes=0.02, log=1), toy, tmp_path)
    assert 0 < curve[-1]["seconds"] < 5


def test_right_is_greedy_decoding():
    model = fresh().eval()
    prompt = list(range(20, 60))
    with torch.no_grad():
        said = model.generate(torch.tensor([prompt]), max_new_tokens=3, do_sample=False, pad_token_id=0, eos_token_id=None)
    answer = said[0, len(prompt) :].tolist()
    assert right(model, prompt, answer)
    assert not right(model, prompt, [*answer[:2], (answer[2] + 1) % PIECES])
