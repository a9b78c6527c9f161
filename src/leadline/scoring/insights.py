"""Summaries of insights that many documents repeat: coverage, citation and joint score, as Summary of a Haystack has them.

Laban, Fabbri, Xiong and Wu 2024, arXiv:2407.01370; code salesforce/summary-of-a-haystack (Apache-2.0), utils_eval.py at
4353172. Knows nothing of judges and of where summaries come from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COVERAGE = {"FULL_COVERAGE": 1.0, "PARTIAL_COVERAGE": 0.5, "NO_COVERAGE": 0.0}
"""What a verdict on one insight is worth."""


@dataclass(frozen=True)
class Verdict:
    """Whether an insight is in a summary."""

    coverage: float
    """1 for all of it, 0.5 for a part, 0 for nothing."""
    bullet: int | None = None
    """Which bullet has it, the first being 1."""


@dataclass(frozen=True)
class Insight:
    """The scores of one insight [0 to 1]."""

    coverage: float
    citation: float | None
    """F1 of the documents cited; None where the insight is not covered, and nothing is cited for it."""
    precision: float | None = None
    recall: float | None = None

    @property
    def joint(self) -> float:
        """Coverage times citation."""
        return self.coverage * (self.citation or 0.0)


def bullets(summary: str) -> list[str]:
    """The lines that are not empty; a heading counts as one, as in the original."""
    return [line.strip() for line in summary.split("\n") if line.strip()]


def citations(bullet: str) -> set[int]:
    """Numbers in square brackets that hold nothing but digits, commas and blanks: [3], [3, 7]; not (3) and not [3-7]."""
    return {int(n) for inner in re.findall(r"\[([\d, ]+)\]", bullet) for n in re.findall(r"\d+", inner)}


def scored(verdict: Verdict, lines: Sequence[str], holding: set[int], *, peer: bool = False) -> Insight:
    """The scores of one insight.

    Args:
        verdict: on the insight.
        lines: the summary's bullets.
        holding: numbers of the documents that state it.
        peer: as the released code has it where an insight is said to be covered, but by no bullet: the bullet before the last
            is taken for it. Otherwise nothing is cited for it.
    """
    if not verdict.coverage:
        return Insight(0.0, None)
    place = verdict.bullet if verdict.bullet is not None else -1 if peer else 0
    cited = citations(lines[place - 1]) if place else set()
    right = len(cited & holding)
    precision = right / len(cited) if cited else 0.0
    recall = right / len(holding) if holding else 0.0
    return Insight(verdict.coverage, 2 * precision * recall / (precision + recall) if right else 0.0, precision, recall)


def figures(insights: Sequence[Insight]) -> dict[str, float]:
    """Coverage, citation and joint score of insights, of one summary or pooled over many.

    Citation is the mean over the insights that are covered, and is left out where none is.
    """
    cited = [one.citation for one in insights if one.citation is not None]
    out = {"coverage": sum(one.coverage for one in insights) / len(insights)}
    if cited:
        out["citation"] = sum(cited) / len(cited)
    return out | {"joint": sum(one.joint for one in insights) / len(insights)}


def exact(entity: str, value: str, lines: Sequence[str]) -> Verdict:
    """The verdict on an insight whose name and value are known: all of it where one bullet has both, a part where it has one.

    The first of the best bullets is taken. Case does not count, a name may stand in the plural, and numbers in citations are
    passed over.
    """
    wanted = [re.compile(rf"(?<!\w){re.escape(what)}{end}(?!\w)", re.I) for what, end in ((entity, "(?:s|es)?"), (value, ""))]
    best = Verdict(0.0)
    for number, line in enumerate(lines, 1):
        plain = re.sub(r"\[[\d, ]+\]", " ", line)
        share = sum(bool(one.search(plain)) for one in wanted) / 2
        if share > best.coverage:
            best = Verdict(share, number)
    return best
