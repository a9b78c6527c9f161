"""Builds an item into a prompt of L tokens: context first, question last, the rest noise.

Noise is tokenised once for each source and tokenizer, cut at the borders of its units, and counted by splicing:
tokenisation is local, so only small windows around the places where pieces meet are tokenised anew. Knows
nothing of tasks, scores or models.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leadline.data.difficulty import difficulty
from leadline.data.noise import Source, open_noise, unspaced
from leadline.data.tokens import Starts, Tokenizer, meeting
from leadline.nouns import Item, Prompt, TooLong, Turn, UserError

FIRST = 65_536
"""Noise of an item starts somewhere in so much of the source, so that different items lie in different noise [characters]."""
_WINDOW = 32
"""Text on either side of a seam that is tokenised anew [characters]; doubled where tokens do not meet in it."""
_WORDS = " and so it went on and on for a while as it had done before and no one thought much of it at all".split(" ")[1:]
_HAN_WORDS = "了好一阵子谁也没有多想什么日子还是和从前一样慢慢地过着就这样"

_LONG = 100_000
"""Windows of so much literal text are tokenised in chunks [characters]."""
_FAR = 2000
"""Text farther than this from a word does not change the word's tokens [characters]."""

Part = str | tuple[int, int]
"""A piece of a prompt: literal text, or a span of the noise tape [characters]."""
Messages = tuple[tuple[str, str], ...]
"""Role and content of each."""
_MARK = "\u2042mark\u2042"
Compose = Callable[[Item, int, Callable[[str], int]], Item]
"""Gives an item evidence that fills at most so many tokens; the third argument counts a text's."""


@dataclass(frozen=True)
class Layout:
    """Where the evidence lies. Depths are shares of the noise, 0 before all of it, 1 after."""

    depth: float | None = None
    """Depth of the first piece; None for one drawn from the item's name, the same at every length."""
    spread: Literal["random", "even", "clustered"] = "random"

    def __post_init__(self) -> None:
        if self.depth is not None and not 0 <= self.depth <= 1:
            raise UserError(f"depth must lie in 0 to 1, got {self.depth}")
        if self.spread not in ("random", "even", "clustered"):
            raise UserError(f"spread must be random, even or clustered, got {self.spread!r}")

    def depths(self, item: Item, seed: int) -> list[float]:
        """Depth of each piece of an item's evidence; rising where the item is `ordered`.

        An item that sweeps the context says in `meta["depth"]` where its first piece lies, if nothing else is asked for.
        """
        k = len(item.evidence)
        drawn = [_hash(f"{item.id}/{seed}/{j}") for j in range(k)]
        if k and "depth" in item.meta:
            drawn[0] = float(item.meta["depth"])
        if item.depths:
            shift = 0.0 if self.depth is None else self.depth - item.depths[0]
            return [min(1.0, max(0.0, depth + shift)) for depth in item.depths]
        first = drawn[0] if self.depth is None and k else self.depth or 0.0
        if self.spread == "clustered":
            return [first] * k
        if self.spread == "even":
            if self.depth is None:
                return [(j + 1) / (k + 1) for j in range(k)]
            return [first + (1 - first) * j / k if item.ordered else (first + j / k) % 1 if j else first for j in range(k)]
        if self.depth is None:
            return sorted(drawn) if item.ordered else drawn
        rest = drawn[1:]
        return [first, *(sorted(first + (1 - first) * d for d in rest) if item.ordered else rest)][:k]


