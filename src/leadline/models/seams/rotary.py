"""RoPE of any transformers model: reading what it has, replacing it for a while, turning vectors by hand.

Knows nothing of caches and masks.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from leadline.models.seams.parts import Rope, RopeFacts
from leadline.nouns import UserError

Apply = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def layer_kind(rotary: nn.Module, config: Any, index: int) -> str | None:
    """The layer type by which a model's rotary module tells its frequencies apart; None where it has one set."""
    return config.layer_types[index] if isinstance(getattr(rotary, "rope_type", None), dict) else None


def turns(attention: nn.Module) -> bool:
    """Whether an attention layer rotates at all (some layers of SmolLM3 and Cohere2 do not)."""
    if type(attention).__name__.startswith("Cohere2"):
        return getattr(attention, "sliding_window", None) is not None
    return bool(getattr(attention, "use_rope", True))


def applier(attention: nn.Module) -> Apply | None:
    """The model's own `apply_rotary_pos_emb`."""
    return getattr(sys.modules[type(attention).__module__], "apply_rotary_pos_emb", None)


def facts(rotary: nn.Module, config: Any, kind: str | None, trained: int) -> RopeFacts:
    """What a rotary module has, for one layer type."""
    stated = config.rope_parameters[kind] if kind else config.rope_parameters
    own = getattr(rotary, f"{kind}_inv_freq" if kind else "inv_freq")
    return RopeFacts(
        base=float(stated["rope_theta"]),
        dim=2 * own.shape[-1],
        trained=trained,
        own=own.detach().clone().float(),
        scale=float(getattr(rotary, f"{kind}_attention_scaling" if kind else "attention_scaling", 1.0)),
        kind=stated.get("rope_type", "default"),
    )


def from_base(rope: RopeFacts, base: Tensor | float) -> Tensor:
    """Inverse frequencies of a base, (dim / 2,) or (rows, dim / 2) for a base of (rows, 1)."""
    exponents = torch.arange(0, rope.dim, 2, dtype=torch.float, device=rope.own.device) / rope.dim
    return 1.0 / (base**exponents)


def unscaled(rope: RopeFacts, name: str) -> None:
    """Refuse a model whose frequencies were already scaled, for methods that start from its base.

    Raises:
        UserError: its RoPE type is not `default`.
    """
    if rope.kind != "default":
        raise UserError(
            f"{name} starts from the model's RoPE base, but its RoPE is already scaled by {rope.kind!r}: "
            "use linear(factor=...), which scales what is there, or load the model with rope_type 'default'"
        )


class Scaled:
    """A rotary module with a method's frequencies; the model's own is left as it was."""

    def __init__(self, rotary: nn.Module, rope: Rope, facts_by_kind: dict[str | None, RopeFacts]) -> None:
        """Args: rotary: the model's own; facts_by_kind: for the layer types that are to be changed, None for all."""
        self.rope, self.facts = rope, facts_by_kind
        self.module: Any = copy.deepcopy(rotary)
        # Else its forward would put frequencies of its own back.
        self.module.rope_type = (
            self.module.rope_type | {kind: "default" for kind in facts_by_kind if kind}
            if isinstance(self.module.rope_type, dict)
            else "default"
        )
        if not rope.dynamic:
            self.set(None)

    def set(self, length: Tensor | None) -> None:
        """Compute the frequencies; `length` is each row's (rows,) where they depend on it."""
        for kind, own in self.facts.items():
            rows = None if length is None else length.to(own.own.device, torch.float)[:, None]
            freq, scale = self.rope.inv_freq(own, rows)
            # With one more dimension each row has its own: (rows, keys, 1) * (rows, 1, dim / 2).
            self.module.register_buffer(
                f"{kind}_inv_freq" if kind else "inv_freq", freq[:, None] if freq.ndim == 2 else freq, persistent=False
            )
            setattr(self.module, f"{kind}_attention_scaling" if kind else "attention_scaling", scale)


class Turner(nn.Module):
    """Rotates vectors to positions with a model's own RoPE; a module, so that its table counts as no one's cache."""

    def __init__(self, rotary: nn.Module, kind: str | None, apply: Apply, dynamic: bool = False) -> None:
        """What to rotate by.

        Args:
            rotary: the model's rotary module, or one that stands in for it.
            kind: the layer type whose frequencies to use; None where there is one set.
            apply: the model's own `apply_rotary_pos_emb`.
            dynamic: whether frequencies change between calls, so that no table of them can be kept.
        """
        super().__init__()
        # In a tuple, so that it does not become a part of this module.
        self._rotary, self.kind, self.apply_to, self.dynamic = (rotary,), kind, apply, dynamic
        self._table: tuple[Tensor, Tensor] | None = None
        self._last: dict[torch.Size, tuple[Tensor, Tensor, Tensor]] = {}

    def forward(self, x: Tensor, pos: Tensor) -> Tensor:
        """Turn (batch, heads, tokens, head_dim) to positions (batch, tokens) or (batch, heads, tokens)."""
        if pos.ndim == 3 and pos.shape[1] == 1:
            pos = pos[:, 0]
        batch, heads, tokens, dim = x.shape
        # Entries that are none sit at -1; any number will do for them.
        cos, sin = self._angles(x, pos.clamp(min=0).reshape(batch, -1))
        if pos.ndim == 3:
            x = x.reshape(batch * heads, 1, tokens, dim)
            cos, sin = cos.reshape(batch * heads, tokens, -1), sin.reshape(batch * heads, tokens, -1)
        # No keys to turn along: an empty tensor of zero heads costs nothing.
        return self.apply_to(x, x[:, :0], cos, sin)[0].view(batch, heads, tokens, dim)

    def _angles(self, x: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines (batch, tokens, rotary dim), from a table where frequencies stay."""
        if self.dynamic:
            return self._compute(x, pos)
        known = self._last.get(pos.shape)
        if known is not None and known[1].dtype == x.dtype and torch.equal(known[0], pos):
            # The layers of a forward mostly turn to the same places.
            return known[1:]
        last = int(pos.max()) if pos.numel() else 0
        if self._table is None or last >= len(self._table[0]) or self._table[0].dtype != x.dtype:
            # Twice as long each time, so that it is seldom made.
            places = torch.arange(2 ** max(8, (last + 1).bit_length()), device=x.device)[None]
            cos, sin = self._compute(x, places)
            self._table = cos[0], sin[0]
        cos, sin = (torch.nn.functional.embedding(pos, table) for table in self._table)
        if len(self._last) > 1 and pos.shape not in self._last:
            self._last.clear()
        self._last[pos.shape] = pos, cos, sin
        return cos, sin

    def _compute(self, x: Tensor, pos: Tensor) -> tuple[Tensor, Tensor]:
        rotary = self._rotary[0]
        return rotary(x, pos) if self.kind is None else rotary(x, pos, self.kind)
