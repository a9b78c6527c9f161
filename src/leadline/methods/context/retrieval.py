"""Retrieval: read only the pieces whose embedding is nearest to that of the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from leadline.methods.base import Facts, Reader, UserError, stable_top
from leadline.methods.context._pieces import Piecewise, batches, states


@dataclass(frozen=True, kw_only=True)
class Retrieval(Piecewise):
    """Retrieval: read only the pieces whose embedding is nearest to that of the question.

    Paper: Lewis et al. 2020, arXiv:2005.11401, section 2.2 (retrieve, then read); a baseline, nothing of its code.
    Claims: none: the baseline that context methods are compared with.
    Differs: no retriever is trained or downloaded: pieces are embedded by the model itself, as the mean of its input
      embeddings or of an early layer's states, less the mean over the prompt's pieces; the corpus is the prompt alone.
      A trained embedding model finds more: this says what comes for free.
    Shapes: ids (batch, tokens) -> columns (batch, kept).
    Cost: O(tokens * hidden), with `depth` every token through so many layers, in constant memory, then a prompt of
      `budget`; phase: prefill.
    """

    budget: int = 2048
    """Most tokens of the prompt that is answered, opening and question included; shorter prompts stay whole [tokens]."""
    chunk: int = 128
    """Length of a piece [tokens]."""
    overlap: int = 32
    """What neighbouring pieces share; less than `chunk` [tokens]."""
    depth: int = 0
    """Layers that a piece is run through before its states are averaged; 0 for the input embeddings alone."""

    neutral = {"budget": 200, "chunk": 64}
    trial = {"budget": 24, "chunk": 8, "overlap": 2, "question": 4, "head": 1, "depth": 1}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(
            chunk=self.chunk >= 1,
            overlap=0 <= self.overlap < self.chunk,
            budget=self.budget >= self.head + self.chunk + self.question,
            depth=self.depth >= 0,
        )

    def accept(self, model: Facts) -> None:
        if self.depth > model.layers:
            raise UserError(f"{self}: this model has {model.layers} layers")

    def reach(self, window: int) -> int | None:
        return None if self.budget <= window else window

    def chosen(self, reader: Reader, ids: Tensor) -> Tensor:
        if len(ids) <= self.budget:
            return torch.ones_like(ids, dtype=torch.bool)
        spans = self.windows(len(ids), self.chunk, self.overlap)
        decoder = reader.decoder
        pieces = self.embedded(decoder, [ids[a:b] for a, b in spans])
        question = self.embedded(decoder, [ids[len(ids) - self.question :]])
        # What all pieces have in common tells none of them apart.
        common = pieces.mean(0)
        near = normalize(pieces - common) @ normalize(question - common)[0]
        best = stable_top(near[None], (self.budget - self.head - self.question) // self.chunk)[0].tolist()
        return self.spread(len(ids), [spans[i] for i in best], ids)

    def embedded(self, decoder: Any, rows: list[Tensor]) -> Tensor:
        """Mean vector of each row of token ids (rows, hidden), float32."""
        found = []
        for ids, valid in batches(rows):
            x = states(decoder, ids, valid, [self.depth - 1])[0] if self.depth else decoder.get_input_embeddings()(ids)
            found.append((x.float() * valid[..., None]).sum(1) / valid.sum(1, keepdim=True))
        return torch.cat(found)
