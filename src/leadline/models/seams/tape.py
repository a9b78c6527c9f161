"""Tensors that grow along their third dimension, plain or coded in blocks. Knows nothing of layers and policies."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from leadline.models.seams.parts import Coded

SPARE = 16
"""Room that a growing tensor takes ahead [tokens]."""


class Tape:
    """One tensor (batch, kv_heads, length, ...) that grows in place, with little room to spare."""

    def __init__(self, spare: int = SPARE) -> None:
        """Args: spare: most entries for which there is room ahead."""
        self.spare = spare
        self.room: Tensor | None = None
        self.length = 0

    @property
    def view(self) -> Tensor:
        """All that is held."""
        assert self.room is not None
        return self.room.narrow(2, 0, self.length)

    def grow(self, count: int, like: Tensor) -> Tensor:
        """Make `count` more entries and return the view of them, to be written."""
        end = self.length + count
        if self.room is None or end > self.room.shape[2]:
            shape = (like.shape[0], like.shape[1], -(-end // self.spare) * self.spare, *like.shape[3:])
            room = like.new_zeros(shape)
            if self.room is not None:
                room[:, :, : self.length] = self.view
            self.room = room
        self.length = end
        return self.room.narrow(2, end - count, count)

    def append(self, new: Tensor) -> None:
        """Add entries (batch, kv_heads, new, ...) at the end."""
        count, room = new.shape[2], self.room
        if room is not None and self.length + count <= room.shape[2]:
            room.narrow(2, self.length, count).copy_(new)
            self.length += count
        else:
            self.grow(count, new).copy_(new)

    def replace(self, held: Tensor) -> None:
        """Hold this instead; what was held is freed."""
        self.room, self.length = held.contiguous(), held.shape[2]

    def take(self, index: Tensor) -> None:
        """Keep entries (batch, 1 or kv_heads, kept) by their index; the others are freed.

        Where all but one stay, so does the room: what evicts at every step then copies once, not twice.
        """
        assert self.room is not None
        room, kept = self.room, index.shape[-1]
        if kept >= self.length - 1:
            index = torch.nn.functional.pad(index, (0, room.shape[2] - kept))
        self.room, self.length = gather(room, index), kept

    def cut(self, length: int) -> None:
        """Forget all after the first `length` entries."""
        self.length = length


def gather(x: Tensor, index: Tensor) -> Tensor:
    """Entries of (batch, kv_heads, length, ...) by an index (batch, 1 or kv_heads, kept)."""
    index = index.expand(-1, x.shape[1], -1)
    if x.ndim == 3 or not x.is_contiguous():
        for _ in range(x.ndim - 3):
            index = index[..., None]
        return x.gather(2, index.expand(-1, -1, -1, *x.shape[3:]))
    # Whole entries at once, which is many times faster than element by element.
    starts = torch.arange(0, x.shape[0] * x.shape[1] * x.shape[2], x.shape[2], device=x.device)
    flat = (index.flatten(0, 1) + starts[:, None]).flatten()
    return x.flatten(0, 2).index_select(0, flat).view(*index.shape, *x.shape[3:])


class CodedTape:
    """Blocks of entries in coded form, as many in each row as the row has."""

    def __init__(
        self, block: int, encode: Callable[[Tensor, Tensor | None], Coded], decode: Callable[[Coded, Tensor], Tensor]
    ) -> None:
        """Args: block: entries coded together; encode, decode: from and to (batch, kv_heads, entries, head_dim)."""
        self.block, self.encode, self.decode = block, encode, decode
        self.parts: list[Tape] = []
        self.counts: list[int] = []
        """Entries that each row holds."""

    @property
    def length(self) -> int:
        """Entries of the longest row."""
        return max(self.counts, default=0)

    def push(self, full: Tensor, sketch: Tensor | None, held: list[int], due: list[int]) -> None:
        """Code the oldest entries of a tensor whose rows end together.

        Args:
            full: (batch, kv_heads, entries, head_dim); row b's last held[b] entries are its own.
            sketch: (batch, 1, entries, width) of the same entries; None where there is none.
            held: entries that each row has in `full`.
            due: how many of them, the oldest, to code; whole blocks.
        """
        self.counts = self.counts or [0] * full.shape[0]

        def coded(rows: slice, start: int, count: int) -> Coded:
            cut = (rows, slice(None), slice(start, start + count))
            return self.encode(full[cut].contiguous(), None if sketch is None else sketch[cut].contiguous())

        if len(set(self.counts)) == 1 and len(set(held)) == 1 and len(set(due)) == 1:
            self._write(None, coded(slice(None), full.shape[2] - held[0], due[0]), full.shape[0])
        else:
            for row, (own, count) in enumerate(zip(held, due, strict=True)):
                if count:
                    self._write(row, coded(slice(row, row + 1), full.shape[2] - own, count), full.shape[0])
        self.counts = [a + b for a, b in zip(self.counts, due, strict=True)]

    def read(self, like: Tensor) -> Tensor:
        """All entries (batch, kv_heads, length, head_dim), each row's first ones at the left."""
        return self.decode(self.codes, like)[:, :, : self.length]

    @property
    def codes(self) -> Coded:
        """All coded tensors, each row's first blocks at the left."""
        return tuple(part.view for part in self.parts)

    def _write(self, row: int | None, coded: Coded, batch: int) -> None:
        self.parts = self.parts or [Tape(max(1, SPARE // self.block)) for _ in coded]
        for part, new in zip(self.parts, coded, strict=True):
            if row is None:
                part.append(new)
                continue
            start = self.counts[row] // self.block
            missing = start + new.shape[2] - part.length
            if missing > 0:
                part.grow(missing, new.expand(batch, *new.shape[1:]))
            part.view[row, :, start : start + new.shape[2]] = new[0]

    def rows(self, index: Tensor) -> None:
        """Keep rows of the batch by their index."""
        for part in self.parts:
            part.replace(part.view[index])
        self.counts = [self.counts[i] for i in index.tolist()] if self.counts else []


def right_aligned(coded: Tensor, counts: list[int], full: Tensor, held: list[int]) -> Tensor:
    """Join coded and plain entries of rows that end together.

    Args:
        coded: (batch, kv_heads, length, head_dim), row b's first counts[b] entries are its own.
        counts: coded entries of each row.
        full: (batch, kv_heads, entries, head_dim), row b's last held[b] entries are its own.
        held: plain entries of each row.

    Returns:
        (batch, kv_heads, longest row, head_dim), padding at the left.
    """
    if len(set(counts)) == 1 and len(set(held)) == 1:
        return torch.cat([coded, full[:, :, full.shape[2] - held[0] :]], 2)
    total = max(a + b for a, b in zip(counts, held, strict=True))
    out = full.new_zeros(full.shape[0], full.shape[1], total, full.shape[3])
    for row, (a, b) in enumerate(zip(counts, held, strict=True)):
        out[row, :, total - b - a : total - b] = coded[row, :, :a]
        out[row, :, total - b :] = full[row, :, full.shape[2] - b :]
    return out
