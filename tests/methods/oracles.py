"""Slow, obvious attention: loops over pairs, explicit rotations, and a way to see what a layer really had."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from leadline import applied
from leadline.methods._stack import Stack
from leadline.methods.base import Method, Policy, Step, Store


@dataclass(frozen=True, kw_only=True)
class Spy(Method, Policy):
    """Sees what reaches each layer and changes nothing."""

    seen: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def observe(self, store: Store, step: Step) -> None:
        keys, values = (x.clone() for x in store.read())
        step_seen = {
            "q": step.q,
            "k": keys,
            "v": values,
            "q_pos": step.q_pos,
            "k_pos": store.pos.clone(),
            "scaling": step.layer.scaling,
        }
        self.seen.setdefault(step.layer.index, []).append(step_seen)

    def settle(self, store: Store, decoding: bool) -> None: ...

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return tokens + generated


@contextmanager
def spied(model: Any, spec: str):
    """Apply a stack and see, for each layer and forward, queries, keys, values and the attention's output."""
    spy = Spy()
    outs: dict[int, list[Any]] = {}
    hooks = [
        block.self_attn.o_proj.register_forward_pre_hook(lambda m, args, i=i: outs.setdefault(i, []).append(args[0]))
        for i, block in enumerate(model.model.layers)
    ]
    with applied(model, Stack((spy, *Stack.read(spec).methods))):
        yield spy.seen, outs
    for hook in hooks:
        hook.remove()


def rotate(x: list[float], pos: float, inv_freq: list[float]) -> list[float]:
    """Turn a vector by pairs (i, i + n / 2), the way Llama does."""
    half = len(inv_freq)
    out = list(x)
    for i, freq in enumerate(inv_freq):
        c, s = math.cos(pos * freq), math.sin(pos * freq)
        out[i] = x[i] * c - x[i + half] * s
        out[i + half] = x[i] * s + x[i + half] * c
    return out


Rule = Callable[[int, int], tuple[float, float] | None]
"""Positions in the text to the positions that query and key are rotated to; None where the pair is not read."""


def by_pairs(q: Any, k: Any, v: Any, rule: Rule, scaling: float, inv_freq: list[float] | None = None) -> Any:
    """Attention of one row by loops.

    Args:
        q: (heads, queries, head_dim), the newest tokens.
        k: (kv_heads, keys, head_dim).
        v: as keys.
        rule: which pairs are read, and where they are placed.
        scaling: factor of the logits.
        inv_freq: frequencies by which to rotate; None where queries and keys are rotated already.

    Returns:
        (queries, heads * head_dim), as `o_proj` is given it.
    """
    heads, queries, dim = q.shape
    kv_heads, keys, _ = k.shape
    out = torch.zeros(queries, heads, dim, dtype=torch.float64)
    for h in range(heads):
        g = h // (heads // kv_heads)
        for r in range(queries):
            i = keys - queries + r
            logits = []
            for j in range(i + 1):
                placed = rule(i, j)
                if placed is None:
                    continue
                a, b = q[h, r].tolist(), k[g, j].tolist()
                if inv_freq is not None:
                    a, b = rotate(a, placed[0], inv_freq), rotate(b, placed[1], inv_freq)
                logits.append((j, scaling * sum(x * y for x, y in zip(a, b, strict=True))))
            top = max(x for _, x in logits)
            total = sum(math.exp(x - top) for _, x in logits)
            for j, x in logits:
                out[r, h] += math.exp(x - top) / total * v[g, j].double()
    return out.flatten(1).float()


def softmax_rows(q: Any, k: Any, scaling: float) -> Any:
    """Causal weights (heads, queries, keys) of one row, the plain way; queries are the newest tokens."""
    heads, queries, _ = q.shape
    k = k.repeat_interleave(heads // k.shape[0], 0)
    logits = (q.double() @ k.double().transpose(-1, -2)) * scaling
    row = torch.arange(queries)[:, None] + k.shape[1] - queries
    logits[:, torch.arange(k.shape[1])[None] > row] = -math.inf
    return logits.softmax(-1)
