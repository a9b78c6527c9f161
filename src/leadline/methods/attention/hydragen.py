"""Hydragen: read what the rows of a batch have in common once for all of them, and hold it once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from leadline.methods.base import Attention, Method, Step, merged, part


@dataclass(frozen=True, kw_only=True)
class Hydragen(Method, Attention):
    """Hydragen: read what the rows of a batch have in common once for all of them, and hold it once.

    Paper: Juravsky et al. 2024, arXiv:2402.05099, sections 3 and 4; official code
      https://github.com/ScalingIntelligence/hydragen@1ea2255, Apache-2.0.
    Claims: up to 32 times the throughput of CodeLlama 13B; a prefix of 16k costs less than 15 % over 1k.
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


def check(lab: Any) -> Any:
    """The plain logits, shared keys held once, and decoding that gains with batch and prefix; unshared rows are the control."""
    import torch

    model = lab.tiny(hidden_size=256, intermediate_size=256, head_dim=32, num_attention_heads=8, max_position_embeddings=16384)

    def rows(batch: int, prefix: int, shared: bool) -> Any:
        heads = [lab.words(prefix, 0 if shared else 1 + b) for b in range(batch)]
        return torch.tensor([head + lab.words(8, 100 + b) for b, head in enumerate(heads)], device=lab.device)

    def token(spec: str, batch: int, prefix: int, shared: bool = True) -> float:
        with lab.applied(model, spec), torch.no_grad():
            cache = model(rows(batch, prefix, shared), use_cache=True).past_key_values
            one = torch.full((batch, 1), 5, device=lab.device)
            return lab.seconds(lambda: model(one, past_key_values=cache, use_cache=True), 9)

    gains = {(b, p): token("", b, p) / token("hydragen", b, p) for b, p in ((2, 1024), (16, 1024), (16, 4096))}
    ids = rows(3, 300, True)
    with torch.no_grad():
        plain = model(ids).logits
        with lab.applied(model, "hydragen"):
            apart = float((model(ids, use_cache=True).logits[:, -1] - plain[:, -1]).abs().max())
    control = token("", 16, 4096, False) / token("hydragen", 16, 4096, False)
    told = ", ".join(f"batch {b} prefix {p}: {gain:.1f}x" for (b, p), gain in gains.items())
    return lab.finding(
        holds=apart < 1e-4 and 1 < gains[16, 1024] < gains[16, 4096] and gains[2, 1024] < gains[16, 1024],
        figure=f"{apart:.0e} from the plain logits; decoding against a cache that holds each row whole: {told}",
        control=f"rows with nothing in common, batch 16 prefix 4096: {control:.1f}x",
        control_holds=control > 0.7 * gains[16, 4096],
    )
