"""Dual chunk attention: positions start again in each chunk, so that no distance exceeds the trained one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Facts, Layer, Method, Positions, Temper, View


@dataclass(frozen=True, kw_only=True)
class DualChunk(Method, Positions, Temper):
    """Dual chunk attention: positions start again in each chunk, so that no distance exceeds the trained one.

    Paper: An et al., ICML 2024, arXiv:2402.17463, section 3; Yang et al. 2025, arXiv:2501.15383 (Qwen2.5-1M); official
      code https://github.com/HKUNLP/ChunkLlama@2add4d7, Apache-2.0.
    Claims: 4 times the trained length without training (Qwen2.5-1M); perplexity of Llama 3 8B level to 160k.
    Differs: distances end at chunk_size, as in the code (at one less in the paper); log_scale goes by each query's own
      place (Qwen2.5-1M by the prompt's length), so that pieces and turns agree; without Qwen2.5-1M's sparse prefill.
    Shapes: positions (batch, queries), (batch, kv_heads, keys) -> three views of the same shapes.
    Cost: three times the logits and O(keys) rotations at each step, no memory; phase: prefill and decode.
    """

    chunk_size: int = 0
    """Largest distance that is read [tokens]; 0 for three quarters of the trained length."""
    local_size: int = 0
    """Distances that are exact across the border of a chunk [tokens]; 0 for a sixth of chunk_size."""
    log_scale: bool = False
    """Whether logits grow with (0.1 ln(position / trained length) + 1) squared beyond the trained length."""

    neutral = {"chunk_size": 240, "local_size": 40}
    trial = {"chunk_size": 11, "local_size": 4}

    def __post_init__(self) -> None:
        self.require(
            chunk_size=self.chunk_size == 0 or self.chunk_size >= 2,
            local_size=self.local_size >= 0 and (self.chunk_size == 0 or self.local_size < self.chunk_size),
        )

    def accept(self, model: Facts) -> None:
        self.require(local_size=self.sizes(model.trained)[1] >= 1)

    def sizes(self, trained: int) -> tuple[int, int]:
        """Largest distance and length of a chunk [tokens] for a trained length."""
        largest = self.chunk_size or trained * 3 // 4
        return largest, largest - (self.local_size or largest // 6)

    def views(self, layer: Layer, q_pos: Tensor, k_pos: Tensor) -> list[View]:
        largest, stride = self.sizes(layer.trained)
        row, key = q_pos % stride, k_pos % stride
        return [
            View(row, key, lambda i, j: i // stride == j // stride),
            View((row + stride).clamp(max=largest), key, lambda i, j: i // stride == j // stride + 1),
            View(torch.full_like(row, min(2 * stride - 1, largest)), key, lambda i, j: i // stride > j // stride + 1),
        ]

    def temper(self, layer: Layer, q_pos: Tensor) -> Tensor:
        if not self.log_scale:
            return q_pos.new_ones(q_pos.shape).float()
        return (0.1 * ((q_pos + 1) / layer.trained).log() + 1).clamp(min=1) ** 2

    def reach(self, window: int) -> None:
        return None


def check(lab: Any) -> Any:
    """Plain within a chunk, four times the trained length without training, prefill in pieces in less memory."""
    model, ids, after = lab.tiny(), lab.words(40), lab.words(4, 1)
    apart = float((lab.logits(model, "dual-chunk", ids, after) - lab.logits(model, "", ids, after)).abs().max())
    ours, plain = lab.ask("dual-chunk", length=2048), lab.ask(length=2048)
    prompt, minnow, peaks = lab.prompts(length=4096, n=1)[0], lab.minnow, []
    for chunk in (4096, 256):
        before, minnow.chunk_tokens = minnow.chunk_tokens, chunk
        with lab.applied(minnow, "dual-chunk"):
            peaks.append(lab.peak(lambda: minnow.generate([lab.request(prompt)])))
        minnow.chunk_tokens = before
    control = lab.ask("dual-chunk(chunk_size=4096, local_size=64)", length=2048)
    return lab.finding(
        holds=apart < 1e-4 and ours.score >= 0.9 and ours.low > plain.high and peaks[1] < 0.7 * peaks[0],
        figure=f"within a chunk {apart:.0e} from the plain logits; needle at 4x {ours}, plain {plain}; peak of 4k tokens "
        f"{peaks[0] / 2**20:.0f} MiB whole, {peaks[1] / 2**20:.0f} in pieces of 256",
        control=f"one chunk of 4,096: needle at 4x {control}",
        control_holds=control.score >= 0.9 and control.low > plain.high,
    )
