"""Hydragen: read what the rows of a batch have in common once for all of them, and hold it once."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from leadline.methods.base import Attention, Method, Step, merged, part


@dataclass(frozen=True, kw_only=True)
class Hydragen(Method, Attention):
    """Hydragen: read what the rows of a batch have in common once for all of them, and hold it once.

    Paper: Juravsky et al. 2024, arXiv:2402.05099, sections 3 and 4; official code
      https://github.com/ScalingIntelligence/hydragen@1ea2255, Apache-2.0.
    Differs: common heads, and trees of them, are found in the token ids of the first prompts fed to a cache (the code is
      told); they may differ in length; of prompts fed in chunks only the first chunk is looked at; models whose layers
      slide in part keep a copy for each row in those; plain PyTorch, no kernel and no CUDA graph.
    Shapes: queries (rows that share, heads, queries, head_dim) -> (1, kv_heads, rows * groups * queries, head_dim).
    Cost: as plain attention, but each shared key is loaded once for all its rows; in memory each shared entry once;
      phase: prefill and decode.
    """

    least: int = 64
    """Shortest head worth sharing (1 or more) [tokens]."""

    exact = True
    phases = frozenset({"prefill", "decode"})
    trial = {"least": 4}

    def __post_init__(self) -> None:
        self.require(least=self.least >= 1)

    @property
    def shares(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.least

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if step.store is None or not step.store.heads:
            return step.dense(v)
        layer, groups = step.layer, q.shape[1] // k.shape[1]
        out, lse = step.look.read(v, lse=True)
        assert lse is not None
        for head in step.store.heads:
            # [rows, kv_heads, groups, queries, D], all that read one key in one matrix
            mine = q[head.rows].unflatten(1, (k.shape[1], groups)).transpose(0, 1)
            mask = None
            if layer.window is not None:
                near = step.q_pos[head.rows][:, None, :, None] - head.pos < layer.window
                mask = near.expand(-1, groups, -1, -1).reshape(1, 1, -1, len(head.pos))
            found = part(mine.flatten(1, 3)[None], head.keys, mask, head.values, layer)
            both = (x[0].unflatten(1, mine.shape[1:4]).transpose(0, 1).flatten(1, 2) for x in found)
            whole = merged((out[head.rows].float(), lse[head.rows]), (next(both), next(both)))
            out[head.rows], lse[head.rows] = whole[0].to(out.dtype), whole[1]
        return out
