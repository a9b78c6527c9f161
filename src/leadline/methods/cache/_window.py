"""The observation window: the last queries of a prompt, and what they attend to, smoothed. No plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d

from leadline.methods.base import Method, Policy, Step, Store, group_mean, minus_inf

POOLINGS = ("average", "max")


@dataclass(frozen=True, kw_only=True)
class Observing(Method, Policy):
    """A policy that scores entries once a prompt has ended, by its last queries."""

    budget: int = 1024
    """Entries kept per kv-head after the prompt, the window included [tokens]."""
    window: int = 32
    """Last queries of the prompt that are asked, and always kept (1 or more) [tokens]."""
    kernel: int = 5
    """Neighbours over which scores are smoothed, odd; 1 for none [tokens]."""
    pooling: str = "average"
    """How they are smoothed: average or max."""

    def __post_init__(self) -> None:
        self.require(
            budget=self.budget > self.window,
            window=self.window >= 1,
            kernel=self.kernel >= 1 and self.kernel % 2 == 1,
            pooling=self.pooling in POOLINGS,
        )

    def observe(self, store: Store, step: Step) -> None:
        """Keep the last queries of the prompt so far, whatever pieces it comes in."""
        if not step.prefill:
            return
        q, pos = step.q[:, :, -self.window :], step.q_pos[:, -self.window :]
        valid = torch.ones_like(pos, dtype=torch.bool) if step.valid is None else step.valid[:, -self.window :]
        if before := store.state.get("window"):
            q, pos, valid = (
                torch.cat(pair, dim) for pair, dim in zip(zip(before, (q, pos, valid), strict=True), (2, 1, 1), strict=True)
            )
        # Padding goes to the left, so that the newest queries of all rows stand together.
        order = valid.byte().sort(dim=-1, stable=True).indices[:, -self.window :]
        q = q.gather(2, order[:, None, :, None].expand(-1, q.shape[1], -1, q.shape[3]))
        store.state["window"] = q, pos.gather(1, order), valid.gather(1, order)

    def scores(self, store: Store) -> tuple[Tensor, int]:
        """What the window attends to, and how many queries it has; forgets the window.

        Returns:
            (batch, kv_heads, keys - window), -inf for padding.
        """
        q, pos, valid = store.state.pop("window")
        count = q.shape[2]
        look = store.look(q, pos, None if valid.all() else valid)
        weights = look.weights(0, count)[..., :-count] * valid[:, None, :, None]
        scores = group_mean(weights.sum(2), look.kv_heads)
        pool = avg_pool1d if self.pooling == "average" else max_pool1d
        scores = pool(scores, self.kernel, stride=1, padding=self.kernel // 2) if scores.shape[-1] else scores
        return minus_inf(scores, store.valid[..., :-count]), count

    def newest(self, store: Store, index: Tensor, count: int) -> Tensor:
        """Join chosen entries (batch, kv_heads, kept) and the last `count`."""
        last = torch.arange(store.length - count, store.length, device=index.device)
        return torch.cat([index, last.expand(*index.shape[:2], -1)], -1)
