"""InfiniRetri: read window by window, and carry on only the sentences that the question looks at."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from leadline.methods.base import Facts, Reader, Step, UserError, stable_top
from leadline.methods.context._pieces import Piecewise

Span = tuple[int, int]
_END = re.compile(r"[.?!]+[\"'”’)\]]*(?=\s)|[。！？]+[”’」』）]*|\n\s*\n")
_SHORT = 8
"""Characters after a full stop that are no sentence of their own, such as `Dr.` [characters]."""


@dataclass(frozen=True, kw_only=True)
class InfiniRetri(Piecewise):
    """InfiniRetri: read window by window, and carry on only the sentences that the question looks at.

    Paper: Ye, Wang, Wang 2025, arXiv:2502.12962; package https://pypi.org/project/infini-retri/0.0.3/, MIT.
    Claims: all needles in 1M tokens with a 0.5B model of a 32k window; 90 to 95 % fewer tokens on LongBench.
    Differs: carries token ids, which are never decoded and encoded again; the question is the prompt's last tokens;
      a sentence ends where a space follows, and is cut at `window`; windows are not evened out; prompts with no more
      than `topk` tokens between opening and question stay whole, as they would.
    Shapes: ids (batch, tokens) -> columns (batch, kept).
    Cost: every token through the whole model about once, carried ones again in each window, in constant memory, then
      a prompt of at most `topk` sentences; phase: prefill.
    """

    window: int = 1024
    """New tokens that are read at once, in whole sentences, beside those carried [tokens]."""
    topk: int = 300
    """Tokens whose whole sentences are carried on (1 or more); these are longer than that together [tokens]."""
    phrase: int = 8
    """Neighbours over which a token's score is summed: the length of the answer; 1 for none [tokens]."""
    layer: int | None = None
    """Layer whose attention chooses, 0 the lowest; None for the last one that reads without a sliding window."""
    sentence: int = 0
    """Length of equal pieces that stand for sentences; 0 for real ones, by the model's tokenizer [tokens]."""

    neutral = {"topk": 200}
    trial = {"window": 12, "topk": 3, "phrase": 2, "question": 4, "head": 1, "sentence": 4}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(window=self.window >= 1, topk=self.topk >= 1, phrase=self.phrase >= 1, sentence=self.sentence >= 0)
        self.require(layer=self.layer is None or (isinstance(self.layer, int) and self.layer >= 0))

    def accept(self, model: Facts) -> None:
        if self.layer is not None and self.layer >= model.layers:
            raise UserError(f"{self}: this model has layers 0 to {model.layers - 1}")

    def reach(self, window: int) -> int | None:
        return None if self.window + self.topk + self.head + self.question <= window else window

    def chosen(self, reader: Reader, ids: Tensor) -> Tensor:
        if len(ids) - self.head - self.question <= self.topk:
            return torch.ones_like(ids, dtype=torch.bool)
        facts = reader.facts
        whole = [i for i, window in enumerate(facts.windows) if window is None]
        layer = (whole or [facts.layers - 1])[-1] if self.layer is None else self.layer
        carried: list[Span] = []
        weights: Tensor | None = None
        for piece in self.packed(self.sentences(reader, ids)):
            spans = carried + piece
            columns = torch.cat([torch.arange(a, b, device=ids.device) for a, b in spans])
            row = self.asked(ids, ids[columns])[None]
            attention: Tensor = reader.look(row, torch.ones_like(row, dtype=torch.bool), layer, self.attention)
            if weights is None:
                weights = attention[:, -self.question :].sum(-1)
            scores = self.scores(attention[:, self.head : -self.question], weights)
            best = set(columns[stable_top(scores[None], self.topk)[0]].tolist())
            carried = [(a, b) for a, b in spans if not best.isdisjoint(range(a, b))]
        return self.spread(len(ids), carried, ids)

    def attention(self, step: Step) -> Tensor:
        """What the question looks at, summed over heads (question, tokens)."""
        queries = step.look.queries
        return step.weights(queries - self.question, queries)[0].sum(0)

    def scores(self, attention: Tensor, weights: Tensor) -> Tensor:
        """Scores (columns,) by attention (question, columns), smoothed, and the weights of its rows (question,)."""
        sums = weights.square() @ attention
        before = self.phrase // 2
        return torch.nn.functional.pad(sums, (before, self.phrase - 1 - before)).unfold(0, self.phrase, 1).sum(-1)

    def sentences(self, reader: Reader, ids: Tensor) -> list[Span]:
        """The sentences between opening and question, none longer than `window`."""
        first, last = self.head, len(ids) - self.question
        if self.sentence:
            ends = [*range(first + self.sentence, last, self.sentence), last]
        else:
            ends = [first + end for end in _ends(_texts(reader.model, ids[first:last].tolist()))]
        spans = pairwise([first, *ends])
        return [(a, min(a + self.window, end)) for start, end in spans for a in range(start, end, self.window)]

    def packed(self, spans: list[Span]) -> list[list[Span]]:
        """Following sentences in groups of at most `window` tokens."""
        groups: list[list[Span]] = []
        for span in spans:
            if groups and span[1] - groups[-1][0][0] <= self.window:
                groups[-1].append(span)
            else:
                groups.append([span])
        return groups


