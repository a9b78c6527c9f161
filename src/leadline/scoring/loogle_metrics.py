"""LooGLE's automatic scorers: BLEU, ROUGE recall, masks filled in, deviations of an order.

Li et al. 2023, arXiv:2311.04939; bigai-nlco/LooGLE (MIT), read at 6734382. METEOR (needs WordNet) and BERTScore (needs a
model) are not here.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from leadline.nouns import UserError
from leadline.scoring.peers import Metric
from leadline.scoring.words import rouge_l_shares, rouge_n_recall


def bleu(prediction: str, truth: str, order: int) -> float:
    """Precision of n-grams of one order with the brevity penalty, as NLTK's sentence_bleu with all weight on that order."""
    said, meant = prediction.replace("\n", " ").split(), truth.replace("\n", " ").split()
    if not (Counter(said) & Counter(meant)):
        return 0.0
    grams, wanted = (Counter(zip(*(words[i:] for i in range(order)), strict=False)) for words in (said, meant))
    precision = (grams & wanted).total() / max(1, grams.total())
    return precision * min(1.0, math.exp(1 - len(meant) / len(said)))


def masks_of(text: str, *, peer: bool = False) -> dict[str, str] | None:
    """What a reply fills masks with: all of it as a Python dict (`peer`), else the last {...} in it, Python or JSON."""
    tries = [text.strip()] if peer else [m[0] for m in re.finditer(r"\{[^{}]*\}", text)][::-1]
    for part in tries:
        for read in (ast.literal_eval,) if peer else (ast.literal_eval, json.loads):
            try:
                found = read(part)
            except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
                continue
            if isinstance(found, dict):
                return {str(key): str(value) for key, value in found.items()}
    return None


def masks_right(said: Mapping[str, str] | None, meant: Mapping[str, str]) -> tuple[float, float]:
    """Share of the masks whose entity is the same, and share whose entity has a word in common."""
    if not said or not meant:
        return 0.0, 0.0
    exact = sum(said.get(key) == value for key, value in meant.items())
    partial_ = sum(bool(set(value.split()) & set(said[key].split())) for key, value in meant.items() if key in said)
    return exact / len(meant), partial_ / len(meant)


def numerals(text: str) -> list[str]:
    """The Roman numerals that stand alone, in order."""
    return re.findall(r"\b[IVXLCDM]+\b", text)


def places(said: Sequence[str], meant: Sequence[str]) -> list[int] | None:
    """Where each item of the true order was put; None where the reply does not hold just these items, once each."""
    if len(said) != len(meant) or Counter(said) != Counter(meant) or len(set(meant)) != len(meant):
        return None
    return [said.index(item) for item in meant]


def square_shift(order: Sequence[int]) -> float:
    """LSD: mean squared distance of an item from its place."""
    return sum((at - i) ** 2 for i, at in enumerate(order)) / len(order)


def mean_shift(order: Sequence[int]) -> float:
    """LMD: mean distance of an item from its place."""
    return sum(abs(at - i) for i, at in enumerate(order)) / len(order)


def swaps(order: Sequence[int]) -> int:
    """SD: how many swaps of two items put all in place."""
    left, cycles = set(range(len(order))), 0
    while left:
        at = left.pop()
        cycles += 1
        while (at := order[at]) in left:
            left.remove(at)
    return len(order) - cycles


def swap_distance(order: Sequence[int]) -> int:
    """SDD: how far apart the swapped items lie in all, where the best swap for its distance is made at each step."""
    order, total = list(order), 0
    while any(at != i for i, at in enumerate(order)):
        best, pair = 0.0, (0, 0)
        for i in range(len(order)):
            for j in range(i + 1, len(order)):
                a, b = order[i], order[j]
                gain = (abs(a - i) + abs(b - j) - abs(b - i) - abs(a - j)) / (j - i)
                if gain > best:
                    best, pair = gain, (i, j)
        i, j = pair
        order[i], order[j] = order[j], order[i]
        total += j - i
    return total


DEVIATIONS: dict[str, Callable[[Sequence[int]], float]] = {
    "lsd": square_shift,
    "lmd": mean_shift,
    "sd": swaps,
    "sdd": swap_distance,
}


def worst(n: int) -> float:
    """The largest mean shift of n items, that of the order turned round."""
    return (n * n // 2) / n


def order_right(said: Sequence[str], meant: Sequence[str]) -> float:
    """1 less the mean shift as a share of the largest; 0 where the reply does not order these items. Ours."""
    order = places(said, meant)
    if order is None:
        return 0.0
    return 1 - mean_shift(order) / worst(len(order)) if len(order) > 1 else 1.0


def _best(one: Callable[[str, str], float], text: str) -> Metric:
    def metric(prediction: str, answers: Sequence[str], **_: Any) -> float:
        # The authors score an empty reply as the word "None".
        return max((float(one(prediction or "None", answer)) for answer in answers), default=0.0)

    metric.__doc__ = text
    return metric


def _cloze(which: int) -> Callable[[str, str], float]:
    def one(prediction: str, truth: str) -> float:
        meant = masks_of(truth)
        if meant is None:
            raise UserError(f"loogle/cloze needs an answer like {{'<mask-0>': 'Rome'}}, got {truth!r:.60}")
        return masks_right(masks_of(prediction, peer=True), meant)[which]

    return one


def _deviation(name: str) -> Callable[[str, str], float]:
    def one(prediction: str, truth: str) -> float:
        order = places(numerals(prediction), truth.split(","))
        return math.inf if order is None else DEVIATIONS[name](order)

    return one


TEXT: dict[str, Callable[[str, str], float]] = {
    "bleu1": partial(bleu, order=1),
    "bleu4": partial(bleu, order=4),
    "rouge1": partial(rouge_n_recall, n=1),
    "rouge2": partial(rouge_n_recall, n=2),
    "rougeL": lambda p, t: rouge_l_shares(p, t)[0],
}
"""Of a reply and its reference."""
METRICS: dict[str, Metric] = {
    "loogle/bleu1": _best(TEXT["bleu1"], "BLEU with all weight on words, NLTK's."),
    "loogle/bleu4": _best(TEXT["bleu4"], "BLEU with all weight on runs of four words, NLTK's without smoothing."),
    "loogle/rouge1": _best(TEXT["rouge1"], "ROUGE-1 recall of PyPI rouge 1.0.1."),
    "loogle/rouge2": _best(TEXT["rouge2"], "ROUGE-2 recall of PyPI rouge 1.0.1."),
    "loogle/rougeL": _best(TEXT["rougeL"], "ROUGE-L recall of PyPI rouge 1.0.1."),
    "loogle/cloze-exact": _best(_cloze(0), "Share of the masks filled with the very entity; the reply is one Python dict."),
    "loogle/cloze-partial": _best(_cloze(1), "Share of the masks filled with an entity that shares a word."),
    "loogle/order": _best(
        lambda p, t: order_right(numerals(p), t.split(",")),
        "Events put in order: 1 less the mean shift over the largest (ours).",
    ),
}
"""By the name that `leadline score --metric` takes."""
