"""XL3M: read each short segment with the question, and answer from those that make the model most certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Reader, stable_top
from leadline.methods.context._pieces import Piecewise, batches, logits


@dataclass(frozen=True, kw_only=True)
class XL3M(Piecewise):
    """XL3M: read each short segment with the question, and answer from those that make the model most certain.

    Paper: Wang et al. 2024, arXiv:2405.17755; no public code.
    Claims: Llama 2 7B reasons over 20M tokens; on needles at least as good as fine-tuned long models.
    Differs: the paper's segment length, overlap, number of segments and of question tokens were not to be had, so the
      defaults are ours; the prompt's opening stays before every segment; certainty is that of one next token.
    Shapes: ids (batch, tokens) -> columns (batch, kept).
    Cost: every token through the whole model, (head + segment + question) / (segment - overlap) times, in constant
      memory, then a prompt of `budget`; phase: prefill.
    """

    budget: int = 2048
    """Most tokens of the prompt that is answered, opening and question included; shorter prompts stay whole [tokens]."""
    segment: int = 512
    """Length of a segment [tokens]."""
    overlap: int = 64
    """What neighbouring segments share, so that no sentence is cut in both; less than `segment` [tokens]."""

    neutral = {"budget": 200, "segment": 64, "overlap": 8}
    trial = {"budget": 24, "segment": 8, "overlap": 2, "question": 4, "head": 1}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(
            segment=self.segment >= 1,
            overlap=0 <= self.overlap < self.segment,
            budget=self.budget >= self.head + self.segment + self.question,
        )

    def reach(self, window: int) -> int | None:
        return None if self.budget <= window else window

    def chosen(self, reader: Reader, ids: Tensor) -> Tensor:
        if len(ids) <= self.budget:
            return torch.ones_like(ids, dtype=torch.bool)
        spans = self.windows(len(ids), self.segment, self.overlap)
        count = (self.budget - self.head - self.question) // self.segment
        best = stable_top(-self.entropies(reader, ids, spans)[None], count)[0].tolist()
        return self.spread(len(ids), [spans[i] for i in best], ids)

    def entropies(self, reader: Reader, ids: Tensor, spans: list[tuple[int, int]]) -> Tensor:
        """Entropy of the next token after each segment with the question (segments,) [nats]."""
        rows = [self.asked(ids, ids[a:b]) for a, b in spans]
        return torch.cat([torch.special.entr(logits(reader, *batch).softmax(-1)).sum(-1) for batch in batches(rows)])


def check(lab: Any) -> Any:
    """Minnow answers at 16x its window from the segments that it is most certain with; the least certain are the control."""

    @dataclass(frozen=True, kw_only=True)
    class Doubting(XL3M):
        def entropies(self, reader: Reader, ids: Tensor, spans: list[tuple[int, int]]) -> Tensor:
            return -super().entropies(reader, ids, spans)

    settings: dict[str, Any] = {"budget": 480, "segment": 96, "overlap": 16, "question": 48}
    ours, control = (lab.ask(kind(**settings), length=8192, n=16) for kind in (XL3M, Doubting))
    plain = lab.ask(length=8192, n=8)
    return lab.finding(
        holds=ours.score >= 0.9 and ours.low > plain.high,
        figure=f"needle at 16x {ours}, plain {plain}",
        control=f"the least certain segments {control}",
        control_holds=control.score >= 0.9,
    )