@cache
def _tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, local_files_only=True)


def _texts(model: Any, ids: list[int]) -> list[str]:
    """What each token writes, its space included."""
    name = getattr(model, "name_or_path", "")
    if not name:
        raise UserError("infini-retri finds sentences by a tokenizer, and this model came from no folder: give sentence=N")
    tokenizer = _tokenizer(name)
    # A token's leading space is only written after another one.
    before = tokenizer.encode("a", add_special_tokens=False)[-1]
    kinds = sorted(set(ids))
    lead, *texts = tokenizer.batch_decode([[before], *([before, i] for i in kinds)], clean_up_tokenization_spaces=False)
    table = {i: text[len(lead) :] for i, text in zip(kinds, texts, strict=True)}
    return [table[i] for i in ids]


def _ends(texts: list[str]) -> list[int]:
    """Where sentences end: how many tokens there are up to each end."""
    text = "".join(texts)
    borders: list[int] = []
    start, stopped = 0, False
    for match in _END.finditer(text):
        piece = text[start : match.end()].strip()
        if borders and (not piece or (stopped and len(piece) <= _SHORT)):
            borders.pop()
        borders.append(match.end())
        start, stopped = match.end(), piece.endswith(".") or (stopped and not piece)
    # A border within a token is put after it.
    places = list(accumulate(map(len, texts)))
    ends = {bisect_left(places, border) + 1 for border in borders}
    return sorted(ends | {len(texts)})


def check(lab: Any) -> Any:
    """A needle in a million tokens, in memory that does not grow; a layer that matches nothing as control."""
    spec = "infini-retri(window=200, topk=12, layer={}, question=24)"
    ours = lab.ask(spec.format(1), length=16384, n=8)
    long = lab.ask(spec.format(1), length=1 << 20, n=1, depth=0.3, timed=True)
    short = lab.ask(spec.format(1), length=65536, n=1, depth=0.3, timed=True)
    control = lab.ask(spec.format(0), length=16384, n=8)
    return lab.finding(
        holds=ours.score >= 0.9 and long.score == 1 and long.peak_bytes < short.peak_bytes + 160 * 2**20,
        figure=f"needle at 32x {ours}; in 1M tokens {'found' if long.score else 'not found'}, peak "
        f"{long.peak_bytes / 2**20:.0f} MiB ({short.peak_bytes / 2**20:.0f} in 64k; "
        f"the token ids alone are 8 MiB), {long.ttft_s:.0f} s",
        control=f"layer 0 retrieves: {control}",
        control_holds=control.score >= 0.9,
    )