def _hash(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56


def _common(a: str, b: str) -> int:
    """Length of what two texts begin with alike [characters]."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


ANYWHERE = Layout()


class Tape:
    """The units of one source as one text, tokenised once and grown when more is needed."""

    def __init__(self, source: Source, tokenizer: Tokenizer) -> None:
        self.source, self.tokenizer = source, tokenizer
        self.text = ""
        self.starts: Starts = np.empty(0, np.int64)
        """Where tokens start [characters], (tokens,)."""
        self.begins: Starts = np.empty(0, np.int64)
        self.ends: Starts = np.empty(0, np.int64)
        """Spans of the units [characters], (units,)."""
        self.costs: Starts = np.empty(0, np.int64)
        """Tokens of each unit with what joins it to the next, (units,)."""
        self.exhausted = False
        """Whether the source holds no more."""

    def unit(self, place: int) -> int:
        """The unit that holds a character, counted round the end where the source is too short."""
        while not self.exhausted and len(self.text) <= place:
            self._grow(place - len(self.text), len(self.text))
        return int(np.searchsorted(self.begins, place % len(self.text), "right")) - 1

    def reach(self, first: int, tokens: int) -> None:
        """Grow until the units from `first` on hold so many tokens, or the source ends."""
        while not self.exhausted and (missing := tokens - int(self.costs[first:].sum())) > 0:
            self._grow(missing, len(self.starts))

    def _grow(self, missing: int, held: int) -> None:
        """Take more units, by what those so far hold on average; a few at first."""
        have = len(self.begins)
        n = have + 16 + int(1.02 * missing * have / held) if have else 64
        units = self.source.take(n)
        self.exhausted = len(units) < n
        fresh = units[len(self.begins) :]
        if not fresh:
            return
        join, old = self.source.join, len(self.text)
        sizes = np.fromiter(map(len, fresh), np.int64, len(fresh))
        begins = (old + len(join) if old else 0) + np.concatenate([[0], np.cumsum(sizes[:-1] + len(join))])
        self.text = join.join([self.text, *fresh] if old else fresh)
        back = max(0, old - 1024)
        new = self.tokenizer.long_starts(self.text[back:]) + back
        border = meeting(self.starts, new, back + 256, old - 64) if old else None
        if border is None:
            self.starts = self.tokenizer.long_starts(self.text) if back else new
        else:
            self.starts = np.concatenate(
                [self.starts[: np.searchsorted(self.starts, border)], new[np.searchsorted(new, border) :]]
            )
        self.begins = np.concatenate([self.begins, begins])
        self.ends = np.concatenate([self.ends, begins + sizes])
        marks = np.searchsorted(self.starts, self.begins)
        self.costs = np.diff(np.append(marks, len(self.starts)))
        if not self.costs.all():
            # Tokens that begin far apart, as where a tokenizer takes a run of unknown characters for one, are shared out.
            at, first = np.unique(self.starts, return_index=True)
            sums = np.interp([*self.begins, len(self.text)], [*at, len(self.text)], [*first, len(self.starts)])
            self.costs = np.diff(sums.astype(np.int64))

    def order(self, first: int, tokens: int, avoid: Sequence[str]) -> Starts:
        """Numbers of the units to use, (units,): in order from `first` on, and round the end where the source is too short.

        Raises:
            UserError: every unit holds something that the item must not meet.
        """
        far = tokens
        while True:
            self.reach(first, far)
            size = len(self.begins)
            allowed = np.ones(size, bool)
            for text in avoid:
                at = self.text.find(text)
                while at >= 0:
                    unit = int(np.searchsorted(self.begins, at, "right")) - 1
                    allowed[unit] = False
                    at = self.text.find(text, int(self.begins[unit + 1])) if unit + 1 < size else -1
            units = np.flatnonzero(allowed)
            if self.exhausted:
                turn = int(np.searchsorted(units, first))
                units = np.concatenate([units[turn:], units[:turn]])
                held = int(self.costs[units].sum())
                if not held:
                    kept_out = ", ".join(map(repr, avoid))
                    raise UserError(f"noise {self.source.spec!r} has nothing left once {kept_out} is kept out")
                return np.tile(units, tokens // held + 2)
            units = units[np.searchsorted(units, first) :]
            missing = tokens - int(self.costs[units].sum())
            if missing <= 0:
                return units
            far = int(self.costs[first:].sum()) + missing


class Splicer:
    """Counts the tokens of texts that are put together from literals and spans of a tape."""

    def __init__(self, tokenizer: Tokenizer, tape: Tape | None, window: int = _WINDOW) -> None:
        self.tokenizer, self.tape, self.window = tokenizer, tape, window
        self.memo: dict[str, Starts] = {}

    def count(self, parts: Sequence[Part]) -> int:
        """Tokens of the parts run together, as if the whole text were tokenised."""
        if self.tape is None:
            return self.tokenizer.count("".join(p for p in parts if isinstance(p, str)))
        text, w = self.tape.text, self.window
        windows, spans = list[str](), list[tuple[int, int]]()
        literal = list[str]()
        for part in parts:
            if isinstance(part, str):
                literal.append(part)
            elif part[1] - part[0] < 4 * w:
                literal.append(text[part[0] : part[1]])
            else:
                literal.append(text[part[0] : part[0] + w])
                windows.append("".join(literal))
                spans.append(part)
                literal = [text[part[1] - w : part[1]]]
        windows.append("".join(literal))
        total = self._total(windows, spans)
        if total is not None:
            return total
        if 4 * w > 10_000:
            return self.tokenizer.count("".join(p if isinstance(p, str) else text[p[0] : p[1]] for p in parts))
        return Splicer(self.tokenizer, self.tape, 4 * w).count(parts)

    def _total(self, windows: list[str], spans: list[tuple[int, int]]) -> int | None:
        """Tokens of windows and of what lies between them; None where a seam shows no common token border.

        Window i ends in the first characters of span i and begins with the last of span i - 1.
        """
        assert self.tape is not None
        coded = self._starts(windows)
        sizes = np.fromiter(map(len, coded), np.int64, len(coded))
        if not spans:
            return int(sizes[0])
        w, n, tape = self.window, len(spans), self.tape.starts
        flat = np.concatenate(coded)
        row = np.repeat(np.arange(n + 1), sizes)
        first = np.concatenate([[0], np.cumsum(sizes)])
        width = np.fromiter(map(len, windows), np.int64, n + 1)
        begin, end = np.array(spans, np.int64).T
        # Left seam of window i + 1: its character c is character end[i] - w + c of the tape.
        left = self._common(flat, row, np.append(0, end - w), w // 3, np.full(n + 1, w - 2), n + 1)
        # Right seam of window i: its character c is character begin[i] + c - (width[i] - w) of the tape.
        right = self._common(flat, row, np.append(begin - (width[:-1] - w), 0), width - w + 2, width - w // 3, n + 1)
        if (left[1:] < 0).any() or (right[:-1] < 0).any():
            return None
        inside = np.append(right[:-1], first[-1]) - np.append(0, left[1:])
        from_ = np.searchsorted(tape, flat[right[:-1]] + begin - (width[:-1] - w))
        to = np.searchsorted(tape, flat[left[1:]] + end - w)
        return int(inside.sum() + (to - from_).sum())

    def _common(
        self, flat: Starts, row: Starts, shift: Starts, low: int | Starts, high: Starts, rows: int
    ) -> NDArray[np.int64]:
        """First token of each window, at a place from low to high, that also starts on the tape; -1 for none."""
        assert self.tape is not None
        tape = self.tape.starts
        lows = np.broadcast_to(low, (rows,))
        at = np.flatnonzero((flat >= lows[row]) & (flat <= high[row]))
        place = flat[at] + shift[row[at]]
        near = np.minimum(np.searchsorted(tape, place), len(tape) - 1)
        at = at[tape[near] == place]
        found = np.full(rows, -1, np.int64)
        found[row[at[::-1]]] = at[::-1]
        return found

    def _starts(self, windows: list[str]) -> list[Starts]:
        fresh = dict.fromkeys(x for x in windows if x not in self.memo)
        short = [x for x in fresh if len(x) < _LONG]
        if short:
            self.memo.update(zip(short, self.tokenizer.starts(short), strict=True))
        self.memo.update((x, self.tokenizer.long_starts(x)) for x in fresh if len(x) >= _LONG)
        return [self.memo[x] for x in windows]


def _beside(parts: Sequence[Part], *, left: bool) -> list[Part]:
    """Of the parts on one side of a word, those near it: up to the nearest span, or as much literal text as can matter."""
    text = ""
    for part in reversed(parts) if left else parts:
        if not isinstance(part, str):
            return [part, text] if left else [text, part]
        text = part + text if left else text + part
        if len(text) > _FAR:
            return [text[-_FAR:] if left else text[:_FAR]]
    return [text]


_Piece = tuple[str, int]
"""A text that must be in the context, and which of its occurrences: an item may want the same text twice."""


def _pieces(item: Item) -> list[_Piece]:
    """Evidence, then distractors."""
    seen = Counter[str]()
    pieces = []
    for text in (*item.evidence, *item.distractors):
        pieces.append((text, seen[text]))
        seen[text] += 1
    return pieces


@dataclass(frozen=True)
class _Context:
    """A layout written out."""

    parts: list[Part]
    spans: dict[_Piece, tuple[int, int]]
    """Characters of each piece in the context."""
    numbers: dict[_Piece, int]
    """Number of the passage that each piece became."""
    size: int
    """[characters]"""
    tail: int
    """Which of the parts is the tail of the noise; -1 where there is none."""


class Builder:
    """Builds prompts for one tokenizer.

    Args:
        tokenizer: The tested model's own.
        noise: Replaces the noise of items that ask for `prose` or `prose-zh`, as in `file(path=...)`.
        prefill: Whether the model is given the beginning of its answer; `auto` gives it to models without a chat template.
        seed: Changes noise and layout, not the items.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, noise: str | None = None, prefill: Literal["auto", "on", "off"] = "auto", seed: int = 0
    ) -> None:
        if prefill not in ("auto", "on", "off"):
            raise UserError(f"prefill must be auto, on or off, got {prefill!r}")
        self.tokenizer, self.noise, self.seed = tokenizer, noise, seed
        self.prefills = tokenizer.template is None if prefill == "auto" else prefill == "on"
        self._tapes: dict[str, Tape] = {}
        self._ends: dict[Messages, str] = {}
        self.before = self._around(())[0]

    def _around(self, later: Messages) -> tuple[str, str]:
        """What stands before and after the user's first words in the text."""
        messages = [{"role": "user", "content": _MARK}, *({"role": role, "content": said} for role, said in later)]
        before, found, after = self.tokenizer.render(messages).partition(_MARK)
        if not found:
            raise UserError(f"the chat template of {self.tokenizer.name} leaves out what the user says")
        return before, after

    def after(self, prefill: str, later: Messages = ()) -> str:
        """What follows the user's first words in the text: later messages, and how the answer begins."""
        if later not in self._ends:
            before, self._ends[later] = self._around(later)
            if before != self.before:
                raise UserError(
                    f"the chat template of {self.tokenizer.name} begins a conversation otherwise than a single question, so "
                    "that its turns would not share the context"
                )
        return self._ends[later] + (("\n" if self.tokenizer.template is None and prefill else "") + prefill)

    def later(self, item: Item) -> Messages:
        """The messages after the one that holds the context; none but in a conversation."""
        given = [f"{t.prefill} {t.answer}" if self.prefills and t.prefill else t.answer for t in item.turns]
        asked = [*(t.question.strip() for t in item.turns[1:]), item.question.strip()]
        return tuple(m for a, q in zip(given, asked, strict=False) for m in (("assistant", a), ("user", q)))

    def build(self, item: Item, length: int, layout: Layout = ANYWHERE, *, compose: Compose | None = None) -> Prompt:
        """Build an item to a length.

        Args:
            item: What to ask.
            length: Tokens in all: template, prompt and room for the answer.
            layout: Where the evidence goes.
            compose: For evidence that grows: gives the item evidence for the room there is; noise fills what it leaves.

        Raises:
            UserError: the length is too short for the item.
        """
        if compose is not None:
            item = self._composed([item], length, compose)[0]
        return self._build([item], length, layout)[0]

    def build_shared(
        self, items: Sequence[Item], length: int, layout: Layout = ANYWHERE, *, compose: Compose | None = None
    ) -> list[Prompt]:
        """Build several items into one haystack; their prompts are the same up to the question.

        The longest question and answer decide how much noise there is, so the others use a few tokens less. Evidence that
        grows must be the same for all of them.

        Raises:
            UserError: the items differ in instruction, noise or form, or the length is too short for them.
        """
        items = list(items)
        if not items:
            return []
        for name in ("instruction", "noise", "form"):
            if len({getattr(item, name) for item in items}) > 1:
                raise UserError(f"items in one haystack must have the same {name}; build them one by one")
        if compose is not None:
            items = self._composed(items, length, compose)
        return self._build(items, length, layout)

    def minimum(self, item: Item) -> int:
        """Tokens of the item without any noise, answer room included."""
        return _Job(self, [item], ANYWHERE).bare

    def bare(self, item: Item) -> Prompt:
        """The item without its context, to ask what the model knows beforehand. `length` is what it takes."""
        item = replace(item, evidence=(), distractors=(), noise="none", turns=())
        return self._build([item], self.minimum(item), ANYWHERE)[0]

    def tape(self, spec: str) -> Tape:
        """The tape of a noise source, made when first asked for."""
        if spec not in self._tapes:
            self._tapes[spec] = _tape(spec, self.seed, self.tokenizer)
        return self._tapes[spec]

    def _composed(self, items: Sequence[Item], length: int, compose: Compose) -> list[Item]:
        """The items with evidence that leaves room for the longest of their questions."""
        empty = _Job(self, [replace(item, evidence=(), distractors=()) for item in items], ANYWHERE)
        count = cache(lambda text: self.tokenizer.count(text + empty.join))
        over = 0
        for _ in range(12):
            grown = [compose(item, max(0, length - empty.bare - over), count) for item in items]
            least = _Job(self, grown, ANYWHERE).bare
            if least <= length:
                return grown
            # Pieces run together may take a token more than alone, and go only as a whole.
            over = 2 * over + least - length
        raise TooLong(f"{items[0].task}: {items[0].id} needs {least} tokens at least and was asked for at {length}")

    def _build(self, items: list[Item], length: int, layout: Layout) -> list[Prompt]:
        job = _Job(self, items, layout)
        if job.bare > length:
            raise TooLong(
                f"{items[0].task}: {items[0].id} needs {job.bare} tokens at least with the tokenizer of {self.tokenizer.name} "
                f"({max(i.answer_tokens for i in items)} of them for the answer) and was asked for at {length}: ask for more"
            )
        context = job.fill(length)
        prompts = [job.prompt(item, context, length) for item in items]
        if len(prompts) > 1:
            shared = len(self.before) + len(job.head) + context.size
            prompts = [
                # A turn that goes on from this one reads all of it again.
                replace(p, shared_chars=after.turns[-1] if a.turns and after.turns[:-1] == p.turns else shared)
                for p, after, a in zip(prompts, [*prompts[1:], prompts[0]], [*items[1:], items[0]], strict=True)
            ]
        return prompts


