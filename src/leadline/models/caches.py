"""The plain key-value cache of the decode loop, and how one prefix's cache becomes that of many rows.

Knows nothing of requests and of methods; methods bring caches of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import Cache, DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

STEP = 16
"""Spare room that a growing layer takes at once [tokens]; what `cache_bytes` may exceed the tokens by."""


class GrowingLayer(DynamicLayer):
    """A full layer that appends in place: transformers' own copies all it holds at every token.

    Shapes: keys, values (batch, kv_heads, length, head_dim), views of buffers with at most STEP tokens to spare.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rooms: list[torch.Tensor | None] = [None, None]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values (batch, kv_heads, new, head_dim); returns all that is held."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        start = self.get_seq_length()
        self.keys = self._append(0, self.keys, key_states, start)
        self.values = self._append(1, self.values, value_states, start)
        return self.keys, self.values

    def adopt(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        """Take buffers (batch, kv_heads, room, head_dim) for one's own, the first `length` columns of them filled."""
        self.lazy_initialization(keys, values)
        self.rooms = [keys, values]
        self.keys, self.values = keys[:, :, :length], values[:, :, :length]

    def _append(self, which: int, held: torch.Tensor, new: torch.Tensor, start: int) -> torch.Tensor:
        room, end = self.rooms[which], start + new.shape[-2]
        # `held` no longer lies in the room after a reorder or a batch selection.
        if room is None or end > room.shape[-2] or held.data_ptr() != room.data_ptr() or held.shape[0] != room.shape[0]:
            batch, heads, _, dim = new.shape
            room = self.rooms[which] = new.new_empty(batch, heads, -(-end // STEP) * STEP, dim)
            if start:
                room[:, :, :start] = held
        room[:, :, start:end] = new
        return room[:, :, :end]

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.rooms = [None, None]


def plain(config: PreTrainedConfig) -> Cache:
    """An empty cache as the model's config asks for: growing layers for full attention, windows for sliding."""
    layers = DynamicCache(config=config).layers
    return Cache(layers=[GrowingLayer() if type(layer) is DynamicLayer else layer for layer in layers])


def shareable(cache: Cache) -> bool:
    """Whether `fork` knows all layers of a cache (not so for recurrent states, or a method's own layers)."""
    # Caches that make their layers as they go show none yet.
    return bool(cache.layers) and all(type(layer) in (GrowingLayer, DynamicSlidingWindowLayer) for layer in cache.layers)


def whole(cache: Cache) -> Cache:
    """An empty cache with as many layers that keeps everything, sliding layers too, so that it can be cut anywhere.

    The masks of sliding layers still hide what is out of their window.
    """
    return Cache(layers=[GrowingLayer() for _ in cache.layers])


def fork(prefix: Cache, length: int, pads: Sequence[int], into: Cache, spare: int = 0) -> Cache:
    """Fill the first `length` columns of a left-padded batch from the cache of its shared prefix.

    Column c of row i holds token c - pads[i], so a shorter row takes fewer tokens of the prefix and is fed the
    others again: the batch is the very one that would have been without sharing.

    Args:
        prefix: made by `whole`, one row, at least `length` tokens.
        length: columns to fill [tokens].
        pads: padding at the left of each row [tokens].
        into: an empty cache, for which `shareable` holds.
        spare: columns that are known to follow [tokens]; growing layers make room for them at once.
    """
    for source, target in zip(prefix.layers, into.layers, strict=True):
        assert isinstance(source, GrowingLayer) and isinstance(target, DynamicLayer)
        # Layers that read another layer's cache hold nothing.
        if source.keys is None or source.values is None:
            continue
        rooms = []
        for held in (source.keys, source.values):
            room = held.new_empty(len(pads), held.shape[1], length + spare, held.shape[3])
            for i, pad in enumerate(pads):
                # Masked or not, what lies under the padding must be numbers.
                room[i, :, :pad] = 0
                if pad < length:
                    room[i, :, pad:length] = held[0, :, : length - pad]
            rooms.append(room)
        if isinstance(target, GrowingLayer):
            target.adopt(rooms[0], rooms[1], length)
        else:
            target.update(rooms[0][:, :, :length], rooms[1][:, :, :length])
    return into
