"""What a method can change: one small abstract class per seam, and the data that the host hands to it.

A method's class derives from `methods.base.Method` and from one or more of these; the host calls nothing else of
it. Shapes use the words batch, heads (of queries), kv_heads, queries, keys, head_dim. Knows nothing of any method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from leadline.models.seams.hold import Reader
    from leadline.models.seams.layer import Layer, Step
    from leadline.models.seams.store import Store

Pairs = Callable[[Tensor, Tensor], Tensor]
"""A rule over pairs: query positions (batch, 1, queries, 1) and key positions (batch, 1 or kv_heads, 1, keys), as
the tokens have them in the text, give a bool that broadcasts to (batch, 1 or kv_heads or heads, queries, keys)."""


@dataclass(frozen=True)
class RopeFacts:
    """How a model rotates, before a method changes it."""

    base: float
    """The `rope_theta`."""
    dim: int
    """Rotated part of a head [channels]."""
    trained: int
    """Length that the model was trained to [tokens]."""
    own: Tensor
    """Its inverse frequencies (dim / 2,) [radians per token]."""
    scale: float
    """What it multiplies cos and sin by."""
    kind: str
    """Its RoPE type: `default`, or the scaling that it was saved with."""


class Rope(ABC):
    """Other RoPE frequencies."""

    dynamic: ClassVar[bool] = False
    """Whether they depend on the length; then keys are cached unrotated, and each row has its own frequencies."""

    @abstractmethod
    def inv_freq(self, rope: RopeFacts, length: Tensor | None) -> tuple[Tensor, float]:
        """Inverse frequencies and the factor of cos and sin.

        Args:
            rope: what the model has.
            length: tokens of each row so far (rows, 1), float, for dynamic ones; None otherwise.

        Returns:
            (dim / 2,), or (rows, dim / 2) for dynamic ones; and a factor, 1 for most.
        """


@dataclass(frozen=True)
class View:
    """One way to place queries and keys, and the pairs that are read that way."""

    q: Tensor
    """Where queries are rotated to (batch, queries)."""
    k: Tensor
    """Where keys are rotated to (batch, 1 or kv_heads, keys)."""
    where: Pairs | None = None
    """The pairs of this view by their positions in the text; None for all."""


class Positions(ABC):
    """Other positions than those in the text. Keys are then cached unrotated."""

    @abstractmethod
    def views(self, layer: Layer, q_pos: Tensor, k_pos: Tensor) -> list[View]:
        """Views that share one softmax; a pair in none of them is not read, no pair may be in two.

        A model's sliding window is held in the positions of the view.

        Args:
            layer: which one, and what the model is.
            q_pos: positions of the queries in the text (batch, queries).
            k_pos: of the keys (batch, 1 or kv_heads, keys), -1 where there is none.
        """


class Temper(ABC):
    """Sharper or flatter attention by position."""

    @abstractmethod
    def temper(self, layer: Layer, q_pos: Tensor) -> Tensor:
        """Factors (batch, queries) of the logits of each query, from its position in the text."""


class Attention(ABC):
    """What is read of what is kept."""

    phases: ClassVar[frozenset[Literal["prefill", "decode"]]] = frozenset({"prefill"})
    """When it acts; the other phase is dense."""
    raw: ClassVar[bool] = False
    """Whether it wants queries and keys unrotated; `step.layer.turn` rotates them."""
    shares: ClassVar[int] | int = 0
    """Least length of a head that rows have in common for it to be held once, in `step.store.heads` [tokens]; 0 for never."""

    @abstractmethod
    def attend(self, step: Step, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of one layer.

        Args:
            step: gives positions, the causal rule, and `read` for masked attention in blocks.
            q: queries (batch, heads, queries, head_dim), rotated unless `raw`.
            k: keys (batch, kv_heads, keys, head_dim), the new ones last.
            v: values, as keys.

        Returns:
            (batch, heads, queries, head_dim).
        """


class Policy(ABC):
    """What is kept. Called in the order of the stack, layer by layer, after each forward."""

    when: ClassVar[Literal["prompt", "always"]] = "prompt"
    """Whether it evicts once a prompt has ended, or after every step."""
    looks: ClassVar[bool] = True
    """Whether it chooses by what was attended to; otherwise by position, and need not wait for a prompt's end."""

    def observe(self, store: Store, step: Step) -> None:  # noqa: B027
        """See a forward: `step.q`, `step.weights`; what is to be remembered goes to `store.state` or `store.notes`."""

    @abstractmethod
    def settle(self, store: Store, decoding: bool) -> None:
        """Evict with `store.keep`: when a prompt has ended (not decoding), and after each later step (decoding)."""

    @abstractmethod
    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        """Most entries that a kv-head holds after a prompt of `tokens` and `generated` more, in one layer."""


Coded = tuple[Tensor, ...]
"""Coded entries: tensors (batch, kv_heads, blocks, ...)."""


