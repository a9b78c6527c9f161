"""LongBench-Write's length score: how near a text comes to the length that was asked for (arXiv:2408.07055).

The formula and the way of counting are those of THUDM/LongWriter (Apache-2.0). Knows nothing of prompts and judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from leadline.nouns import UserError


def written(text: str) -> int:
    """Length of a text: its Chinese characters and its words of Latin letters.

    A word is a run of letters between word boundaries: "don't" is two, numbers and words with digits or beside Chinese
    characters are none.
    """
    return len(re.findall(r"[\u4e00-\u9fff]", text)) + len(re.findall(r"\b[a-zA-Z]+\b", text))


def length_score(required: float, produced: float) -> float:
    """1 for the length asked for, 0 from four times as much on and for a third of it and less.

    Nothing written is worth 0; the authors' code divides by it.
    """
    if produced > required:
        return max(0.0, 1 - (produced / required - 1) / 3)
    return max(0.0, 1 - (required / produced - 1) / 2) if produced else 0.0


def _length(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """LongBench-Write's S_l as a share; the answer is the length asked for."""
    try:
        required = float(answers[0])
    except ValueError:
        required = 0.0
    if required <= 0:
        raise UserError(
            f"longbench-write/length needs the length asked for as the answer, a number above 0; got {answers[0]!r}"
        )
    return length_score(required, written(prediction))


METRICS: dict[str, Callable[..., float]] = {"longbench-write/length": _length}
"""By the name that `leadline score --metric` takes."""
