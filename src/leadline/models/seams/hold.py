"""Taking hold of a transformers model for a while, by its own seams: hooks, a registered attention, cache layers.

One hook before the decoder (positions, padding, cache, what is fed), one before and one after each attention layer
(unrotated queries and keys; policies), an attention function with its mask function, a rotary module with other
frequencies. All is put back on leaving. Knows nothing of any method, tokenizer or decode loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, Cache, DynamicCache, PreTrainedModel

from leadline.models.seams import rotary
from leadline.models.seams.layer import Layer, Step
from leadline.models.seams.parts import Plan
from leadline.models.seams.store import Ledger, Store, ledger_of, placed
from leadline.nouns import UserError

NAME = "leadline"
"""The attention implementation's name while a model is held."""
_held: WeakSet[Any] = WeakSet()


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    leadline_step: Step | None = None,
    leadline_done: Callable[[Step], None] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """The registered attention function; shapes as transformers has them."""
    assert leadline_step is not None, "a layer that no hook has seen"
    layer = leadline_step.layer
    layer.scaling = scaling if scaling is not None else query.shape[-1] ** -0.5
    layer.softcap, layer.sinks = softcap, s_aux
    out = leadline_step.run(query, key, value).transpose(1, 2).contiguous()
    assert leadline_done is not None
    leadline_done(leadline_step)
    return out, None


def _no_mask(*_: Any, **__: Any) -> None:
    """Masks are made layer by layer, from where the entries really lie."""


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, _no_mask)


@dataclass(frozen=True)
class Facts:
    """What methods may want to know of a model before they are applied to it."""

    config: Any
    layers: int
    """Layers with attention."""
    windows: tuple[int | None, ...]
    """Sliding window of each [tokens]; None for those that read all."""
    trained: int
    """Length that it was trained to [tokens]; 0 where its configuration says none."""
    model: Any = None
    """The model itself, for what was learnt from its weights."""

    @property
    def slides(self) -> bool:
        """Whether every layer reads through a window."""
        return all(self.windows)


@dataclass
class _Forward:
    """What the layers of one forward share."""

    pos: Tensor
    valid: Tensor | None
    prefill: bool
    complete: bool
    cache: Cache | None
    placed: Tensor | None = None
    """Positions as entries keep them."""
    still: tuple[Tensor, Tensor] | None = None
    """Cosines and sines that turn nothing, for layers whose queries and keys are to come unrotated."""


@dataclass(frozen=True)
class Shared:
    """What is left of prompts when what they have in common has been read."""

    ids: Tensor
    """(batch, tokens), left-padded."""
    valid: Tensor
    """(batch, tokens), False for padding."""
    taken: Tensor
    """Tokens of each row that were read (batch,)."""
    fed: int
    """Tokens fed to read them, padding included."""


def in_common(rows: list[list[int]], least: int) -> tuple[list[tuple[list[list[int]], list[int]]], list[int]]:
    """What prompts have in common, as a tree, level by level.

    Args:
        rows: token ids of each.
        least: shortest piece that counts [tokens].

    Returns:
        For each level its pieces (token ids; an empty one for rows that share no further) and the piece of the level above
        that each follows; and the last level's piece of each row. No levels where nothing is common. At least one token of
        each row is left out of all pieces.
    """
    stages: list[tuple[list[list[int]], list[int]]] = []
    classes = [(list(range(len(rows))), 0)]
    while True:
        found: list[tuple[list[int], int]] = []
        pieces: list[list[int]] = []
        parents: list[int] = []
        for parent, (members, at) in enumerate(classes):
            groups: dict[tuple[int, ...], list[int]] = {}
            for row in members:
                key = tuple(rows[row][at : at + least]) if len(rows[row]) > at + least else (-1, row)
                groups.setdefault(key, []).append(row)
            rest = [row for group in groups.values() if len(group) == 1 for row in group]
            for group in (group for group in groups.values() if len(group) > 1):
                first, most = rows[group[0]], min(len(rows[row]) for row in group) - 1
                end = min((i for i in range(at, most) if any(rows[row][i] != first[i] for row in group)), default=most)
                pieces.append(first[at:end])
                parents.append(parent)
                found.append((group, end))
            if rest:
                pieces.append([])
                parents.append(parent)
                found.append((rest, at))
        if not any(pieces):
            of = {row: i for i, (members, _) in enumerate(classes) for row in members}
            return stages, [of[row] for row in range(len(rows))]
        stages.append((pieces, parents))
        classes = found


