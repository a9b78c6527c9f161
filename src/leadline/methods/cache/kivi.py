"""KIVI: keep keys in few bits per channel and values in few bits per token, the newest in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from leadline.methods.base import Codec, Coded, Facts, Layer, Method, UserError
from leadline.methods.cache._bits import decode, encode


@dataclass(frozen=True, kw_only=True)
class Kivi(Method, Codec):
    """KIVI: keep keys in few bits per channel and values in few bits per token, the newest in full.

    Paper: Liu et al., ICML 2024, arXiv:2402.02750, algorithm 1; official code
      https://github.com/jy-yuan/KIVI@876b4d2, MIT.
    Claims: 2.6 times less peak memory, 2.35 to 3.47 times the throughput; LongBench within half a point at 2 bits.
    Differs: codes are packed in bytes, not 32-bit words; a group of equal numbers is exact (the code divides by 0);
      groups begin at each row's first real token; a prompt that comes in pieces is coded once it has ended; under
      methods that change positions keys are coded unrotated.
    Shapes: keys (batch, kv_heads, groups * group, head_dim) -> codes (batch, kv_heads, groups, head_dim, group * bits / 8).
    Cost: O(keys) decoding at each step into a full copy, bits / 8 + 2 * itemsize / group bytes per number;
      phase: prefill and decode.
    """

    bits: int = 2
    """Bits per number: 2, 4 or 8; the authors advise 4 for models with grouped queries."""
    group: int = 32
    """Numbers that share a scale and a minimum: tokens of a channel for keys, channels of a token for values."""
    residual: int = 128
    """Newest entries kept in full, a multiple of the group [tokens]."""

    neutral = {"group": 8, "residual": 208}
    trial = {"group": 8, "residual": 16}
    excepts = {3: "a later turn reads the earlier one in coded form, one long prompt reads itself in full"}

    def __post_init__(self) -> None:
        self.require(
            bits=self.bits in (2, 4, 8),
            group=self.group >= 1 and self.group * self.bits % 8 == 0,
            residual=self.residual >= self.group and self.residual % self.group == 0,
        )

    @property
    def key_block(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.group

    def accept(self, model: Facts) -> None:
        dim = getattr(model.config, "head_dim", None) or model.config.hidden_size // model.config.num_attention_heads
        if dim % self.group:
            raise UserError(f"{self}: heads of {dim} channels do not divide into groups of {self.group}: choose another group")
        if model.slides:
            raise UserError(
                f"{self}: every layer of this model keeps a window of {model.windows[0]} tokens only, which tokens leave "
                "one by one, and groups cannot: use a model with layers that keep all"
            )

    def due(self, tokens: int) -> tuple[int, int]:
        return tokens - tokens % self.residual, max(0, tokens - self.residual)

    def encode_keys(self, x: Tensor, layer: Layer, sketch: Tensor | None) -> Coded:
        # [B, H, groups, D, tokens of a group]
        return encode(x.unflatten(2, (-1, self.group)).transpose(-1, -2), self.bits)

    def decode_keys(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
        return decode(coded, self.bits, like).transpose(-1, -2).flatten(2, 3)

    def encode_values(self, x: Tensor, layer: Layer, sketch: Tensor | None) -> Coded:
        # [B, H, tokens, groups, channels of a group]
        return encode(x.unflatten(3, (-1, self.group)), self.bits)

    def decode_values(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
        return decode(coded, self.bits, like).flatten(3, 4)

    def bound(self, tokens: int, head_dim: int, itemsize: int, kv_heads: int) -> int:
        keys, values = self.due(tokens)
        full = (2 * tokens - keys - values) * head_dim * itemsize
        numbers = (keys + values) * head_dim
        return kv_heads * (full + numbers * self.bits // 8 + numbers // self.group * 2 * itemsize)


def check(lab: Any) -> Any:
    """As good as the full cache at 4 bits, in far fewer bytes; codes thrown away, their minima alone, are the control."""

    @dataclass(frozen=True, kw_only=True)
    class Minima(Kivi):
        def decode_keys(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
            packed, scale, low = coded
            return super().decode_keys((packed, 0 * scale, low), like, layer)

    def kivi(bits: int) -> Kivi:
        return Kivi(bits=bits, residual=32)

    plain = lab.ask(length=512, n=100)
    four, two = (lab.ask(kivi(bits), length=512, n=100) for bits in (4, 2))
    held = [lab.ask(one, length=512, n=3, timed=True).cache_bytes / 1024 for one in ("", kivi(4), kivi(2))]
    control = lab.ask(Minima(bits=4, residual=32), length=512)
    good = four.score >= plain.score - 0.01 and held[1] < 0.4 * held[0]
    return lab.finding(
        holds=None if good else False,
        figure=f"needle at 512: 4 bits {four}, 2 bits {two}, plain {plain}; cache {held[0]:.0f}, {held[1]:.0f} (4 bits), "
        f"{held[2]:.0f} KiB (2 bits); not shown: speed at batch on a GPU",
        control=f"key codes thrown away: {control}",
        control_holds=control.score >= plain.score - 0.01,
    )