class Codec(ABC):
    """In what form entries are kept. What is not due yet stays as it is."""

    key_block: ClassVar[int] | int = 1
    """Keys coded together, as a block of following tokens [tokens]."""
    value_block: ClassVar[int] | int = 1
    """Values coded together [tokens]."""
    raw: ClassVar[bool] = False
    """Whether it wants keys unrotated."""
    joint: ClassVar[bool] = False
    """Whether a code is of all heads of a token together, so that heads cannot drop different tokens."""

    @abstractmethod
    def due(self, tokens: int) -> tuple[int, int]:
        """How many of the oldest keys and values are to be in coded form when a row holds `tokens`: whole blocks."""

    def sketch(self, layer: Layer, hidden: Tensor) -> Tensor | None:
        """What is kept of new tokens beside their keys and values until they are coded, and codes are made of.

        Keys and values must then be due together, and the codec be `joint`.

        Args:
            layer: which one.
            hidden: what the layer's attention reads (batch, new, hidden).

        Returns:
            (batch, 1, new, width), or None for nothing.
        """
        return None

    @abstractmethod
    def encode_keys(self, x: Tensor, layer: Layer, sketch: Tensor | None) -> Coded:
        """Keys (batch, kv_heads, blocks * key_block, head_dim) of a layer to coded tensors."""

    @abstractmethod
    def decode_keys(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
        """And back, in the dtype of `like`."""

    @abstractmethod
    def encode_values(self, x: Tensor, layer: Layer, sketch: Tensor | None) -> Coded:
        """Values (batch, kv_heads, blocks * value_block, head_dim) of a layer to coded tensors."""

    @abstractmethod
    def decode_values(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
        """And back, in the dtype of `like`."""

    @abstractmethod
    def bound(self, tokens: int, head_dim: int, itemsize: int, kv_heads: int) -> int:
        """Bytes that a layer holds of a row's `tokens`, without spare room."""


class Context(ABC):
    """What is fed."""

    @abstractmethod
    def select(self, reader: Reader, ids: Tensor, valid: Tensor) -> Tensor:
        """Choose the prompt tokens that the whole model reads, as a new prompt.

        Args:
            reader: looks into the model without keeping anything.
            ids: (batch, tokens), left-padded.
            valid: (batch, tokens), False for padding.

        Returns:
            Columns to keep (batch, kept), ascending in each row, with -1 at the left where a row keeps fewer.
        """


class Drafter(ABC):
    """How tokens come out: guesses that the model checks several at a time."""

    @abstractmethod
    def draft(self, ids: np.ndarray, room: int) -> list[int]:
        """At most `room` tokens that may follow `ids` (tokens,), the prompt and what was said; [] for no guess."""


@dataclass(frozen=True)
class Plan:
    """The parts of a stack by what they change."""

    rope: Rope | None = None
    positions: Positions | None = None
    tempers: tuple[Temper, ...] = ()
    attention: tuple[Attention, ...] = ()
    policies: tuple[Policy, ...] = ()
    codec: Codec | None = None
    context: Context | None = None
    drafter: Drafter | None = None

    @property
    def raw(self) -> bool:
        """Whether keys are cached unrotated."""
        dynamic = self.rope is not None and self.rope.dynamic
        coded = self.codec is not None and self.codec.raw
        return self.positions is not None or dynamic or coded or any(part.raw for part in self.attention)

    @property
    def cached(self) -> bool:
        """Whether the cache must be ours."""
        return self.attends or self.context is not None or self.drafter is not None

    @property
    def attends(self) -> bool:
        """Whether attention must be ours."""
        return bool(self.raw or self.tempers or self.attention or self.policies or self.codec)

    @property
    def shares(self) -> int:
        """Least length of a head that rows have in common for it to be held once [tokens]; 0 for never."""
        return max((part.shares for part in self.attention), default=0)

    def kernel(self, prefill: bool) -> Attention | None:
        """The attention of a phase, where it is not dense."""
        phase = "prefill" if prefill else "decode"
        return next((part for part in self.attention if phase in part.phases), None)


def stable_top(scores: Tensor, count: int | list[int]) -> Tensor:
    """Indices of the `count` highest along the last dimension, ascending; of equals the earlier one.

    Args:
        scores: (batch, ..., keys).
        count: one for all, or one for each row of the batch.

    Returns:
        (batch, ..., most of the counts), with -1 at the left of rows whose count is less.
    """
    most = count if isinstance(count, int) else max(count)
    if isinstance(count, int) and count == scores.shape[-1] - 1:
        # All but the last of the lowest.
        dropped = count - scores.flip(-1).argmin(-1, keepdim=True)
        index = torch.arange(count, device=scores.device)
        return index + (index >= dropped)
    index = scores.sort(dim=-1, descending=True, stable=True).indices[..., :most]
    if not isinstance(count, int):
        counts = torch.tensor(count, device=scores.device).view(-1, *[1] * (scores.ndim - 1))
        index = index.masked_fill(torch.arange(index.shape[-1], device=scores.device) >= counts, -1)
    return index.sort(dim=-1).values


def group_mean(x: Tensor, kv_heads: int) -> Tensor:
    """Mean over the query heads of each kv-head: (batch, heads, ...) -> (batch, kv_heads, ...)."""
    return x.unflatten(1, (kv_heads, -1)).mean(2)


def minus_inf(x: Tensor, valid: Tensor) -> Tensor:
    """Scores with -inf where there is no entry; `valid` broadcasts to `x`."""
    return torch.where(valid, x, torch.full_like(x, -torch.inf))
