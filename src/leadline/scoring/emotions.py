"""LongEmotion's answers to questions, to the digit: SQuAD's token F1, but punctuation parts words instead of vanishing.

Liu, Xiong, Hu and others 2025, arXiv:2509.07403; code LongEmotion/LongEmotion, evaluations/qa_score.py at 7149110.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any

from leadline.scoring.words import f1


def bare(text: str) -> str:
    """Lower case with a blank for each punctuation mark, and single blanks."""
    return " ".join(re.sub(rf"[{re.escape(string.punctuation)}]", " ", text.lower()).split())


def spaced(text: str) -> list[str]:
    """Words without articles: "well-being" is two."""
    return re.sub(r"\b(?:a|an|the)\b", " ", bare(text)).split()


def qa_f1(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Token F1 on words that punctuation parts, best over answers."""
    return max(f1(spaced(prediction), spaced(answer)) for answer in answers)
