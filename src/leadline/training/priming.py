"""A structured start for a small Llama: the first two layers already find a token by the tokens before it.

Without it a model of this size needs many times the tokens before it looks anything up. What comes out is
a plain checkpoint, all of which is trained on. Knows nothing of data or training.

The residual stream is divided: one dimension holds a constant, and four registers of equal width hold the
token itself and the three tokens before it. Layer 0: heads 0-2 attend one, two and three tokens back (the
constant, turned by the fast rotary pairs) and write what they find to their registers; head 3 attends to
the last few tokens alike. Layer 1: queries hold what precedes here, keys hold what precedes there, both in
slow rotary pairs only, so that their product asks for the same words and not for the same distance; what
is found is added to the token's own register, from which the tied embedding reads the answer.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

CONSTANT = 0.5
"""Value of the residual's first dimension; its share of the norm stays small."""
OWN, REST = 0.22, 0.05
"""Spread of the embedding in the token's own register, and elsewhere."""
SHARP = 3.0
"""Logits by which each fast rotary pair favours the wanted offset."""
MATCH = 7.0
"""Logits by which one agreeing word is favoured."""


def prime(model: Any, *, seed: int = 0) -> None:
    """Set the weights of a Llama of at least two layers with four heads, two key-value heads and tied embeddings."""
    cfg = model.config
    d, heads, kv = cfg.hidden_size, cfg.num_attention_heads, cfg.num_key_value_heads
    size = cfg.head_dim
    assert heads == 4 and kv == 2 and cfg.tie_word_embeddings
    gen = torch.Generator().manual_seed(seed)

    def noise(*shape: int, std: float) -> Tensor:
        return torch.randn(*shape, generator=gen) * std

    width = min((d - 1) // 4, size)
    basis = torch.zeros(d, d - 1)
    basis[1:] = torch.linalg.qr(noise(d - 1, d - 1, std=1.0))[0]
    own, *back = (basis[:, i * width : (i + 1) * width] for i in range(4))
    embedding = noise(cfg.vocab_size, d, std=REST)
    embedding += noise(cfg.vocab_size, width, std=OWN) @ own.T
    embedding[:, 0] = CONSTANT
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(embedding)
        for layer in model.model.layers:
            for name, weight in layer.named_parameters():
                if weight.ndim == 2:
                    out = name.endswith(("o_proj.weight", "down_proj.weight"))
                    weight.copy_(noise(*weight.shape, std=(0.25 if out else 0.7) / math.sqrt(weight.shape[1])))
                else:
                    weight.fill_(1.0)
        rms = math.sqrt((CONSTANT**2 + width * OWN**2 + d * REST**2) / d)
        _look_back(model, own, back, CONSTANT / rms)
        _look_up(model, own, back, rms, gen)


def _look_back(model: Any, own: Tensor, back: list[Tensor], constant: float) -> None:
    cfg = model.config
    size, width = cfg.head_dim, own.shape[1]
    attn = model.model.layers[0].self_attn
    half = size // 2
    rate = cfg.rope_parameters["rope_theta"] ** (-torch.arange(half) / half)
    fast, middle = torch.arange(half * 5 // 16), torch.arange(half * 5 // 32, half * 11 // 32)
    query, key = torch.zeros(4, size), torch.zeros(2, size)
    for head, (pairs, offset, sharp) in enumerate(((fast, 1, SHARP), (fast, 2, SHARP), (fast, 3, SHARP), (middle, 3, 1.5))):
        amplitude = math.sqrt(math.sqrt(size))
        key[head // 2, pairs] = amplitude
        turn = rate[pairs] * offset
        query[head, pairs] = amplitude * sharp * 10 / len(fast) * torch.cos(turn)
        query[head, pairs + half] = -amplitude * sharp * 10 / len(fast) * torch.sin(turn)
    attn.q_proj.weight[:] = 0
    attn.k_proj.weight[:] = 0
    attn.q_proj.weight[:, 0] = query.flatten() / constant
    attn.k_proj.weight[:, 0] = key.flatten() / constant
    for group in range(2):
        attn.v_proj.weight[group * size : group * size + width] = own.T
    for head, register in enumerate(back):
        attn.o_proj.weight[:, head * size : head * size + width] = 0.25 * register


def _look_up(model: Any, own: Tensor, back: list[Tensor], rms: float, gen: torch.Generator) -> None:
    cfg = model.config
    size, width = cfg.head_dim, own.shape[1]
    attn = model.model.layers[1].self_attn
    half = size // 2
    slow = torch.cat([torch.arange(half // 2, half), torch.arange(half // 2, half) + half])
    written = 0.25 * OWN / rms
    total = math.sqrt(rms**2 + 3.5 * width * written**2 / cfg.hidden_size)
    there, itself = total / written, total / OWN
    mixers = [torch.linalg.qr(torch.randn(width, width, generator=gen))[0][:, : len(slow)] for _ in range(3)]
    gain = math.sqrt(MATCH * math.sqrt(size) / min(width, len(slow)))

    def into(weight: Tensor, row: int, parts: list[tuple[int, Tensor, float]]) -> None:
        block = weight[row * size : (row + 1) * size]
        block *= 0.3
        block[slow] = 0
        for mixer, register, scale in parts:
            block[slow[: mixers[mixer].shape[1]]] += gain * scale * (register @ mixers[mixer]).T

    into(attn.k_proj.weight, 0, [(1, back[1], there), (2, back[2], there)])
    into(attn.k_proj.weight, 1, [(0, back[0], there), (1, back[1], there), (2, back[2], there)])
    for head in (0, 1):
        into(attn.q_proj.weight, head, [(1, back[0], there), (2, back[1], there)])
    into(attn.q_proj.weight, 2, [(0, own, itself), (1, back[0], there), (2, back[1], there)])
    into(attn.q_proj.weight, 3, [(0, own, itself), (2, back[1], there)])
    for group in range(2):
        attn.v_proj.weight[group * size : group * size + width] = own.T
    for head in range(4):
        attn.o_proj.weight[:, head * size : head * size + width] = 0.25 * own
