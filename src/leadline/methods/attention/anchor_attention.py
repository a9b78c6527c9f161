"""AnchorAttention: at prefill read the columns whose scores come near an anchor of first and local keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.attention._row import Row, by_row
from leadline.methods.base import Attention, Method, Step


@dataclass(frozen=True, kw_only=True)
class AnchorAttention(Method, Attention):
    """AnchorAttention: at prefill read the columns whose scores come near an anchor of first and local keys.

    Paper: Zhang et al., EMNLP 2025, arXiv:2505.23520, section 3; official code
      https://github.com/yuzhouzhang9/Anchor-Attention@fdc7420, MIT.
    Claims: 1.44 times faster than the best earlier sparse prefill at 128k, with more of the attention read.
    Differs: plain PyTorch, no kernel, so no speed is claimed; anchor and candidates are disjoint and complete, as in
      the paper (the shipped kernel reads some keys twice and others never); scores are compared in float32.
    Shapes: pooled queries (batch, heads, step, head_dim) -> columns (batch, heads, keys) of each superblock.
    Cost: O(tokens / block_size + kept) per token, step * keys scores per head; phase: prefill.
    """

    theta: float = 12.0
    """How far below the anchor a pooled logit may lie for its column to be read [natural-log units]; any number."""
    step: int = 16
    """Pooled queries that share their columns (1 or more) [blocks]."""
    block_size: int = 128
    """Queries that are pooled, first and local keys that make the anchor (1 or more) [tokens]."""

    neutral = {"theta": 1e9, "step": 2, "block_size": 8}
    trial = {"theta": 0.5, "step": 2, "block_size": 4}
    excepts = {
        3: "a first turn's end is read densely, as a part of one long prompt it may fill a superblock and be read sparsely",
        4: "a superblock that is cut into chunks is read densely; chunks of whole superblocks give what one prefill gives",
    }

    def __post_init__(self) -> None:
        self.require(theta=self.theta == self.theta, step=self.step >= 1, block_size=self.block_size >= 1)

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if step.look.queries < self.step * self.block_size:
            return step.dense(v)
        return by_row(step, q, k, v, self._row)

    def _row(self, row: Row) -> Tensor:
        span, first, queries = self.step * self.block_size, int(row.q_pos[0]), row.q.shape[1]
        cuts = [0, *range(-first % span, queries + 1, span), queries]
        out = []
        for a, b in zip(cuts, cuts[1:], strict=False):
            sparse = b - a == span and (first + a) % span == 0 and first + a > 0
            out.append(row.read(a, b, self.choose(row, a, b) if sparse else None))
        return torch.cat(out, 1)

    def choose(self, row: Row, a: int, b: int) -> Tensor:
        """Columns that the superblock of queries a to b reads, bool (heads, keys)."""
        pos = row.k_pos.expand(len(row.k), -1)[row.heads_of]
        near = (pos < self.block_size) | (pos >= row.q_pos[a] - self.block_size)
        # [H, S]: logits are pooled after scaling and before exp.
        anchor = torch.cat([logits.amax(-1) for logits, _ in row.logits(a, b, near)], 1)
        anchor = anchor.unflatten(1, (self.step, -1)).mean(2)
        pooled = row.q[:, a:b].float().unflatten(1, (self.step, -1)).mean(2)
        return near | (row.scores(pooled) + self.theta >= anchor[..., None]).any(1)


def check(lab: Any) -> Any:
    """How much of the attention is read for how many pairs, beside blocks of pooled queries and keys; speed needs a GPU."""
    found: dict[float, list[tuple[float, ...]]] = {}

    @dataclass(frozen=True, kw_only=True)
    class Watched(AnchorAttention):
        def choose(self, row: Row, a: int, b: int) -> Tensor:
            chosen, seen = super().choose(row, a, b), row.k.shape[1] - row.q.shape[1] + b
            weights = torch.cat([torch.softmax(x, -1) for x, _ in row.logits(a, b)], 1)
            size = self.block_size
            pooled_q, blocks = row.q[:, a:b].float().mean(1, keepdim=True), -(-seen // size)
            keys = (
                torch.nn.functional.pad(row.k[:, :seen].float(), (0, 0, 0, -seen % size)).unflatten(1, (blocks, size)).mean(2)
            )
            score = (pooled_q @ keys[row.heads_of].transpose(-1, -2))[:, 0]
            count = max(1, round(float(chosen[:, :seen].float().mean()) * blocks))
            block = torch.zeros_like(score, dtype=torch.bool).scatter(1, score.topk(count).indices, True)
            wide = block.repeat_interleave(size, 1)[:, :seen]
            share = float(chosen[:, :seen].float().mean())
            blind = torch.rand(wide.shape, generator=torch.Generator().manual_seed(b)) < share
            reads = (float((weights * x[:, None, :seen]).sum(-1).mean()) for x in (chosen, wide, blind))
            found.setdefault(self.theta, []).append((share, *reads))
            return chosen

    for theta in (0.0, 4.0, 8.0):
        with lab.applied(lab.minnow, Watched(theta=theta, step=2, block_size=16)):
            lab.minnow.generate([lab.request(p) for p in lab.prompts(length=512, n=4)])
    curve = {theta: [sum(x) / len(x) for x in zip(*rows, strict=True)] for theta, rows in found.items()}
    told = ", ".join(f"{share:.0%} of pairs {recall:.2f} (blocks {other:.2f})" for share, recall, other, _ in curve.values())
    needle = lab.ask("anchor-attention(theta=8.0, step=2, block_size=16)", length=512)
    return lab.finding(
        holds=None if all(recall > other for _, recall, other, _ in curve.values()) else False,
        figure=f"attention read on minnow at 512: {told}; needle {needle} at theta 8; not shown: speed at 64k on a GPU",
        control="columns drawn at random: " + ", ".join(f"{blind:.2f}" for *_, blind in curve.values()),
        control_holds=all(blind > other for _, _, other, blind in curve.values()),
    )
