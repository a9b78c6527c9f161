"""The key-value cache of one layer: keys, values, the position of each entry, and what policies and codecs do to it.

Entries of a row stand in the order of the text, padding before them, and all rows end together. Lengths told to
transformers are logical (tokens seen), whatever is really held. Knows nothing of any method.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from leadline.models.seams.layer import Layer, Look, Step
from leadline.models.seams.parts import Codec, Policy, stable_top
from leadline.models.seams.tape import CodedTape, Tape, gather, right_aligned
from leadline.nouns import UserError


@dataclass
class Ledger:
    """What the layers of one cache share."""

    owner: object
    """The stack that made it; another one must not read it."""
    expect: int | None = None
    """Columns that will have been fed when the prompt ends, where that is known ahead."""
    skipped: int = 0
    """Columns that a context method left out."""
    shift: Tensor | None = None
    """Tokens that it left out of each row (batch,)."""
    recording: bool = False
    """Whether new entries are on trial until `crop` or `retract`."""
    stores: list[Store] = field(default_factory=list)
    """The layers that are ours, from the lowest."""
    sharing: bool = False
    """Whether heads that rows have in common are being read."""
    shared: dict[str, Any] = field(default_factory=dict)
    """What methods keep for all layers together."""


@dataclass(eq=False)
class Head:
    """The beginning that some rows have in common, or a further piece of it, held once."""

    keys: Tensor
    """(1, kv_heads, tokens, head_dim), as cached."""
    values: Tensor
    pos: Tensor
    """Positions in the text (tokens,)."""
    rows: Tensor
    """Which rows of the batch begin with it (rows,)."""


@dataclass(eq=False)
class _Observed:
    """The queries of a step on trial."""

    step: Step
    queries: int


class Store(CacheLayerMixin):
    """One layer's cache.

    Policies use `look`, `read`, `keep`, `pos`, `length`, and two places for what they remember: `state` (anything
    whose tensors have the batch first) and `notes` (scores (batch, 1 or kv_heads, length) that move with the entries).
    """

    is_compileable = False
    is_croppable = True

    def __init__(self, layer: Layer, ledger: Ledger) -> None:
        super().__init__()
        self.layer, self.ledger = layer, ledger
        self.policies: tuple[Policy, ...] = layer.plan.policies if layer.rules else ()
        self.codec: Codec | None = layer.plan.codec if layer.rules else None
        # Under other positions a window is one of views, and keys far away in the text may lie near in them.
        mapped = layer.rules and layer.plan.positions is not None
        self.window = None if mapped else layer.window
        self.is_sliding = layer.window is not None
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.is_initialized = False
        self.keys = self.values = None
        self.tapes = (Tape(), Tape())
        self.sketches: Tape | None = None
        """What a codec keeps of each entry that is not coded yet, beside its key and value."""
        self.coded: tuple[CodedTape, CodedTape] | None = None
        self.pos: Tensor = torch.empty(0)
        """Position of each entry in the text (batch, 1 or kv_heads, length), int32; -1 for padding."""
        self.rows: list[int] = []
        """Entries that are no padding, of each row."""
        self.seen = 0
        """Columns fed so far, whatever became of them."""
        self.heads: list[Head] = []
        """What rows have in common, before what is held of each."""
        self.padded = False
        """Whether there may be padding among what is held."""
        self.gapped = False
        """Whether entries from the middle are gone."""
        self.state: dict[str, Any] = {}
        self.notes: dict[str, Tensor] = {}
        self.pending = False
        """Whether the prompt may have ended with what is held, which policies have not acted on."""
        self._step: Step | None = None
        self._trial: list[_Observed] = []

    # ---------------------------------------------------------------- what policies use

    @property
    def length(self) -> int:
        """Entries held of each row and kv-head, padding included."""
        return self.pos.shape[-1] if self.is_initialized else 0

    @property
    def valid(self) -> Tensor:
        """Which entries are no padding (batch, 1 or kv_heads, length)."""
        return self.pos >= 0

    def read(self) -> tuple[Tensor, Tensor]:
        """All keys and values (batch, kv_heads, length, head_dim), decoded."""
        if self.coded is None:
            return self.tapes[0].view, self.tapes[1].view
        out = []
        for tape, coded in zip(self.tapes, self.coded, strict=True):
            if not coded.length:
                out.append(tape.view)
                continue
            held = [total - count for total, count in zip(self.rows, coded.counts, strict=True)]
            whole = right_aligned(coded.read(tape.view), coded.counts, tape.view, held)
            missing = self.length - whole.shape[2]
            out.append(torch.nn.functional.pad(whole, (0, 0, missing, 0)) if missing else whole)
        return out[0], out[1]

    def look(self, q: Tensor, q_pos: Tensor, valid: Tensor | None) -> Look:
        """Queries (batch, heads, queries, head_dim) of the newest tokens, looking at all that is held."""
        return Look(self.layer, q, q_pos, valid, self.read()[0], self.pos)

    def keep(self, index: Tensor) -> None:
        """Keep entries by index (batch, 1 or kv_heads, kept), ascending; the others are freed.

        Each row must keep as many real entries in all its kv-heads; where it has too few, padding fills up, or -1 at
        the left, which makes padding.
        """
        self._uncode()
        self.gapped = True
        heads = index.shape[1]
        if heads > self.pos.shape[1]:
            self.pos = self.pos.expand(-1, heads, -1)
        # What is none stands at the left.
        none = index < 0 if bool((index[..., :1] < 0).any()) else None
        if none is not None:
            index = index.clamp(min=0)
        for tape in self._plain:
            tape.take(index if tape is not self.sketches else index[:, :1])
        self.pos = gather(self.pos, index)
        self.notes = {name: gather(note.expand(-1, max(note.shape[1], heads), -1), index) for name, note in self.notes.items()}
        if none is not None:
            self.padded = True
            self.pos = self.pos.masked_fill(none, -1)
        if not self.padded:
            self.rows = [self.length] * len(self.rows)
            return
        self.rows = self.valid[:, 0].sum(-1).tolist()
        # Columns that no row fills any more.
        if max(self.rows) < self.length:
            self._tail(max(self.rows))

    def keep_newest(self, count: int) -> None:
        """Keep the newest `count` entries of each row and kv-head."""
        if self.length > count:
            self._uncode()
            self._tail(count)

    def keep_ends(self, first: int, newest: int, slack: int = 0) -> None:
        """Keep the first tokens of the text and the newest entries, once there are more than `slack` too many."""
        if self.length <= first + newest + slack:
            return
        column = torch.arange(self.length, device=self.pos.device)
        flags = ((self.pos >= 0) & (self.pos < first)) | (column >= self.length - newest)
        self.keep(stable_top(flags.byte(), int(flags.sum(-1).max())))

    # ---------------------------------------------------------------- what the host uses

    def begin(self, step: Step) -> None:
        """A forward is about to reach this layer."""
        if self.pending and not step.prefill:
            self._settle(decoding=False)
        self._step = step

    def finish(self) -> None:
        """The forward has left this layer."""
        step, self._step = self._step, None
        if step is None or not hasattr(step, "q"):
            return
        if self.ledger.recording:
            self._trial.append(_Observed(step, step.q.shape[2]))
        else:
            self._digest(step)

    def share(self, of: Tensor) -> None:
        """Make of what is held the common heads of new rows, which hold nothing of their own yet.

        In layers that the stack does not govern each new row takes a copy.

        Args:
            of: which of the present rows each new one begins with (batch,).
        """
        if not self.layer.rules:
            self._rows(of)
            self.seen = 0
            return
        (keys, values), pos = self.read(), self.pos[:, 0]
        heads = [self._chosen(head, of) for head in self.heads]
        for row, count in enumerate(self.rows):
            if count:
                held = slice(self.length - count, self.length)
                own = (keys[row : row + 1, :, held].clone(), values[row : row + 1, :, held].clone(), pos[row, held].clone())
                heads.append(Head(*own, (of == row).nonzero()[:, 0]))
        self.reset()
        self.heads = heads

    @staticmethod
    def _chosen(head: Head, index: Tensor) -> Head:
        """A head after rows were chosen by index."""
        return replace(head, rows=torch.isin(index, head.rows).nonzero()[:, 0])

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Called by transformers; nothing needs to be made ahead."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object) -> tuple[Tensor, Tensor]:
        """Append new entries; returns all, decoded."""
        step = self._step
        if step is None:
            raise UserError("this cache was made under `applied`: use it only there, with the same methods")
        first = not self.is_initialized
        if first:
            self.lazy_initialization(key_states, value_states)
        batch, new = key_states.shape[0], key_states.shape[2]
        pos = step.pos
        if pos is None:
            pos = placed(step.q_pos, step.valid)
        self.tapes[0].append(key_states)
        self.tapes[1].append(value_states)
        if self.codec is not None and step.hidden is not None:
            sketch = self.codec.sketch(self.layer, step.hidden)
            if sketch is not None:
                self.sketches = self.sketches or Tape()
                self.sketches.append(sketch)
            step.hidden = None
        if not first:
            pos = torch.cat([self.pos, pos if self.pos.shape[1] == 1 else pos.expand(-1, self.pos.shape[1], -1)], -1)
        self.pos = pos
        if self.notes:
            self.notes = {name: torch.nn.functional.pad(note, (0, new)) for name, note in self.notes.items()}
        self.seen += new
        self.rows = self.rows or [0] * batch
        if step.valid is None:
            self.rows = [row + new for row in self.rows]
        else:
            self.padded = True
            self.rows = [row + more for row, more in zip(self.rows, step.valid.sum(-1).tolist(), strict=True)]
            if not first:
                self._padding_first(step.valid)
        return self.read()

    def get_seq_length(self) -> int:
        """Tokens seen, those left out of the context included."""
        return self.seen + self.ledger.skipped if self.seen else 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Logical length and offset; masks are made elsewhere."""
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        """No maximum."""
        return -1

    def activate_past_recording(self) -> None:
        """Called by transformers when a user's own assistant drafts."""
        self._no_assistant()

    def crop(self, tokens_to_remove: int) -> None:
        """Take the newest -`tokens_to_remove` columns back."""
        if tokens_to_remove > 0:
            raise UserError(f"crop takes a negative number of tokens to remove, got {tokens_to_remove}")
        self._no_assistant()
        self.retract([-tokens_to_remove] * len(self.rows))

    def _no_assistant(self) -> None:
        # transformers says too late that tokens are on trial: they were acted on with the forward that fed them.
        if self.policies or self.codec is not None or self.window is not None:
            raise UserError(
                "transformers' own assistants and crop cannot take tokens back from a cache that evicts, codes or slides: "
                "stack a drafting method with the others instead, such as prompt-lookup"
            )

    def retract(self, counts: list[int]) -> None:
        """Take the newest columns of each row back, and let policies act on what is left of those on trial."""
        if any(counts):
            self._take_back(counts)
        trial, self._trial = self._trial, []
        least, left = min(counts, default=0), list(counts)
        for observed in reversed(trial):
            # Whole columns go; of what stays, rows that lose more than others have padding.
            gone = min(least, observed.queries)
            least -= gone
            step, stay = observed.step, observed.queries - gone
            lost = torch.tensor(left, device=step.q.device)[:, None] - gone
            keep = torch.arange(stay, device=step.q.device)[None] < stay - lost
            step.q, step.q_pos = step.q[:, :, :stay], step.q_pos[:, :stay]
            valid = keep if step.valid is None else step.valid[:, :stay] & keep
            step.valid = valid if step.valid is not None or len(set(counts)) > 1 else None
            left = [max(0, n - observed.queries) for n in left]
        for observed in trial:
            step = observed.step
            if step.q.shape[2]:
                step.look = self.look(step.q, step.q_pos, step.valid)
                self._digest(step)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Rows by index, as beam search asks."""
        if self.is_initialized:
            self._rows(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row."""
        if self.is_initialized:
            self._rows(torch.arange(len(self.rows)).repeat_interleave(repeats))

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep rows by index."""
        if self.is_initialized:
            self._rows(indices)

    # ---------------------------------------------------------------- inside

    def _digest(self, step: Step) -> None:
        """Let policies, the codec and the window act on a step that is here to stay."""
        for policy in self.policies:
            policy.observe(self, step)
        if step.prefill and not step.complete:
            self.pending = True
            for policy in self.policies:
                if not policy.looks:
                    policy.settle(self, decoding=False)
            self._slide()
        else:
            self._settle(decoding=not step.prefill)

    def _settle(self, decoding: bool) -> None:
        self.pending = False
        for policy in self.policies:
            if not decoding or policy.when == "always":
                policy.settle(self, decoding)
        self._slide()
        if self.codec is not None:
            self._encode(self.codec)

    def _slide(self) -> None:
        # A query sees itself and the window - 1 before it.
        if self.window is not None and self.coded is None:
            self.keep_newest(self.window - 1)

    def _encode(self, codec: Codec) -> None:
        due = list(zip(*(codec.due(tokens) for tokens in self.rows), strict=True))
        if self.coded is None:
            if not any(map(any, due)):
                return
            layer = self.layer
            self.coded = (
                CodedTape(
                    codec.key_block,
                    lambda x, sketch: codec.encode_keys(x, layer, sketch),
                    lambda coded, like: codec.decode_keys(coded, like, layer),
                ),
                CodedTape(
                    codec.value_block,
                    lambda x, sketch: codec.encode_values(x, layer, sketch),
                    lambda coded, like: codec.decode_values(coded, like, layer),
                ),
            )
        sketch = None if self.sketches is None else self.sketches.view
        for tape, coded, wanted in zip(self.tapes, self.coded, due, strict=True):
            have = coded.counts or [0] * len(self.rows)
            more = [max(0, a - b) for a, b in zip(wanted, have, strict=True)]
            held = [total - count for total, count in zip(self.rows, have, strict=True)]
            if any(more):
                coded.push(tape.view, sketch, held, more)
                longest = max(a - b for a, b in zip(held, more, strict=True))
                tape.replace(tape.view[:, :, tape.length - longest :].clone())
                if self.sketches is not None and tape is self.tapes[1]:
                    self.sketches.replace(self.sketches.view[:, :, self.sketches.length - longest :].clone())
            else:
                coded.counts = have

    def _uncode(self) -> None:
        """Bring all entries back to plain form; they keep the error that coding made."""
        if self.coded is None:
            return
        assert self.sketches is None, "what was coded with a sketch is never evicted or taken back"
        for tape, x in zip(self.tapes, self.read(), strict=True):
            tape.replace(x)
        self.coded = None

    @property
    def _plain(self) -> list[Tape]:
        """The tapes of what is not coded."""
        return [*self.tapes, *([] if self.sketches is None else [self.sketches])]

    def _tail(self, count: int) -> None:
        for tape in self._plain:
            tape.replace(tape.view[:, :, tape.length - count :].clone())
        self.pos = self.pos[..., self.pos.shape[-1] - count :].clone()
        self.notes = {name: note[..., note.shape[-1] - count :].clone() for name, note in self.notes.items()}
        self.rows = [min(row, count) for row in self.rows]

    def _padding_first(self, valid: Tensor) -> None:
        """Move new padding (batch, new) to the left, before what was held."""
        new = valid.shape[1]

        def order(length: int) -> Tensor:
            old = valid.new_ones(valid.shape[0], length - new)
            return torch.cat([old, valid], -1).byte().sort(dim=-1, stable=True).indices[:, None]

        self._arrange(order)

    def _arrange(self, order: Callable[[int], Tensor]) -> None:
        """Move columns; `order` gives (batch, 1, length) for a tensor of that length, of which the newest are plain."""
        for tape in self._plain:
            tape.take(order(tape.length))
        index = order(self.length)
        self.pos = gather(self.pos, index)
        self.notes = {name: gather(note, index) for name, note in self.notes.items()}

    def _take_back(self, counts: list[int]) -> None:
        plain = min(tape.length for tape in self.tapes)
        if max(counts) > plain or max(counts) > self.length:
            self._uncode()
        if max(counts) > self.length:
            raise UserError(f"cannot take {max(counts)} tokens back: only {self.length} are held, the others were evicted")
        least = min(counts)
        for tape in self._plain:
            tape.cut(tape.length - least)
        self.pos = self.pos[..., : self.pos.shape[-1] - least]
        self.notes = {name: note[..., : note.shape[-1] - least] for name, note in self.notes.items()}
        self.seen -= least
        extra = torch.tensor([n - least for n in counts], device=self.pos.device)
        if extra.any():
            self.padded = True
            gone = torch.arange(self.length, device=self.pos.device) >= self.length - extra[:, None, None]
            self.pos = torch.where(gone, -1, self.pos)

            def order(length: int) -> Tensor:
                kept = torch.arange(length, device=extra.device)[None] < length - extra[:, None]
                return kept.byte().sort(dim=-1, stable=True).indices[:, None]

            self._arrange(order)
        if self.padded:
            self.rows = self.valid[:, 0].sum(-1).tolist()
        else:
            self.rows = [row - n for row, n in zip(self.rows, counts, strict=True)]

    def _rows(self, index: Tensor) -> None:
        index = index.to(self.pos.device)

        def select(x: Any) -> Any:
            if isinstance(x, Tensor):
                return x[index]
            return type(x)(select(v) for v in x) if isinstance(x, list | tuple) else x

        for tape in self._plain:
            tape.replace(tape.view[index])
        for coded in self.coded or ():
            coded.rows(index)
        self.pos = self.pos[index]
        self.heads = [self._chosen(head, index) for head in self.heads]
        self.notes = {name: note[index] for name, note in self.notes.items()}
        self.state = {name: select(value) for name, value in self.state.items()}
        self.rows = [self.rows[i] for i in index.tolist()]


def placed(q_pos: Tensor, valid: Tensor | None) -> Tensor:
    """Positions of new tokens as entries keep them (batch, 1, queries), int32, -1 for padding."""
    return (q_pos if valid is None else torch.where(valid, q_pos, -1)).to(torch.int32)[:, None]


def ledger_of(cache: Cache) -> Ledger | None:
    """The ledger of a cache of ours; None for others."""
    return next((layer.ledger for layer in cache.layers if isinstance(layer, Store)), None)


def end_prompt(cache: Cache) -> None:
    """Tell a cache that the prompt has ended, where no forward told it: what was put off happens now."""
    for layer in cache.layers:
        if isinstance(layer, Store) and layer.pending:
            layer._settle(decoding=False)


def copied(cache: Cache) -> Cache:
    """A cache that holds the same and goes its own way from here; models and methods are not copied with it."""
    memo: dict[int, Any] = {}
    for layer in cache.layers:
        if isinstance(layer, Store):
            for part in (layer.layer, layer.codec, layer.ledger.owner, *layer.policies):
                memo[id(part)] = part
    return deepcopy(cache, memo)
