"""How hard a context is, apart from its length: diffusion (how hard the evidence is to find) and scope (how much there is).

The two axes are those of Goldman et al. 2024, arXiv:2407.00402, which gives no formula; every formula here is ours.
Knows nothing of tokenizers, tasks or models.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

SEGMENTS = 64
"""Places of the context looked at for distractors, evenly spaced."""
SEGMENT = 2000
"""Longest of them [characters]."""

_PLAIN = frozenset(
    "a an and are as at be been but by can could did do does each for from had has have he her him his how i if in into is it "
    "its me my no not of on one only or our she should so some such than that the their them then there these they this those "
    "to under up us was we were what when where which while who whom whose why will with would you your answer question".split()
)


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """The parts of both axes; each lies in 0 to 1 unless a unit says otherwise."""

    rarity: float
    """Share of the context that is no evidence."""
    spread: float
    """How far apart the evidence lies; 1 as far as if laid evenly."""
    lexical: float
    """Share of the question's words that the evidence does not repeat."""
    distraction: float
    """Share of other places that match the question as well as the evidence does."""
    depth: float
    """Steps that depend on one another: 0 for one, 1 for five and more."""
    scope_tokens: float
    """Evidence in all [tokens]."""
    scope: float

    spans: int
    """Pieces of evidence."""

    @property
    def diffusion(self) -> float:
        """Mean of the five parts."""
        return (self.rarity + self.spread + self.lexical + self.distraction + self.depth) / 5

    @property
    def scope_share(self) -> float:
        """Evidence as a share of the context."""
        return 1 - self.rarity


_HAN = re.compile("[\u3040-\u30ff\u3400-\u9fff]+")
_PLAIN_HAN = frozenset("的了是在有和与也都就不没这那哪什么怎多少谁几个你我他她它们吗呢吧啊被把从到对为以及或之其请问答案回")


def words(text: str) -> frozenset[str]:
    """Content words, lower case; where words are written together, as in Chinese, pairs of neighbouring characters."""
    found = re.findall(r"\w+", _HAN.sub(" ", text.lower()))
    for run in _HAN.findall(text):
        found += [pair for pair in map("".join, pairwise(run)) if not _PLAIN_HAN & {*pair}]
    return frozenset(found) - _PLAIN


def spread(middles: Sequence[float]) -> float:
    """Mean gap between neighbouring evidence as a share of the even gap 1/(k+1), at most 1; 0 for one piece."""
    k = len(middles)
    return min(1.0, (max(middles) - min(middles)) / (k - 1) * (k + 1)) if k > 1 else 0.0


def difficulty(context: str, spans: Sequence[tuple[int, int]], tokens: int, question: str, hops: int = 1) -> Difficulty:
    """Where a prompt lies on both axes.

    Args:
        context: What lies between instruction and question.
        spans: Character spans of the evidence in it, in the order of the reasoning.
        tokens: Tokens of the context; those of a span are taken as its share of characters, so that tokenizers agree.
        question: As asked.
        hops: Steps of evidence that depend on one another.
    """
    size = max(1, len(context))
    share = min(1.0, sum(e - s for s, e in spans) / size)
    asked = words(question)
    known, found, weakest = asked, [], len(asked)
    for s, e in spans:
        held = words(context[s:e])
        found.append(min(1.0, len(held & known) / len(asked)) if asked else 0.0)
        weakest = min(weakest, len(held & asked))
        if hops > 1:
            known = known | held
    scope_tokens = share * tokens
    return Difficulty(
        rarity=1 - share,
        spread=spread([(s + e) / 2 / size for s, e in spans]),
        lexical=1 - fmean(found) if found else 1.0,
        distraction=_distraction(context, spans, asked, weakest) if spans else 0.0,
        depth=min(1.0, (hops - 1) / 4),
        scope_tokens=scope_tokens,
        spans=len(spans),
        scope=math.log2(1 + scope_tokens) / math.log2(1 + tokens) if tokens else 0.0,
    )


def _distraction(context: str, spans: Sequence[tuple[int, int]], asked: frozenset[str], weakest: int) -> float:
    """Over at most SEGMENTS places as long as the mean span. A place without any word of the question distracts nobody."""
    length = min(SEGMENT, max(1, round(fmean(e - s for s, e in spans))))
    count = min(SEGMENTS, len(context) // length)
    ordered = sorted(spans)
    hits = seen = 0
    for i in range(count):
        start = i * (len(context) - length) // max(1, count - 1)
        before = bisect_left(ordered, (start + length, 0))
        if before and ordered[before - 1][1] > start:
            continue
        seen += 1
        hits += len(words(context[start : start + length]) & asked) >= max(1, weakest)
    return hits / seen if seen else 0.0