class _Seen(Exception):  # noqa: N818
    """Raised to leave a forward whose rest is not wanted."""


class Hold:
    """A plan on a model, between `install` and `remove`."""

    counted = False
    """What a cache's owner holds, such as the cache of the last forward, is no part of that cache."""

    def __init__(self, model: PreTrainedModel, plan: Plan, name: str) -> None:
        """Look at the model; nothing is changed yet.

        Args:
            model: a causal language model or its decoder.
            plan: the parts.
            name: how the stack is spelled, for errors.

        Raises:
            UserError: a model whose attention these seams do not fit.
        """
        self.model, self.plan, self.name = model, plan, name
        config: Any = model.config.get_text_config(decoder=True)
        decoder: Any = model.get_decoder()
        self.config, self.decoder = config, decoder
        kind = type(model).__name__
        if getattr(model.config, "is_encoder_decoder", False) or not hasattr(decoder, "layers"):
            raise UserError(f"{kind} is no decoder with a list of layers: methods apply to causal language models of that form")
        if getattr(config, "use_bidirectional_attention", None):
            raise UserError(f"{kind} attends in both directions: methods apply to causal attention")
        modules = [block.self_attn for block in decoder.layers if hasattr(block, "self_attn")]
        if not modules:
            raise UserError(f"{kind} has no `self_attn` in its layers: its attention cannot be taken hold of")
        if any(hasattr(m, "kv_b_proj") or not hasattr(m, "layer_idx") for m in modules):
            raise UserError(f"{kind} keeps latent vectors instead of keys and values (MLA): methods do not apply to it")
        plain = DynamicCache(config=config).layers
        windows = [getattr(plain[m.layer_idx], "sliding_window", None) for m in modules]
        if "chunked_attention" in (getattr(config, "layer_types", None) or ()):
            raise UserError(f"{kind} attends within chunks: methods do not apply to it")
        stated = config.rope_parameters if hasattr(config, "rope_parameters") else None
        rope = next(iter(stated.values()), None) if stated and "rope_type" not in stated else stated
        trained = getattr(config, "trained_window", None) or (rope or {}).get("original_max_position_embeddings")
        trained = trained or getattr(config, "max_position_embeddings", None) or 0
        self.facts = Facts(config, len(modules), tuple(windows), int(trained), model)
        self.layers: dict[int, Layer] = {}
        self._modules = modules
        self._turners: dict[str | None, rotary.Turner] = {}
        """By layer type, so that layers share a table."""
        self._undo: list[Callable[[], None]] = []
        self._forward: _Forward | None = None
        self._scaled: rotary.Scaled | None = None
        self._reading = False
        self._parameters = list(inspect.signature(decoder.forward).parameters)

    # ---------------------------------------------------------------- coming and going

    def install(self) -> None:
        """Take hold.

        Raises:
            UserError: something else holds the model; a RoPE that cannot be changed.
        """
        if self.model in _held:
            raise UserError("methods are already applied to this model: join them with +, as in 'yarn(factor=4) + snapkv'")
        try:
            self._install()
        except BaseException:
            self.remove()
            raise

    def _install(self) -> None:
        _held.add(self.model)
        self._undo.append(lambda: _held.discard(self.model))
        plan, decoder = self.plan, self.decoder
        own = getattr(decoder, "rotary_emb", None)
        turning = own
        if plan.rope is not None or plan.raw:
            if own is None or not hasattr(self.config, "rope_parameters"):
                raise UserError(f"{type(self.model).__name__} has no rotary positions: {self.name} changes those")
            if plan.rope is not None:
                self._scaled = rotary.Scaled(own, plan.rope, self._rope_facts(own))
                turning = decoder.rotary_emb = self._scaled.module
                self._undo.append(lambda: setattr(decoder, "rotary_emb", own))
        if not plan.cached:
            return
        mixed = not self.facts.slides
        ruled = [window is None or not mixed for window in self.facts.windows]
        for place, (module, window) in enumerate(zip(self._modules, self.facts.windows, strict=True)):
            turn = self._turner(module, turning) if plan.raw and rotary.turns(module) else None
            self.layers[module.layer_idx] = Layer(
                plan=plan,
                module=module,
                index=module.layer_idx,
                rank=sum(ruled[:place]),
                governed=sum(ruled),
                rules=ruled[place],
                window=window,
                trained=self.facts.trained,
                turn=turn,
                decoder=decoder,
            )
            self._undo.append(module.register_forward_pre_hook(self._before_layer, with_kwargs=True).remove)
        self._undo.append(decoder.register_forward_pre_hook(self._before, with_kwargs=True).remove)
        self._undo.append(decoder.register_forward_hook(self._after).remove)
        before = str(self.model.config._attn_implementation), str(self.config._attn_implementation)
        self.model.set_attn_implementation(NAME)
        self._undo.append(lambda: self._restore_attention(*before))
        if self.config._attn_implementation != NAME:
            raise UserError(f"{type(self.model).__name__} does not let its attention be replaced: {self.name} needs that")

    def _restore_attention(self, outer: str, inner: str) -> None:
        self.model.set_attn_implementation(outer)
        self.config._attn_implementation = inner

    def remove(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()
        self.layers.clear()
        self._turners.clear()
        self._forward = self._scaled = None

    def _rope_facts(self, own: Any) -> dict[str | None, Any]:
        kinds: list[str | None]
        if isinstance(getattr(own, "rope_type", None), dict):
            # A layer that slides never reads further than it was trained to.
            kinds = [kind for kind in own.rope_type if "sliding" not in kind] or list(own.rope_type)
        else:
            kinds = [None]
        return {kind: rotary.facts(own, self.config, kind, self.facts.trained) for kind in kinds}

    def _turner(self, module: Any, turning: Any) -> rotary.Turner:
        apply = rotary.applier(module)
        if apply is None:
            raise UserError(f"{type(self.model).__name__} rotates in a way of its own: {self.name} needs unrotated keys")
        kind = rotary.layer_kind(turning, self.config, module.layer_idx)
        dynamic = self.plan.rope is not None and self.plan.rope.dynamic
        if kind not in self._turners:
            self._turners[kind] = rotary.Turner(turning, kind, apply, dynamic)
        return self._turners[kind]

    # ---------------------------------------------------------------- caches

    def cache(self) -> Cache:
        """An empty cache that this plan fills."""
        return Cache(layers=self._stores())

    def _stores(self) -> list[Any]:
        ledger = Ledger(self)
        plain = DynamicCache(config=self.config).layers
        layers = [Store(self.layers[i], ledger) if i in self.layers else layer for i, layer in enumerate(plain)]
        ledger.stores = [layer for layer in layers if isinstance(layer, Store)]
        return layers

    def _adopt(self, cache: Any) -> Ledger:
        """Make a cache ours: an empty one of transformers' gets our layers, so that `generate` needs no argument."""
        ledger = ledger_of(cache)
        if ledger is None:
            if type(cache) not in (DynamicCache, Cache) or cache.get_seq_length():
                raise UserError(
                    f"a {type(cache).__name__} made elsewhere cannot be used under {self.name}: leave past_key_values and "
                    "cache_implementation out, or pass on the cache that a call under the same methods returned"
                )
            cache.layers, cache.layer_class_to_replicate = self._stores(), None
            ledger = ledger_of(cache)
            assert ledger is not None
        if ledger.owner is not self:
            raise UserError(f"this cache was made under other methods than {self.name}: start with a new one")
        return ledger

    # ---------------------------------------------------------------- the hooks

    def _before(
        self, decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kwargs = dict(zip(self._parameters, args, strict=False)) | kwargs
        source: Tensor = kwargs["inputs_embeds"] if kwargs.get("input_ids") is None else kwargs["input_ids"]
        mask, cache = kwargs.get("attention_mask"), kwargs.get("past_key_values")
        if isinstance(mask, dict) or (mask is not None and mask.ndim != 2):
            raise UserError("attention_mask must be (batch, tokens), 1 for tokens and 0 for padding, when methods are applied")
        uses = kwargs.get("use_cache")
        if cache is None and (self.config.use_cache if uses is None else uses) and not self._reading:
            cache = kwargs["past_key_values"] = self.cache()
        ledger = self._adopt(cache) if cache is not None else None
        past = cache.get_seq_length() if cache is not None else 0
        new = source.shape[1]
        pos = self._positions(kwargs.get("position_ids"), mask, source, past)
        if ledger is not None and ledger.shift is not None:
            pos = (pos - ledger.shift[:, None]).clamp(min=0)
        valid = None if mask is None else mask[:, -new:].bool()
        fed = past - ledger.skipped if ledger and past else 0
        if ledger is not None and ledger.expect is not None and fed >= ledger.expect:
            ledger.expect = None
        chooses = self.plan.context is not None and new > 1
        if chooses and ledger is not None and ledger.expect is None and not ledger.recording:
            if past:
                raise UserError(
                    f"{self.name} reads a whole prompt at once: no prefill_chunk_size, and no second turn on a kept cache"
                )
            source, pos, valid = self._narrow(kwargs, source, pos, valid, ledger)
            new = source.shape[1]
        if self.plan.shares and ledger is not None and not past and not ledger.sharing and kwargs.get("input_ids") is not None:
            found = self.share(source, torch.ones_like(source, dtype=torch.bool) if valid is None else valid, cache)
            if found is not None:
                kwargs["input_ids"], valid = found.ids, found.valid
                pos, source, new = pos[:, -found.ids.shape[1] :], found.ids, found.ids.shape[1]
        if valid is not None and valid.all():
            valid = None
        expect, recording = (ledger.expect, ledger.recording) if ledger else (None, False)
        prefill = new > 1 and not recording if expect is None else fed < expect
        left = max(0, expect - fed - new) if expect is not None else 0
        self._forward = _Forward(
            pos=pos,
            valid=valid,
            prefill=prefill,
            complete=not prefill or (expect is not None and left == 0),
            cache=cache,
            placed=placed(pos, valid),
        )
        if self._scaled is not None and self._scaled.rope.dynamic:
            ends = pos if valid is None else torch.where(valid, pos, -1)
            self._scaled.set(ends.max(-1).values + 1 + left)
        return (), kwargs | {"position_ids": pos, "attention_mask": None}

    def _positions(self, given: Tensor | None, mask: Tensor | None, source: Tensor, past: int) -> Tensor:
        batch, new = source.shape[:2]
        if given is not None:
            if given.ndim != 2:
                raise UserError(f"position_ids must be (batch, tokens) when methods are applied, got {tuple(given.shape)}")
            return given.expand(batch, -1)
        if mask is not None:
            return (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -new:]
        return torch.arange(past, past + new, device=source.device).expand(batch, -1)

    def _narrow(
        self, kwargs: dict[str, Any], ids: Tensor, pos: Tensor, valid: Tensor | None, ledger: Ledger
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Let the context method choose what is fed."""
        if kwargs.get("input_ids") is None:
            raise UserError(f"{self.name} chooses among token ids: pass input_ids, not inputs_embeds")
        valid = torch.ones_like(ids, dtype=torch.bool) if valid is None else valid
        ids, valid = self.select(ids, valid, ledger)
        pos = (valid.long().cumsum(-1) - 1).clamp(min=0)
        kwargs["input_ids"] = ids
        return ids, pos, valid

    def select(self, ids: Tensor, valid: Tensor, ledger: Ledger) -> tuple[Tensor, Tensor]:
        """What the context method keeps of a prompt: ids and validity (batch, kept); the ledger is told."""
        assert self.plan.context is not None
        with torch.no_grad():
            index = self.plan.context.select(Reader(self), ids, valid)
        kept = index >= 0
        ledger.skipped = ids.shape[1] - index.shape[1]
        ledger.shift = valid.sum(-1) - kept.sum(-1)
        return torch.where(kept, ids.gather(1, index.clamp(min=0)), ids[:, :1]), kept

    def share(self, ids: Tensor, valid: Tensor, cache: Any) -> Shared | None:
        """Read what prompts have in common once, into the heads of an empty cache; the ledger is told.

        Args:
            ids: (batch, tokens), left-padded.
            valid: (batch, tokens), False for padding.
            cache: of this plan, empty.

        Returns:
            What is left to be fed; None where rows have nothing in common.
        """
        rows = [row[own].tolist() for row, own in zip(ids, valid, strict=True)]
        stages, of = in_common(rows, self.plan.shares)
        ledger = ledger_of(cache)
        if not stages or ledger is None:
            return None
        ledger.sharing, fed, taken = True, 0, torch.zeros(1, dtype=torch.long, device=ids.device)
        try:
            for pieces, parents in stages:
                parent = torch.tensor(parents, device=ids.device)
                for store in ledger.stores if fed else ():
                    store.share(parent)
                width, begin = max(map(len, pieces)), taken[parent]
                tokens = torch.tensor([[0] * (width - len(p)) + p for p in pieces], device=ids.device)
                mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in pieces], device=ids.device)
                at = begin[:, None] + (mask.cumsum(-1) - 1).clamp(min=0)
                with torch.no_grad():
                    self.decoder(input_ids=tokens, attention_mask=mask, position_ids=at, past_key_values=cache, use_cache=True)
                fed, taken = fed + tokens.numel(), begin + mask.sum(-1)
        finally:
            ledger.sharing = False
        last = torch.tensor(of, device=ids.device)
        for store in ledger.stores:
            store.share(last)
        taken = taken[last]
        count = valid.sum(-1) - taken
        left = int(count.max())
        ledger.skipped += ids.shape[1] - left
        kept = torch.arange(left, device=ids.device)[None] >= left - count[:, None]
        return Shared(ids[:, ids.shape[1] - left :], kept, taken, fed)

    def _before_layer(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        forward, layer = self._forward, self.layers[module.layer_idx]
        assert forward is not None
        store = forward.cache.layers[layer.index] if forward.cache is not None else None
        step = Step(
            layer=layer,
            q_pos=forward.pos,
            valid=forward.valid,
            prefill=forward.prefill,
            complete=forward.complete,
            store=store if isinstance(store, Store) else None,
            pos=forward.placed,
        )
        if step.store is not None:
            if step.store.codec is not None:
                step.hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            step.store.begin(step)
        if layer.raw:
            cos, sin = kwargs["position_embeddings"]
            if forward.still is None or forward.still[0].shape != cos.shape:
                forward.still = torch.ones_like(cos), torch.zeros_like(sin)
            kwargs = kwargs | {"position_embeddings": forward.still}
        self._step = step
        return args, kwargs | {"leadline_step": step, "leadline_done": self._done}

    def _done(self, step: Step) -> None:
        # Not kept: it holds a decoded copy of what the store has.
        self._step = None
        if step.store is not None:
            step.store.finish()
        if self._probe is not None:
            self._probe(step)

    def _after(self, module: nn.Module, args: Any, output: Any) -> None:
        # Not kept: positions of a long prompt are as many bytes as some layers' budgets.
        self._forward = None

    _probe: Callable[[Step], None] | None = None
    _step: Step | None = None


class Reader:
    """Runs the lower layers of a held model and lets one look at them; keeps nothing."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self.model, self.decoder, self.facts = hold.model, hold.decoder, hold.facts
        self.layers = hold.facts.layers
        """Layers with attention."""

    def look(self, ids: Tensor, valid: Tensor, layer: int, see: Callable[[Step], Any]) -> Any:
        """Feed tokens to the layers up to `layer` and return what `see` makes of that layer's step.

        Args:
            ids: (batch, tokens).
            valid: (batch, tokens), False for padding.
            layer: index of the layer, 0 the lowest.
            see: is given the layer's step, whose `look` has queries and keys of all tokens.
        """
        hold, found = self._hold, []

        def probe(step: Step) -> None:
            if step.layer.index == layer:
                found.append(see(step))
                raise _Seen

        reading, before = hold._reading, hold._probe
        hold._reading, hold._probe = True, probe
        view = copy(hold.decoder)
        view._modules = dict(hold.decoder._modules)
        view.layers = nn.ModuleList(hold.decoder.layers[: layer + 1])
        try:
            view(input_ids=ids, attention_mask=valid.long(), use_cache=False)
        except _Seen:
            pass
        finally:
            hold._reading, hold._probe = reading, before
        if not found:
            raise UserError(f"{hold.name}: layer {layer} has no attention to look at; choose another")
        return found[0]