@lru_cache(maxsize=8)
def _tape(spec: str, seed: int, tokenizer: Tokenizer) -> Tape:
    """Tapes outlive builders, for several builders of a run use the same noise."""
    return Tape(open_noise(spec, seed), tokenizer)


class _Job:
    """One haystack on its way: items, the pieces that must be in it, the noise around them."""

    def __init__(self, builder: Builder, items: list[Item], layout: Layout) -> None:
        self.builder, self.items = builder, items
        lead = items[0]
        noise = builder.noise if builder.noise and lead.noise in ("prose", "prose-zh") else lead.noise
        self.tape = None if noise == "none" else builder.tape(noise)
        before, found, after = lead.form.partition("{text}")
        if not found:
            raise UserError(f"{lead.task}: form {lead.form!r} must hold {{text}}")
        self.form = (before, after)
        self.plain = lead.form == "{text}"
        self.join = (self.tape.source.join if self.tape else "\n") if self.plain else "\n\n"
        self.pieces = self._pieces(layout)
        self.splicer = Splicer(builder.tokenizer, self.tape)
        self.head = lead.instruction.strip() + "\n\n" if lead.instruction.strip() else ""
        self.units: Starts = np.empty(0, np.int64)
        """Units of noise in the order of their use."""
        self.sums: Starts = np.zeros(1, np.int64)
        """Tokens of the first 0, 1, 2, ... units, about; (units + 1,)."""
        self.bare = self.tokens(self.context(0))

    def _pieces(self, layout: Layout) -> dict[_Piece, float]:
        """Depth of every text that must be in the context; what several items have in common goes in once."""
        found: dict[_Piece, float] = {}
        seed = self.builder.seed
        for item in self.items:
            found |= dict(zip(_pieces(item), layout.depths(item, seed), strict=False)) | found
        for item in self.items:
            # What is evidence to one item lies where that item wants it, though it distract the others.
            for j, piece in enumerate(_pieces(item)[len(item.evidence) :]):
                found.setdefault(piece, _hash(f"{item.id}/{seed}/d{j}"))
        return found

    def context(self, m: int, tail: str = "", loose: bool = False) -> _Context:
        """Write out m units of noise, a tail of noise (`loose`: without a passage's form), and the pieces among them."""
        sums = self.sums[: m + 1]
        borders: dict[_Piece, int] = {}
        for piece, depth in self.pieces.items():
            # The nearer of the unit borders on both sides; with no noise but a tail, before or after that.
            want = depth * float(sums[m])
            b = int(np.searchsorted(sums, want)) if m else int(depth > 0.5)
            borders[piece] = b - 1 if m and b and want - sums[b - 1] < sums[b] - want else b
        queue = deque(sorted(self.pieces, key=lambda piece: (borders[piece], self.pieces[piece])))
        parts, size, number, tail_at = list[Part](), 0, 0, -1
        numbers, spans = dict[_Piece, int](), dict[_Piece, tuple[int, int]]()
        before, after = self.form

        def put(part: Part, framed: bool) -> int:
            """Add a passage, or a run of plain text, behind what joins it to the last; returns where it starts."""
            nonlocal size, number
            number += framed
            lead = (self.join if parts else "") + (before.replace("{number}", str(number)) if framed else "")
            start = size + len(lead)
            size = start + (len(part) if isinstance(part, str) else part[1] - part[0]) + (len(after) if framed else 0)
            parts.extend((lead, part, after if framed else ""))
            return start

        def put_pieces(border: int) -> None:
            while queue and borders[queue[0]] <= border:
                piece = queue.popleft()
                start = put(piece[0], True)
                numbers[piece], spans[piece] = number, (start, start + len(piece[0]))

        if m:
            assert self.tape is not None
            breaks = np.flatnonzero(np.diff(self.units[:m]) != 1) + 1 if self.plain else np.arange(1, m)
            cuts = sorted({0, m, *breaks.tolist(), *(b for b in borders.values() if b < m)})
            for a, b in zip(cuts, cuts[1:], strict=False):
                put_pieces(a)
                put((int(self.tape.begins[self.units[a]]), int(self.tape.ends[self.units[b - 1]])), True)
        else:
            put_pieces(0)
        if tail:
            put(tail, not loose)
            tail_at = len(parts) - 2
        put_pieces(m + 1)
        return _Context(parts, spans, numbers, size, tail_at)

    def resolve(self, item: Item, context: _Context) -> Item:
        """The item with `{number0}`, ... replaced by the numbers that its evidence got."""
        if "{number" not in self.form[0] + self.form[1]:
            return item

        def named(text: str) -> str:
            for j, piece in enumerate(_pieces(item)[: len(item.evidence)]):
                text = text.replace(f"{{number{j}}}", str(context.numbers[piece]))
            return text

        answers = tuple(map(named, item.answers))
        turns = tuple(Turn(*map(named, turn)) for turn in item.turns)
        return replace(item, question=named(item.question), prefill=named(item.prefill), answers=answers, turns=turns)

    def ending(self, item: Item, context: _Context) -> tuple[str, str]:
        """What follows the context: the first question with what parts it from the context, and the rest of the text."""
        first = item.turns[0].question if item.turns else item.question
        prefill = item.prefill if self.builder.prefills else ""
        return ("\n\n" if context.parts else "") + first.strip(), self.builder.after(prefill, self.builder.later(item))

    def written(self, item: Item, context: _Context) -> list[Part]:
        """All that the model reads, in parts."""
        return [self.builder.before + self.head, *context.parts, "".join(self.ending(self.resolve(item, context), context))]

    def heads(self, item: Item, context: _Context, content: str, text: str) -> tuple[int, ...]:
        """Where the prompts end that are read before the whole `text` is known [characters]."""
        found = [len(self.builder.before) + len(self.head) + context.size] if item.apart else []
        for i, turn in enumerate(item.turns):
            before = replace(item, question=turn.question, turns=item.turns[:i])
            said = self.builder.after(turn.prefill if self.builder.prefills else "", self.builder.later(before))
            found.append(_common(text, self.builder.before + content + said))
        return tuple(found)

    def tokens(self, context: _Context) -> int:
        """Tokens of the longest of the prompts over a context, answer room included."""
        return max(self._tokens(item, context) for item in self.items)

    def _tokens(self, item: Item, context: _Context) -> int:
        return self.splicer.count(self.written(item, context)) + self.builder.tokenizer.special + item.answer_tokens

    def fill(self, length: int) -> _Context:
        """The context with which the longest prompt takes `length` tokens: whole units, then a cut one."""
        room = length - self.bare
        if self.tape is None or room <= 0:
            return self.context(0)
        lead = self.items[0]
        frame = 0 if self.plain else self.builder.tokenizer.count("".join(self.form).replace("{number}", "100") + self.join)
        first = self.tape.unit(int(_hash(f"{lead.id}/{self.builder.seed}/noise") * FIRST))
        avoid = list(dict.fromkeys(a for item in self.items for a in item.avoid if a))
        self.units = self.tape.order(first, room + 256, avoid)
        self.sums = np.concatenate([[0], np.cumsum(self.tape.costs[self.units] + frame)])
        fits, over, used, guess = 0, len(self.units), self.bare, room
        while True:
            m = int(np.searchsorted(self.sums, guess, "right")) - 1
            m = min(m, over - 1)
            if m <= fits:
                break
            taken = self.tokens(self.context(m))
            if taken <= length:
                fits, used = m, taken
                guess = int(self.sums[m]) + length - taken
            else:
                over = m
                guess = int(self.sums[m]) - (taken - length)
                if int(np.searchsorted(self.sums, guess, "right")) - 1 <= fits and m - fits > 1:
                    guess = int(self.sums[(m + fits) // 2])
        least = (frame or self.builder.tokenizer.count("".join(self.tape.source.tail))) + 8
        if 0 < length - used < least and fits:
            fits -= 1
            used = self.tokens(self.context(fits))
        return (
            self._topped(fits, length, loose=not self.plain and length - used < frame + 4)
            if used < length
            else self.context(fits)
        )

    def _topped(self, m: int, length: int, loose: bool) -> _Context:
        """Add words of the next units, and plain small words at last, until the length is met to the token."""
        assert self.tape is not None
        following = [self.tape.text[self.tape.begins[u] : self.tape.ends[u]] for u in self.units[m : m + 3]]
        text = " ".join((self.tape.source.join or "\0").join(following).split()).replace("\0", "")
        opens, closes = self.tape.source.tail
        if opens or closes:
            text = " ".join(_WORDS * 16)
        han = unspaced(text)
        stop, words_, gap = ("。", _HAN_WORDS, "") if han else (".", _WORDS, " ")
        model = self.context(m, opens + stop + closes, loose)
        longest = max(self.items, key=lambda item: self._tokens(item, model))
        parts = self.written(longest, model)
        at = model.tail + 1
        # Only the parts from the span before the tail to the span behind it can change their count with it.
        spans = [i for i, part in enumerate(parts) if not isinstance(part, str)]
        low = max((i for i in spans if i < at), default=0)
        high = min((i + 1 for i in spans if i > at), default=len(parts))
        left, right = _beside(parts[low:at], left=True), _beside(parts[at + 1 : high], left=False)
        other = self._tokens(longest, model) - self.splicer.count([*left, parts[at], *right])

        def taken(tail: str) -> int:
            return other + self.splicer.count([*left, opens + tail + closes, *right])

        starts = self.builder.tokenizer.encode(text)[1]
        spare = length - taken(stop)
        if spare < 0:
            return self.context(m)
        cut = int(starts[spare]) if spare < len(starts) else len(text)
        if han and spare < len(starts):
            # A run of characters that the tokenizer does not know may be told as one place: shared out, as in the tape.
            known, first = np.unique(starts, return_index=True)
            cut = int(np.interp(spare, [*first, len(starts)], [*known, len(text)]))
        best, tail = taken(stop), stop
        for _ in range(12):
            border = text.rfind(" ", 0, cut + 1) if cut < len(text) and not han else cut
            border = cut if cut - border > 40 else border  # scripts without spaces are cut between tokens
            if border <= 0:
                break
            cut = border - 1
            words = text[:border].rstrip(" .,;:!?-，。；：！？、") + stop
            n = taken(words)
            if n <= length:
                best, tail = n, words
                break
        stem = tail[:-1]
        ends = (".", "!", "...", " .", " ..", "?!", " ...", ". ...", "")
        for end in ("。", "！", "……", "…", *ends) if han else ends:
            for j in range(min(length - best, len(words_)) if end == stop else 3, -1, -1):
                if best == length:
                    break
                words = (stem + "".join(gap + w for w in words_[:j])).strip() + end
                n = taken(words) if words.strip() else 0
                if best < n <= length:
                    best, tail = n, words
        done = self.context(m, opens + tail + closes, loose)
        return done if self.tokens(done) <= length else self.context(m)

    def prompt(self, item: Item, context: _Context, length: int) -> Prompt:
        """The prompt of one of the items over a finished context."""
        builder, tape = self.builder, self.tape
        shown = self.resolve(item, context)
        question, after = self.ending(shown, context)
        inner = "".join(p if isinstance(p, str) else tape.text[p[0] : p[1]] for p in context.parts)  # type: ignore[union-attr]
        content = self.head + inner + question
        later = ({"role": role, "content": said} for role, said in builder.later(shown))
        messages = ({"role": "user", "content": content}, *later)
        prefill = shown.prefill if builder.prefills else ""
        text = builder.tokenizer.render(messages, prefill)
        used = self._tokens(item, context)
        if text != builder.before + content + after:
            used = len(builder.tokenizer.ids(text)) + item.answer_tokens
        if used > length:
            raise UserError(
                f"the chat template of {builder.tokenizer.name} rewrites what the user says (here to {used} tokens, "
                f"{length} were asked for), so that prompts cannot be built to a length for it"
            )
        spans = [context.spans[piece] for piece in _pieces(item)[: len(item.evidence)]]
        size = max(1, context.size)
        tokens = round((used - item.answer_tokens) * len(inner) / len(text))
        hard = difficulty(inner, spans, tokens, shown.question, item.hops)
        return Prompt(
            id=f"{item.task}/{item.id}@{length}",
            item=item.id,
            task=item.task,
            length=length,
            tokens=used,
            messages=messages,
            text=text,
            prefill=prefill,
            answers=shown.answers,
            question=shown.question,
            evidence=tuple((s + len(self.head), e + len(self.head)) for s, e in spans),
            depths=tuple((s + e) / 2 / size for s, e in spans),
            diffusion=hard.diffusion,
            scope=hard.scope,
            answer_tokens=item.answer_tokens,
            cluster=item.cluster,
            sha=hashlib.sha256(text.encode()).hexdigest()[:16],
            note=self._note(context),
            stop=("\n",) if item.single_line and builder.tokenizer.template is None else (),
            turns=self.heads(shown, context, content, text),
            meta=item.meta,
        )

    def _note(self, context: _Context) -> str:
        """Says where the source was too short, so that noise had to be used more than once."""
        if self.tape is None or not self.tape.exhausted:
            return ""
        held, used = len(self.tape.text), sum(p[1] - p[0] for p in context.parts if not isinstance(p, str))
        return f"noise of {held} characters used {used / held:.1f} times over" if used > held else ""
