"""Key answers taken out by rules and compared with the right one, for `leadline score --metric` (`xfinder.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from leadline.scoring.xfinder import KINDS, NONE, Kind, Range, agrees, rules


def _metric(kind: Kind) -> Callable[..., float]:
    def metric(prediction: str, answers: Sequence[str], *, classes: Range = (), question: str = "", **_: Any) -> float:
        found = rules(prediction, kind, classes, question)
        return float(found != NONE and any(agrees(found, answer, kind, classes) for answer in answers))

    held = {"option": "[letter, text] pairs", "math": ""}.get(kind, "the candidates")
    among = f"; the row's 'classes' hold {held}" if held else ""
    metric.__doc__ = f"1 where the key answer ({kind}), taken out by rules, is right{among}."
    return metric


METRICS = {f"xfinder/{kind.replace(' ', '-')}": _metric(kind) for kind in KINDS}
"""By the name that `leadline score --metric` takes."""
