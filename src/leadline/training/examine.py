"""What a small model reads at which length: exact match on fresh prompts, and the card that says so.

An answer is right when each of its tokens, the sign that ends it included, is the likeliest given the prompt
and the right tokens before it: the same as greedy decoding giving exactly it. Knows nothing of training.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM

from leadline.data.phrasings import Wording
from leadline.scoring.stats import wilson
from leadline.training.data.minnow import BUILDERS
from leadline.training.data.reader import ANSWER, COPY, Reader
from leadline.training.pretrain import hidden
from leadline.training.vocabulary import BOS, EOS, SPECIAL, Encoder


@torch.no_grad()
def right(model: LlamaForCausalLM, prompt: Sequence[int], answer: Sequence[int]) -> bool:
    """Whether greedy decoding of the prompt's ids would begin with the answer's ids."""
    device = model.model.embed_tokens.weight.device
    ids = torch.tensor([[*prompt, *answer]], device=device)
    states = hidden(model, ids[:, :-1], torch.float32)[0, len(prompt) - 1 :]
    likeliest = F.linear(states, model.model.embed_tokens.weight).argmax(-1)
    return bool((likeliest == ids[0, len(prompt) :]).all())


def question(encode: Encoder, kind: str, length: int, seed: int, wording: Wording) -> tuple[list[int], list[int]]:
    """A prompt with one question in full, and its answer, by ids; seeds are never those of the training."""
    reader = Reader(encode, bare=0.0, single=1.0, wording=wording)
    rng = random.Random(f"examine/{kind}/{length}/{seed}/{wording}")
    ids = [SPECIAL.index(BOS)]
    for text, weight in BUILDERS[kind](reader, rng, length):
        part = [SPECIAL.index(EOS)] if text == EOS else encode(text)
        if weight in (ANSWER, COPY):
            return ids, part
        ids += part
    raise AssertionError(f"{kind} asks nothing")


def examine(model: LlamaForCausalLM, encode: Encoder, kinds: Sequence[str], lengths: Sequence[int], n: int,
            wording: Wording = "seen") -> list[dict]:  # fmt: skip
    """Exact match with 95 % intervals, by kind and length."""
    rows = []
    for kind in kinds:
        for length in lengths:
            hits = sum(right(model, *question(encode, kind, length, seed, wording)) for seed in range(n))
            low, high = wilson(hits / n, n, 1.96)
            row = {"kind": kind, "wording": wording, "length": length, "n": n, "score": round(hits / n, 4)}
            rows.append(row | {"low": round(low, 4), "high": round(high, 4)})
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
