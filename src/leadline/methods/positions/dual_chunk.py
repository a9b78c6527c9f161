"""Dual chunk attention: positions start again in each chunk, so that no distance exceeds the trained one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.methods.base import Facts, Layer, Method, Positions, Temper, View


@dataclass(frozen=True, kw_only=True)
class DualChunk(Method, Positions, Temper):
    """Dual chunk attention: positions start again in each chunk, so that no distance exceeds the trained one.

    Paper: An et al., ICML 2024, arXiv:2402.17463, section 3; Yang et al. 2025, arXiv:2501.15383 (Qwen2.5-1M); official
      code https://github.com/HKUNLP/ChunkLlama@2add4d7, Apache-2.0.
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
