"""LongBench Pro's scorers: rankings, orders, sets and lines after the mark [Answer].

Chen et al. 2026, arXiv:2601.02872; caskcsg/longcontext, folder LongBench-Pro (no licence file; nothing was taken over), read at
88fbeb8. Two of its ways favour a reply that leaves things out, or punish an empty line: by the names that end in "-peer" they
are as there; the plain names count them as they should be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from leadline.scoring.peers import Metric
from leadline.scoring.words import cut, rouge_l

MARKS = ("[Answer]", "[答案]")
"""Stand before the answer; the first of them that a reply holds is looked for."""


def _even(text: str) -> str:
    return " ".join(text.lower().split())


def lines(reply: str, *, peer: bool = False) -> list[str]:
    """The lines after the last mark (of the whole reply where there is none); those without text count only as `peer`."""
    mark = next((m for m in MARKS if m in reply), None)
    told = reply.rpartition(mark)[2].strip() if mark else reply.strip()
    found = [_even(line) for line in told.lower().split("\n")]
    return found if peer else [line for line in found if line]


def ndcg(said: Sequence[str], meant: Sequence[str]) -> float:
    """NDCG at the number of right items, whose gains fall from that number to 1; a repeated line counts at its last place."""
    gains = {item: len(meant) - i for i, item in enumerate(meant)}
    at = {item: i for i, item in enumerate(said)}
    ranked = sorted(at, key=at.__getitem__)[: len(meant)]
    best = sorted(gains.values(), reverse=True)[: len(meant)]

    def gained(values: Sequence[int]) -> float:
        return sum(v / math.log2(i + 2) for i, v in enumerate(values))

    return gained([gains.get(item, 0) for item in ranked]) / gained(best) if best else 0.0


def pairs_right(said: Sequence[str], meant: Sequence[str], *, peer: bool = False) -> float:
    """Share of the pairs that stand in the right order: of the reply's pairs (`peer`), else of the longer list's."""
    if len(said) < 2 or len(meant) < 2:
        return 0.0
    at = {item: i for i, item in enumerate(said)}
    if peer:
        right = sum(a in at and b in at and at[a] < at[b] for a, b in combinations(meant, 2))
        value = right / math.comb(len(said), 2)
        # Repeated items in the reference can lead over 1, which is then refused and worth nothing.
        return value if value <= 1 else 0.0
    order = list(dict.fromkeys(meant))
    right = sum(a in at and b in at and at[a] < at[b] for a, b in combinations(order, 2))
    return right / math.comb(max(len(said), len(order)), 2) if len(order) > 1 else 0.0


def set_f1(said: Sequence[str], meant: Sequence[str]) -> float:
    """F1 of two sets of lines."""
    same = len(set(said) & set(meant))
    return 2 * same / (len(set(said)) + len(set(meant))) if same else 0.0


def share_said(said: Sequence[str], meant: Sequence[str]) -> float:
    """Share of the right items that are lines of the reply."""
    return sum(item in said for item in meant) / len(meant) if meant else 0.0


def first_right(said: Sequence[str], meant: Sequence[str]) -> float:
    """Whether the first line is the right item."""
    return float(bool(said and meant) and said[0] == meant[0])


def summary_rouge(reply: str, references: Sequence[str], chinese: bool) -> float:
    """Best ROUGE-L F over the references, of the whole reply (words by jieba in Chinese): half of the benchmark's figure."""
    cutter: Callable[[str], str] = (lambda text: " ".join(cut(text))) if chinese else str
    said = cutter(_even(reply))
    return max((rouge_l(said, cutter(_even(reference))) for reference in references), default=0.0)


LISTS: dict[str, Callable[..., float]] = {
    "ndcg": ndcg,
    "pairs": pairs_right,
    "first": first_right,
    "set-f1": set_f1,
    "share": share_said,
}
"""Metrics of a list of lines against the right one."""


def _of(name: str, peer: bool) -> Metric:
    one = LISTS[name]

    def metric(prediction: str, answers: Sequence[str], **_: Any) -> float:
        extras = {"peer": peer} if name == "pairs" else {}
        return one(lines(prediction, peer=peer), [_even(a) for a in answers], **extras) if prediction else 0.0

    metric.__doc__ = f"LongBench Pro: {(one.__doc__ or '').splitlines()[0]}{' As its script has it.' if peer else ''}"
    return metric


METRICS: dict[str, Metric] = {f"longbench-pro/{n}{'-peer' if p else ''}": _of(n, p) for n in LISTS for p in (False, True)}
"""By the name that `leadline score --metric` takes."""
