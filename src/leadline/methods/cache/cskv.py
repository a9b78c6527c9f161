"""CSKV: keep old keys and values as a low-rank code of what they were computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from leadline.methods.base import Codec, Coded, Facts, Fitted, Layer, Method, UserError, keep, learnt
from leadline.methods.cache._bits import BITS, decode, encode

Factors = tuple[Tensor, Tensor]
"""Down (rank, hidden) and up (kv_heads * head_dim, rank)."""


@dataclass(frozen=True, kw_only=True)
class Cskv(Method, Codec):
    """CSKV: keep old keys and values as a low-rank code of what they were computed from.

    Paper: Wang et al. 2024, arXiv:2409.10593, sections 3.1 to 3.3; official code
      https://github.com/wln20/CSKV, no licence file.
    Claims: a cache 80 % smaller with long-context ability kept; up to 95 % with 4 bits.
    Differs: without `learnt` the factors are a plain SVD of the weights; codes of few bits are packed (the code keeps
      them as floats) and share a scale and a minimum, not an integer zero point, over channels of a token for values and
      over a window's tokens for keys; a prompt in pieces is coded once it has ended; entries keep their true positions.
    Shapes: hidden (batch, tokens, hidden) -> codes (batch, 1, tokens, rank); keys (batch, kv_heads, tokens, head_dim).
    Cost: O(keys * rank * head_dim) up-projection and a rotation of all keys at each step, rank numbers per entry and
      side; phase: prefill and decode.
    """

    keys: float = 0.25
    """Rank of the key codes as a share of all key channels (more than 0, at most 1)."""
    values: float = 0.75
    """Rank of the value codes as a share of all value channels (more than 0, at most 1)."""
    window: int = 32
    """Newest entries of which originals are kept too, until they are as many (1 or more) [tokens]."""
    bits: int = 16
    """Bits of a number of a code: 2, 4 or 8; 16 for no rounding."""
    learnt: str = ""
    """File of the factors that `fit` trained for this model and these ranks; empty for those of a plain SVD."""

    raw = True
    joint = True
    neutral = {"window": 256}
    trial = {"keys": 0.5, "values": 0.5, "window": 8}
    learns = ("keys", "values")
    excepts = {3: "a later turn reads the earlier one from codes, one long prompt reads itself in full"}

    def __post_init__(self) -> None:
        self.require(keys=0 < self.keys <= 1, values=0 < self.values <= 1, window=self.window >= 1)
        self.require(bits=self.bits in (*BITS, 16) and (self.bits == 16 or self.window * self.bits % 8 == 0))

    @property
    def key_block(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return 1 if self.bits == 16 else self.window

    def accept(self, model: Facts) -> None:
        if model.slides:
            raise UserError(
                f"{self}: every layer of this model keeps a window of {model.windows[0]} tokens only, which tokens leave "
                "one by one, and codes leave by windows: use a model with layers that keep all"
            )
        if self.learnt:
            learnt(self, model.model)

    def due(self, tokens: int) -> tuple[int, int]:
        whole = tokens - tokens % self.window
        return whole, whole

    def sketch(self, layer: Layer, hidden: Tensor) -> Tensor:
        sides = self.factors(layer)
        return torch.cat([hidden @ down.T for down, _ in sides], -1)[:, None]

    def encode_keys(self, x: Tensor, layer: Layer, sketch: Tensor | None) -> Coded:
        assert sketch is not None
        code = sketch[..., : len(self.factors(layer)[0][0])]
        if self.bits == 16:
            return (code,)
        # [B, 1, windows, rank, tokens of a window]
        return encode(code.unflatten(2, (-1, self.window)).transpose(-1, -2), self.bits)

    def encode_values(self, x: Tensor, layer: Layer, sketch: Tensor | None) -> Coded:
        assert sketch is not None
        code = sketch[..., len(self.factors(layer)[0][0]) :]
        return (code,) if self.bits == 16 else encode(_even(code, self.bits), self.bits)

    def decode_keys(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
        x = self._up(self._key_code(coded, like), layer, 0, like)
        norm = getattr(layer.module, "k_norm", None)
        return x if norm is None else norm(x.transpose(1, 2)).transpose(1, 2)

    def decode_values(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
        return self._up(self._value_code(coded, like, layer), layer, 1, like)

    def bound(self, tokens: int, head_dim: int, itemsize: int, kv_heads: int) -> int:
        old = self.due(tokens)[0]
        ranks = _rank(self.keys, head_dim, kv_heads) + _rank(self.values, head_dim, kv_heads)
        number = itemsize if self.bits == 16 else self.bits / 8
        scales = 0 if self.bits == 16 else 2 * itemsize * (old + (old // self.window) * ranks)
        rounding = 0 if self.bits == 16 else 8 * old
        return int(old * ranks * number + scales + rounding) + (tokens - old) * (2 * kv_heads * head_dim + ranks) * itemsize

    def factors(self, layer: Layer) -> tuple[Factors, Factors]:
        """The factors of a layer's keys and values, made at its first use."""
        kept = layer.kept.of
        if self not in kept:
            sides = projections(layer.module)
            if self.learnt:
                tensors, _ = learnt(self, layer.decoder)
                named = ([f"{layer.index}.{side}.{part}" for part in ("down", "up")] for side in "kv")
                kept[self] = tuple(tuple(tensors[name].to(sides[0][0]) for name in names) for names in named)
            else:
                dim = layer.module.head_dim
                shares = zip(sides, (self.keys, self.values), strict=True)
                kept[self] = tuple(svd(w, _rank(share, dim, len(w) // dim)) for (w, _), share in shares)
        return kept[self]

    def _up(self, code: Tensor, layer: Layer, side: int, like: Tensor) -> Tensor:
        """Keys or values (batch, kv_heads, tokens, head_dim) of codes (batch, 1, tokens, rank)."""
        _, bias = projections(layer.module)[side]
        x = code[:, 0] @ self.factors(layer)[side][1].T
        x = x if bias is None else x + bias
        return x.to(like.dtype).unflatten(-1, (-1, layer.module.head_dim)).transpose(1, 2)

    def _key_code(self, coded: Coded, like: Tensor) -> Tensor:
        return coded[0] if self.bits == 16 else decode(coded, self.bits, like).transpose(-1, -2).flatten(2, 3)

    def _value_code(self, coded: Coded, like: Tensor, layer: Layer) -> Tensor:
        # A code may have been padded to fill bytes.
        return coded[0] if self.bits == 16 else decode(coded, self.bits, like)[..., : len(self.factors(layer)[1][0])]

    def fit(self, model: Any, batches: Iterable[Tensor], seed: int = 0, *, rate: float = 5e-5, alpha: float = 0.5) -> Fitted:
        """Train the factors so that keys and values of all layers are reconstructed, one pass over the batches.

        Args:
            model: a causal language model of transformers, frozen.
            batches: token ids (batch, tokens) of ordinary text, without padding.
            seed: not used; nothing is drawn.
            rate: of AdamW.
            alpha: how much channels with large inputs count in the SVD that training starts from.

        Returns:
            Figures `before` and `after`: mean squared error of keys and values over the batches, before and after training.
        """
        batches, decoder = list(batches), model.get_decoder()
        modules = [block.self_attn for block in decoder.layers if hasattr(block, "self_attn")]
        seen: dict[int, Tensor] = {}
        handles = [
            m.register_forward_pre_hook(
                lambda m, a, k: seen.update({m.layer_idx: k["hidden_states"].detach()}), with_kwargs=True
            )
            for m in modules
        ]
        try:
            size = {m.layer_idx: torch.full((projections(m)[0][0].shape[1],), 1e-6, device=model.device) for m in modules}
            for ids in batches:
                with torch.no_grad():
                    decoder(input_ids=ids.to(model.device), use_cache=False)
                for index, x in seen.items():
                    size[index] = size[index] + x.float().abs().mean((0, 1))
            factors: dict[str, nn.Parameter] = {}
            for m in modules:
                dim, weights = m.head_dim, projections(m)
                heads = len(weights[0][0]) // dim
                for side, (w, _), share in zip("kv", weights, (self.keys, self.values), strict=True):
                    down, up = svd(w, _rank(share, dim, heads), size[m.layer_idx] ** alpha)
                    for part, x in (("down", down), ("up", up)):
                        factors[f"{m.layer_idx}.{side}.{part}"] = nn.Parameter(x.float().clone())
            optimiser = torch.optim.AdamW(factors.values(), lr=rate)

            def errors(ids: Tensor) -> Tensor:
                with torch.no_grad():
                    decoder(input_ids=ids.to(model.device), use_cache=False)
                total = torch.zeros((), device=model.device)
                for m in modules:
                    x = seen[m.layer_idx].float()
                    for side, (w, _) in zip("kv", projections(m), strict=True):
                        down, up = (factors[f"{m.layer_idx}.{side}.{part}"] for part in ("down", "up"))
                        # Rotations and biases are the same on both sides: they change no distance.
                        total = total + nn.functional.mse_loss(x @ down.T @ up.T, x @ w.float().T)
                return total

            def mean() -> float:
                with torch.no_grad():
                    return sum(float(errors(ids)) for ids in batches) / len(batches)

            before = mean()
            for ids in batches:
                optimiser.zero_grad()
                errors(ids).backward()
                optimiser.step()
            after = mean()
        finally:
            for handle in handles:
                handle.remove()
        method = keep(self, model, factors, [ids.tolist() for ids in batches], seed)
        return Fitted(method, {"before": before, "after": after})


def _rank(share: float, head_dim: int, kv_heads: int) -> int:
    return max(1, int(share * head_dim)) * kv_heads


def _even(code: Tensor, bits: int) -> Tensor:
    """A code whose last dimension fills bytes, its last number repeated so that no range grows."""
    return torch.cat([code, code[..., -1:].expand(*code.shape[:-1], -code.shape[-1] % (8 // bits))], -1)


def projections(module: Any) -> list[tuple[Tensor, Tensor | None]]:
    """Weights (kv_heads * head_dim, hidden) and biases of the keys' and the values' projections of an attention layer."""
    if hasattr(module, "k_proj"):
        return [(module.k_proj.weight, module.k_proj.bias), (module.v_proj.weight, module.v_proj.bias)]
    # Phi3 has queries, keys and values in one matrix.
    joint, dim = module.qkv_proj, module.head_dim
    heads = module.config.num_attention_heads * dim
    rest = (joint.weight.shape[0] - heads) // 2
    return [
        (joint.weight[a : a + rest], None if joint.bias is None else joint.bias[a : a + rest]) for a in (heads, heads + rest)
    ]


def svd(weight: Tensor, rank: int, size: Tensor | None = None) -> Factors:
    """The best factors of a rank for a weight (out, in), input channels weighed by `size` (in,)."""
    with torch.no_grad():
        w = weight.float() if size is None else weight.float() * size
        u, s, v = torch.linalg.svd(w, full_matrices=False)
        root = s[:rank].sqrt()
        down = root[:, None] * v[:rank]
        down = down if size is None else down / size
        return down.to(weight.dtype), (u[:, :rank] * root).to(weight.dtype)


def check(lab: Any) -> Any:
    """What rank minnow's keys and values bear, trained and not, and with few bits; a random projection is the control."""
    batches = lab.text(512, 48)
    plain, scores, held = lab.ask(length=512), {}, {}
    for keys, values, bits in ((0.2, 0.2, 16), (0.5, 0.5, 16), (0.5, 0.5, 4)):
        method = Cskv(keys=keys, values=values, bits=bits)
        fitted = method.fit(lab.minnow.module, batches, rate=2e-3)
        scores[method] = lab.ask(str(fitted.method), length=512), lab.ask(str(method), length=512), fitted.figures
        held[method] = lab.ask(str(fitted.method), length=2048, n=2, timed=True).cache_bytes
    full = lab.ask(length=2048, n=2, timed=True).cache_bytes
    told = "; ".join(
        f"{method} trained {a}, SVD {b}, error {f['before']:.3f} to {f['after']:.3f}, "
        f"{held[method] / full:.2f} of the bytes at 2k"
        for method, (a, b, f) in scores.items()
    )
    best = next(iter(scores))
    control = lab.ask("cskv(keys=0.02, values=0.02)", length=512)
    return lab.finding(
        holds=scores[best][0].score >= plain.score - 0.05 and held[best] < 0.23 * full,
        figure=f"needle at 512, plain {plain}; {told}",
        control=f"rank 2 of 128: {control}",
        control_holds=control.score >= plain.score - 0.05,
    )
