"""Figures that a benchmark's authors give of a whole run: rates by category, gaps between positions.

A module of this room may hold `FIGURES`, functions from the records of one group (a model with its method) to a `Figure`, or to
None where the records hold nothing for it. Knows nothing of what they compute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from leadline.nouns import Record


@dataclass(frozen=True)
class Figure:
    """A small table."""

    title: str
    why: str
    """What it says, in a sentence, with its source."""
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Of texts, as they are to be shown; the first column names the row."""


Maker = Callable[[Sequence[Record]], Figure | None]


@cache
def makers() -> tuple[Maker, ...]:
    """All `FIGURES` of the room, in the order of its files."""
    here = Path(__file__).parent
    holding = [p.stem for p in sorted(here.glob("*.py")) if re.search(r"^FIGURES\b", p.read_text(encoding="utf-8"), re.M)]
    return tuple(make for name in holding for make in import_module(f"leadline.scoring.{name}").FIGURES)


def figures(records: Sequence[Record]) -> list[Figure]:
    """Every figure that the records of one group hold something for."""
    return [figure for make in makers() if (figure := make(records)) is not None]


def points(value: float | None) -> str:
    """A share as points of 100, or a dash."""
    return "–" if value is None else f"{100 * value:.1f}"
