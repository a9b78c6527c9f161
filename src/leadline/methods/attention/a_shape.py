"""A-shape: at prefill read the first tokens and a local window."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from leadline.methods.base import Attention, Method, Step


@dataclass(frozen=True, kw_only=True)
class AShape(Method, Attention):
    """A-shape: at prefill read the first tokens and a local window.

    Paper: Jiang et al., NeurIPS 2024, arXiv:2407.02490, section 3.2 (MInference's static pattern); official code
      https://github.com/microsoft/MInference@fb56c91, MIT.
    Claims: none of its own: the static pattern that MInference compares with and uses for some heads.
    Differs: exact to the token (the kernel rounds to tiles of 64).
    Shapes: queries (batch, heads, queries, head_dim) -> output of the same shape.
    Cost: O(first + local) per token, no memory; phase: prefill.
    """

    first: int = 128
    """First tokens of the text that all read [tokens]."""
    local: int = 3968
    """Newest tokens that each reads, itself included [tokens]."""

    neutral = {"local": 200}
    trial = {"first": 3, "local": 9}
    excepts = {3: "a first turn is generated densely, as a part of one long prompt it would be read sparsely"}

    def __post_init__(self) -> None:
        self.require(first=self.first >= 0, local=self.local >= 1)

    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return step.read(v, lambda i, j: (j < self.first) | (i - j < self.local))
