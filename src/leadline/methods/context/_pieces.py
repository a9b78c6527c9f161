"""Prompts read piece by piece, each piece with the question, to choose what the whole model reads. No plugin."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from leadline.methods.base import Context, Method, Reader, UserError

ROOM = 8192
"""Most tokens that are run at once, so that memory does not grow with the prompt."""


@dataclass(frozen=True, kw_only=True)
class Piecewise(Method, Context):
    """A context method that looks at each prompt by itself, in pieces between its opening and its question."""

    question: int = 64
    """Last tokens of the prompt that are put after each piece, and always kept: the question (1 or more) [tokens]."""
    head: int = 4
    """First tokens of the prompt that are put before each piece, and always kept: what opens a text or chat [tokens]."""

    excepts = {
        3: "what is kept answers one question; a second turn on its cache is refused",
        4: "the whole prompt is needed to choose from it; chunks are refused where nothing tells that they are such",
    }

    def __post_init__(self) -> None:
        self.require(question=self.question >= 1, head=self.head >= 0)

    def select(self, reader: Reader, ids: Tensor, valid: Tensor) -> Tensor:
        kept = []
        for row, own in zip(ids, valid, strict=True):
            columns = own.nonzero()[:, 0]
            kept.append(columns[self.chosen(reader, row[columns])])
        most = max(map(len, kept))
        return torch.stack([pad(columns, (most - len(columns), 0), value=-1) for columns in kept])

    @abstractmethod
    def chosen(self, reader: Reader, ids: Tensor) -> Tensor:
        """Which tokens of one prompt (tokens,), without padding, are kept (tokens,), bool."""

    def windows(self, tokens: int, size: int, overlap: int = 0) -> list[tuple[int, int]]:
        """Pieces of a prompt of so many tokens, equally long: the last one is shifted back."""
        first, last = self.head, tokens - self.question
        if last - first <= size:
            return [(first, last)]
        return [(a, a + size) for a in (*range(first, last - size, size - overlap), last - size)]

    def asked(self, ids: Tensor, middle: Tensor) -> Tensor:
        """A piece of a prompt with its opening and question."""
        return torch.cat([ids[: self.head], middle, ids[len(ids) - self.question :]])

    def spread(self, tokens: int, spans: Sequence[tuple[int, int]], like: Tensor) -> Tensor:
        """Opening, question and spans (tokens,), bool, on the device of `like`."""
        kept = torch.zeros(tokens, dtype=torch.bool, device=like.device)
        kept[: self.head] = kept[tokens - self.question :] = True
        for a, b in spans:
            kept[a:b] = True
        return kept


def batches(rows: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Left-padded ids and validity (rows, tokens) of token ids, in order, at most ROOM tokens or one row at once."""
    size = max(1, ROOM // max(map(len, rows)))
    for at in range(0, len(rows), size):
        group = rows[at : at + size]
        most = max(map(len, group))
        ids = torch.stack([pad(row, (most - len(row), 0)) for row in group])
        valid = torch.stack([pad(torch.ones_like(row), (most - len(row), 0)) for row in group])
        yield ids, valid.bool()


def logits(reader: Reader, ids: Tensor, valid: Tensor) -> Tensor:
    """What a held model says of the next token (rows, vocabulary), float32; nothing is kept."""
    model: Any = reader.model
    if model.get_output_embeddings() is None:
        raise UserError(f"{type(model).__name__} has no language-model head, whose predictions are needed here")
    out = model(input_ids=ids, attention_mask=valid.long(), use_cache=False, logits_to_keep=1)
    return out.logits[:, -1].float()


class _Enough(Exception):  # noqa: N818
    """Raised to leave a forward whose upper layers are not wanted."""


def states(decoder: Any, ids: Tensor, valid: Tensor, layers: Sequence[int]) -> list[Tensor]:
    """Hidden states (rows, tokens, hidden) after some layers, 0 the lowest; no layer above them is run.

    Args:
        decoder: a decoder, held or plain.
        ids: (rows, tokens), left-padded.
        valid: (rows, tokens), False for padding.
        layers: which, ascending.
    """
    found: list[Tensor] = []

    def see(module: Any, args: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        if len(found) == len(layers):
            raise _Enough

    handles = [decoder.layers[layer].register_forward_hook(see) for layer in layers]
    mask = valid.long()
    try:
        decoder(input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp(min=0), use_cache=False)
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found
