"""The training loop of small language models: weighted loss at chosen positions, lengths in phases, resumable.

The forward pass is written out over a transformers Llama's own weights, so that it compiles to one graph on
a CPU thread and on a GPU, and so that what was trained is a checkpoint from the first step on. Knows
nothing of what the documents say.
"""

from __future__ import annotations

import json
import math
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaForCausalLM

from leadline.training.data.reader import ANSWER, Batch


def hidden(model: Any, ids: Tensor, dtype: torch.dtype) -> Tensor:
    """Last hidden states of a LlamaForCausalLM, normed: ids (batch, tokens) -> (batch, tokens, hidden).

    Right padding needs no mask.
    """
    cfg = model.config
    batch, tokens = ids.shape
    heads, kv, size, eps = cfg.num_attention_heads, cfg.num_key_value_heads, cfg.head_dim, cfg.rms_norm_eps
    rate = cfg.rope_parameters["rope_theta"] ** (-torch.arange(0, size, 2, device=ids.device) / size)
    angle = torch.arange(tokens, device=ids.device)[:, None] * rate
    cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)

    def rotated(x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def split(x: Tensor, n: int) -> Tensor:
        return x.view(batch, tokens, n, size).transpose(1, 2)

    x = F.embedding(ids, model.model.embed_tokens.weight)
    for layer in model.model.layers:
        attn, mlp = layer.self_attn, layer.mlp
        h = F.rms_norm(x, (cfg.hidden_size,), layer.input_layernorm.weight, eps).to(dtype)
        joined = torch.cat([attn.q_proj.weight, attn.k_proj.weight, attn.v_proj.weight]).to(dtype)
        q, k, v = F.linear(h, joined).split([heads * size, kv * size, kv * size], -1)
        q, k, v = rotated(split(q, heads)), rotated(split(k, kv)), split(v, kv)
        k, v = (t.repeat_interleave(heads // kv, 1) for t in (k, v))
        read = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, tokens, heads * size)
        x = x + F.linear(read, attn.o_proj.weight.to(dtype))
        h = F.rms_norm(x, (cfg.hidden_size,), layer.post_attention_layernorm.weight, eps).to(dtype)
        gate, up = F.linear(h, torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).to(dtype)).chunk(2, -1)
        x = x + F.linear(F.silu(gate) * up, mlp.down_proj.weight.to(dtype))
    return F.rms_norm(x, (cfg.hidden_size,), model.model.norm.weight, eps)


def losses(
    model: LlamaForCausalLM, ids: Tensor, positions: Tensor, targets: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cross-entropy at the given places of the flat batch, and whether the likeliest token is the right one."""
    chosen = hidden(model, ids, dtype).flatten(0, 1).index_select(0, positions).to(dtype)
    logits = F.linear(chosen, model.model.embed_tokens.weight.to(dtype)).float()
    right = logits.gather(1, targets[:, None])[:, 0]
    return logits.logsumexp(-1) - right, right >= logits.max(-1).values


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the training at one length."""

    length: int
    """Tokens of a document."""
    rows: int
    """Documents of a batch."""
    until: float
    """Share of the whole training at which the phase ends at the latest."""
    enough: float = 1.0
    """Running share of right answer tokens at which it ends early."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast to learn."""

    phases: tuple[Phase, ...]
    tokens: float
    """All tokens of the training."""
    minutes: float
    """Wall-clock limit; the learning rate falls to its end by then, whatever was read [min]."""
    lr: float = 2e-3
    warmup: int = 150
    """Steps."""
    decay: float = 0.4
    """Share of the training in which the learning rate falls to zero."""
    weight_decay: float = 0.05
    learnt: int = 512
    """Positions of a batch whose next token is learnt."""
    dtype: str = "bfloat16"
    device: str = "cpu"
    seed: int = 0
    save_s: float = 120
    """Seconds between checkpoints."""
    log: int = 50
    """Steps between lines of progress."""
    compile: bool = True
    """Whether to compile the step: half a minute for each length, then several times as fast."""


def train(model: LlamaForCausalLM, plan: Plan, batches: Callable[[random.Random, int, Phase], Batch], folder: Path,
          note: Callable[[LlamaForCausalLM, dict], None] | None = None) -> list[dict]:  # fmt: skip
    """Train to the plan's end, going on from the folder's checkpoint where there is one.

    Args:
        model: trained in place.
        plan: how long and how fast.
        batches: makes a batch from a generator and the number of the phase.
        folder: holds `state.pt` (weights, optimizer, place) while the training lasts.
        note: called with the model and its place in the training after each checkpoint.

    Returns:
        The curve: rows of tokens, seconds, length, lr, loss, and accuracy of answer tokens by kind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dtype, device = getattr(torch, plan.dtype), torch.device(plan.device)
    model.to(device).train()  # pyright: ignore[reportArgumentType]
    matrices = [p for p in model.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if p.ndim != 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": rest, "weight_decay": 0.0}],
        lr=plan.lr, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    place = {"step": 0, "tokens": 0, "seconds": 0.0, "phase": 0, "phase_step": 0}
    curve: list[dict] = []
    state = folder / "state.pt"
    if state.is_file():
        kept = torch.load(state, weights_only=True, map_location=device)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        place, curve = kept["place"], kept["curve"]
        print(f"resumed at step {place['step']}", file=sys.stderr)
    step = torch.compile(losses, dynamic=False) if plan.compile else losses
    recent: dict[str, float] = defaultdict(float)
    weight_of: dict[str, float] = defaultdict(float)
    start = saved = time.monotonic()
    before = place["seconds"]

    def done() -> float:
        return max(place["tokens"] / plan.tokens, place["seconds"] / 60 / plan.minutes)

    while done() < 1:
        phase = plan.phases[place["phase"]]
        # Chance depends on the step alone, so a resumed training reads what it would have read.
        batch = batches(random.Random(f"{plan.seed}/{place['step']}"), place["phase"], phase)
        fall = min(1.0, (1 - done()) / plan.decay)
        lr = plan.lr * min(1.0, (place["step"] + 1) / plan.warmup) * max(fall, 0.02)
        for group in optimizer.param_groups:
            group["lr"] = lr
        ids, positions, targets, weights = (
            torch.from_numpy(a).to(device) for a in (batch.ids, batch.positions, batch.targets, batch.weights)
        )
        each, right = step(model, ids, positions, targets, dtype)
        loss = (each * weights).sum() / weights.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        place["step"] += 1
        place["phase_step"] += 1
        place["tokens"] += ids.numel()
        place["seconds"] = before + time.monotonic() - start
        _tally(recent, weight_of, batch, each.detach(), right, phase.length)
        if place["step"] % plan.log == 0:
            row = {"step": place["step"], "tokens": place["tokens"], "seconds": round(place["seconds"], 1)}
            row |= {"length": phase.length, "lr": round(lr, 6)} | {k: round(recent[k] / weight_of[k], 4) for k in recent}
            curve.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
            answers = row.get("records", 0.0) * 0.5 + row.get("needle", 0.0) * 0.5
            last = place["phase"] == len(plan.phases) - 1
            if not last and (done() > phase.until or (answers > phase.enough and place["phase_step"] > 300)):
                place["phase"] += 1
                place["phase_step"] = 0
                recent.clear()
                weight_of.clear()
        if time.monotonic() - saved > plan.save_s or done() >= 1:
            kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "place": place, "curve": curve}
            torch.save(kept, folder / "state.tmp")
            (folder / "state.tmp").replace(state)
            saved = time.monotonic()
            if note:
                note(model, place)
    return curve


def _tally(recent: dict[str, float], weight: dict[str, float], batch: Batch, each: Tensor, right: Tensor, length: int) -> None:
    """Running means: loss of text and answers, and share of right answer tokens by kind of document."""
    hits, cost, rows = right.cpu().numpy(), each.cpu().numpy(), batch.positions // length
    asked = batch.weights == ANSWER
    text = (batch.weights > 0) & ~asked

    def add(name: str, value: float, count: float) -> None:
        recent[name] = recent[name] * 0.995 + value
        weight[name] = weight[name] * 0.995 + count

    if text.any():
        add("text", float(cost[text].sum()), float(text.sum()))
    if asked.any():
        add("answers", float(cost[asked].sum()), float(asked.sum()))
    for row, kind in enumerate(batch.kinds):
        mine = asked & (rows == row)
        if mine.any():
            add(kind, float(hits[mine].sum()), float(mine.sum()))
    assert math.isfinite(float(cost.sum())), "the loss is not finite"
