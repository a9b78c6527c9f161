"""FILM's VaL probing (arXiv:2404.16811): what a reply to a probe is worth, and the robustness gap over positions.

`document`, `code` and `database` are the rules of the authors' code (microsoft/FILM, VaLProbing/plot.py, MIT). `robustness`
is its figure: the mean over spans of positions, and the gap between the best and the worst span.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leadline.nouns import Record, UserError
from leadline.scoring.figures import Figure, points


def document(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Share of the different words of the sentence that the reply holds; any case, punctuation left on."""
    wanted = set(answers[0].lower().split())
    return len(wanted & set(prediction.lower().split())) / len(wanted) if wanted else 0.0


def code(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the function's name stands in the reply as text; case counts."""
    return float(answers[0].strip(".") in prediction)


def database(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the label or the description stands in the reply as text, in any case."""
    return float(any(answer.strip(".").lower() in prediction.lower() for answer in answers))


def choice(prediction: str, answers: Sequence[str], *, candidates: Sequence[str] = (), **_: Any) -> float:
    """1 where the candidate of the first letter A to F in the reply is the answer; A where there is none (their CSQA)."""
    if not candidates:
        raise UserError(
            "film/csqa needs the texts of the choices: give 'candidates' in each row, and the right text in 'answers'"
        )
    letter = next((c for c in prediction if c in "ABCDEF"), "A")
    place = "ABCDEF".index(letter)
    return float(place < len(candidates) and candidates[place] == answers[0])


METRICS = {"film/document": document, "film/code": code, "film/database": database, "film/csqa": choice}
"""By the name that `leadline score --metric` takes; `database` wants both answers in a row."""


@dataclass(frozen=True)
class Robustness:
    """How evenly a model reads over the positions of a context."""

    mean: float
    """Mean over spans of their mean score [0 to 1]."""
    gap: float
    """The best span less the worst [0 to 1]."""
    spans: tuple[float | None, ...]
    """Mean score of each span, from the start of the context to its end; None for one without samples."""
    counts: tuple[int, ...]
    """Samples of each span."""
    corrected: Mapping[str, float] = field(default_factory=dict)
    """`mean` and `gap` where chance counts as nothing and a full score as 1."""


def robustness(scores: Sequence[float], depths: Sequence[float], spans: int = 10, chance: float = 0.0) -> Robustness | None:
    """Mean and gap over spans of positions; None without scores.

    Args:
        scores: of samples with one piece of evidence each.
        depths: where it lies, 0 (start of the context) to 1.
        spans: parts of the context, of one size.
        chance: what a guess scores.

    Raises:
        UserError: `spans` is not positive.
    """
    if spans < 1:
        raise UserError(f"the number of spans must be 1 or more, got {spans}")
    at: list[list[float]] = [[] for _ in range(spans)]
    for score, depth in zip(scores, depths, strict=True):
        at[min(spans - 1, int(depth * spans))].append(score)
    means = tuple(math.fsum(some) / len(some) if some else None for some in at)
    return _summed(means, tuple(map(len, at)), chance)


def _summed(means: tuple[float | None, ...], counts: tuple[int, ...], chance: float = 0.0) -> Robustness | None:
    there = [m for m in means if m is not None]
    if not there:
        return None
    mean, gap = math.fsum(there) / len(there), max(there) - min(there)
    corrected = {"mean": (mean - chance) / (1 - chance), "gap": gap / (1 - chance)}
    return Robustness(mean, gap, means, counts, corrected)


def as_published(
    scores: Sequence[float], positions: Sequence[int], sets: Sequence[Any], total: int, width: int = 50
) -> Robustness | None:
    """The authors' figures: span by span within each set, then the mean over sets.

    The last position of each span (49, 99, ...) is left out, for so their range ends.

    Args:
        scores: of samples.
        positions: number of the piece in its context, from 0.
        sets: which set each sample belongs to.
        total: pieces of a context (800, or 750 for the database).
        width: pieces of a span.
    """
    at: dict[tuple[int, Any], list[float]] = defaultdict(list)
    for score, position, name in zip(scores, positions, sets, strict=True):
        if position % width != width - 1 and position < total:
            at[position // width, name].append(score)
    means, counts = list[float | None](), list[int]()
    for span in range(total // width):
        some = [values for (where, _), values in at.items() if where == span]
        means.append(math.fsum(math.fsum(v) / len(v) for v in some) / len(some) if some else None)
        counts.append(sum(map(len, some)))
    return _summed(tuple(means), tuple(counts))


def of_records(records: Sequence[Record], spans: int = 10) -> dict[tuple[str, int], Robustness]:
    """Robustness by task and length, over samples that count and whose evidence is one piece."""
    at: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in records:
        if record.score is not None and len(record.depths) == 1:
            at[record.task, record.length].append(record)
    found = {}
    for where, some in sorted(at.items()):
        scores = [record.score or 0.0 for record in some]
        one = robustness(scores, [record.depths[0] for record in some], spans, some[0].chance)
        if one is not None:
            found[where] = one
    return found


SPANS, LEAST = 5, 5
"""Parts of the context that a report compares, and samples that each must have: of fewer, the best and worst differ by luck."""


def _figure(records: Sequence[Record]) -> Figure | None:
    """Mean and gap over positions of the tasks that were asked often enough at a length."""
    told = {at: r for at, r in of_records(records, SPANS).items() if min(r.counts) >= LEAST}
    if not told:
        return None
    rows = [
        (task, f"{length:,}", points(r.mean), points(r.gap), " ".join(points(m) for m in r.spans), f"{min(r.counts)}")
        for (task, length), r in told.items()
    ]
    return Figure(
        "Robustness over positions",
        f"Mean over {SPANS} parts of the context by where the evidence lay, and the gap between the best and the worst part; "
        "points of 100. With few samples in a part some of the gap is luck (FILM, arXiv:2404.16811).",
        ("task", "length", "mean", "gap", "parts, start to end", "samples in a part, at least"),
        tuple(rows),
    )


FIGURES = (_figure,)
