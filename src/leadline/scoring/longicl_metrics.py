"""LongICLBench's scorers (TIGER-AI-Lab/LongICLBench, MIT: *_infer.py, fewnerd_evaluate.py, dialogueRE_evaluate.py).

Each metric takes (prediction, answers, the row's extras as keywords) and gives one row's worth, 0 to 1. The benchmark pools
the counts of all rows for its F1 on TacRED, Few-NERD and DialogRE: `micro` does that from the counts given here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Counts = tuple[int, int, int]
"""Right, said, wanted."""


def micro(rows: Iterable[Counts], small: float = 1e-8) -> tuple[float, float, float]:
    """Precision, recall and F1 of pooled counts; `small` is added to the first two divisors, as the benchmark does."""
    right, said, wanted = (sum(column) for column in zip(*rows, strict=True))
    precision, recall = right / (said + small), right / (wanted + small)
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0


def row_f1(counts: Counts) -> float:
    """F1 of one row; 1 where nothing was wanted and nothing said."""
    right, said, wanted = counts
    return 2 * right / (said + wanted) if said + wanted else 1.0


def answer(reply: str, query: str, label: str, example: str) -> str:
    """The part of a reply that the benchmark reads: its first line, and where it repeats the query what follows that.

    Args:
        reply: all that came back.
        query: the text that was asked about; empty where it is not known.
        label: name of the answer's field, as in "intent category:".
        example: name of the field that begins the next example; empty where nothing is cut there.
    """
    if query and query in reply:
        told = reply.split(query)[-1].strip().split(label)
        reply = told[1] if len(told) > 1 else told[0]
        cut = len(told) > 1
    else:
        cut = True
    if example and cut:
        reply = reply.split(example)[0]
    return reply.strip().split("\n")[0].strip()


def _labelled(label: str, example: str, bare: Callable[[str], str], text: str) -> Callable[..., float]:
    def metric(prediction: str, answers: Sequence[str], *, question: str = "", **_: Any) -> float:
        said = answer(prediction, question, label, example)
        return float(bare(said) == bare(answers[0]))

    metric.__doc__ = text
    return metric


def _discourse(text: str) -> str:
    return re.sub(r"[“”,.\"]", "", text.strip()).lower().strip()


banking77 = _labelled("intent category:", "service query", str.lower, "The label in any case, up to the next 'service query'.")
goemotions = _labelled("emotion category:", "comment: ", str.lower, "The label in any case, up to the next 'comment: '.")
discovery = _labelled(
    "the most suitable conjunction word in the previous ( ) is", "", _discourse, "The word without quotes, commas and points."
)
tacred = _labelled("the relation between the two entities is:", "sentence:", str, "The relation, case counts.")


def entities(reply: str, query: str = "") -> dict[str, str]:
    """Lines "entity: type" up to the first that is none; what stands after a second ": " is lost, an entity counts once."""
    if query and query in reply:
        reply = reply.split(query)[-1]
    found: dict[str, str] = {}
    for line in reply.strip().split("\n"):
        if ": " not in line or line.startswith(("Sentence", "sentence")):
            break
        entity, kind, *_ = line.split(": ")
        found[entity] = kind
    return found


def entity_counts(said: Mapping[str, str], wanted: Mapping[str, str]) -> Counts:
    """Entities given with the right type, given, and wanted."""
    return sum(wanted.get(name) == kind for name, kind in said.items()), len(said), len(wanted)


def fewnerd(prediction: str, answers: Sequence[str], *, question: str = "", **_: Any) -> float:
    """F1 of a row's pairs of entity and type; the answer holds them as lines "entity: type"."""
    return row_f1(entity_counts(entities(prediction, question), entities(answers[0])))


DIALOGRE = tuple(
    "per:alternate_names per:alumni per:place_of_residence per:employee_or_member_of per:girl/boyfriend per:title "
    "per:positive_impression gpe:residents_of_place org:employees_or_members per:children per:parents per:siblings "
    "per:spouse per:friends per:negative_impression per:client per:pet per:place_of_work per:boss per:subordinate "
    "per:acquaintance per:roommate per:dates per:other_family per:age per:visited_place gpe:visitors_of_place per:origin "
    "per:neighbor per:works per:schools_attended org:students per:major per:date_of_birth".split()
)


def relation_counts(reply: str, wanted: str, known: Sequence[str] = DIALOGRE) -> Counts:
    """Relations, separated by commas, compared place by place (right where the wanted one stands in the said one).

    Only what holds a known relation counts as said.
    """
    said, right = ([part.strip() for part in text.split(",")] for text in (reply, wanted))
    hits = sum(w in s for s, w in zip(said, right, strict=False))
    return hits, sum(any(name in s for name in known) for s in said), len(right)


def dialogre(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """F1 of a row's relations, in the order of the answer ("per:friends, per:pet")."""
    return min(1.0, row_f1(relation_counts(prediction.strip().split("\n")[0], answers[0])))


METRICS: dict[str, Callable[..., float]] = {
    "longicl/banking77": banking77,
    "longicl/goemotions": goemotions,
    "longicl/discovery": discovery,
    "longicl/tacred": tacred,
    "longicl/fewnerd": fewnerd,
    "longicl/dialogre": dialogre,
}
"""By the name that `leadline score --metric` takes."""
