"""How numbers are said: lengths, scores, bytes, seconds, and a breakdown length in plain words.

One spelling for the console, the figures and the page. Knows nothing about HTML, figures or records.
"""

from __future__ import annotations

import math

from leadline.scoring.breakdown import Breakdown

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def length(tokens: float) -> str:
    """A length as it is typed: 512, `4k` for 4,096, `1m` for 1,048,576; others in full with commas."""
    n = round(tokens)
    for letter, unit in (("m", 2**20), ("k", 2**10)):
        if n >= unit and n % unit == 0:
            return f"{n // unit}{letter}"
    return f"{n:,}"


def about(tokens: float) -> str:
    """An estimated length to two figures, three after a 1, as no estimate is better: 687 -> 690, 1,234 -> 1,230."""
    if tokens <= 0:
        return "0"
    size = math.floor(math.log10(tokens))
    step = 10 ** max(0, size - (2 if tokens < 2 * 10**size else 1))
    return f"{round(tokens / step) * step:,}"


def score(value: float | None) -> str:
    """A score of 0 to 1 in points of 100; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.0f}"


def span(low: float | None, high: float | None) -> str:
    """An interval of scores in points of 100."""
    return "" if low is None or high is None else f"{score(low)}–{score(high)}"


def change(percent: float | None) -> str:
    """A relative change [percent], as LongScore is one, with its sign."""
    if percent is None or not math.isfinite(percent):
        return "–"
    return f"{percent:+.1f} %".replace("+0.0", "0.0").replace("-0.0", "0.0").replace("-", "−")


def changes(low: float | None, high: float | None) -> str:
    """An interval of relative changes [percent]."""
    if low is None or high is None:
        return ""
    return f"{change(low).removesuffix(' %')} to {change(high).removesuffix(' %')}"


def amount(number: float | None) -> str:
    """Bytes with a binary unit."""
    if number is None:
        return "–"
    exponent = min(len(UNITS) - 1, int(math.log2(number) // 10)) if number >= 1 else 0
    value = number / 1024**exponent
    return f"{value:.0f} {UNITS[exponent]}" if value >= 100 or exponent == 0 else f"{value:.1f} {UNITS[exponent]}"


def duration(seconds: float | None) -> str:
    """A time with the unit that suits it: 3.1 ms, 2.4 s, 1 h 05 min."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def count(number: float | None) -> str:
    """A whole number with commas."""
    return "–" if number is None else f"{round(number):,}"


def figure(number: float) -> str:
    """A mean of whatever unit, to three figures: 0.52, 12.4, 1,830."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


def money(dollars: float | None) -> str:
    """US dollars; four digits where cents would say nothing."""
    return "–" if dollars is None else f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:.4f}"


def verdict(breakdown: Breakdown) -> tuple[str, str, str]:
    """A breakdown length in words that follow the name of a model: what it does, the number, how sure that is."""
    tokens, low, high = breakdown.tokens, breakdown.low, breakdown.high
    if tokens is None:
        return f"has no breakdown length: {breakdown.note or 'not enough was measured'}", "", ""
    if breakdown.censored and high is None:
        sure = f"; 95 %: at least {about(low)}" if low is not None and low < tokens else ""
        return "reads reliably to at least", f"{length(tokens)} tokens", f"the longest length measured{sure}"
    if breakdown.censored:
        return "has broken down by", f"{length(tokens)} tokens", "the shortest length measured beyond the base"
    return "reads reliably to about", f"{about(tokens)} tokens", f"95 %: {reach(breakdown)}"


def fall(breakdown: Breakdown) -> str:
    """The verdict as one line."""
    what, number, sure = verdict(breakdown)
    return f"{what} {number} ({sure})" if number else what


def reach(breakdown: Breakdown) -> str:
    """The interval of a breakdown length, ends open where nothing was measured beyond them."""
    low, high = breakdown.low, breakdown.high
    if low is None or high is None:
        return (
            ""
            if low is high
            else f"under {about(high)}"
            if high is not None
            else f"{about(low)} or more"
            if low is not None
            else ""
        )
    return f"{about(low)}–{about(high)}"


def bound(breakdown: Breakdown) -> str:
    """A breakdown length for a table: `~690`, `≥ 4k` or `≤ 512` where censored, or a dash."""
    if breakdown.tokens is None:
        return "–"
    if breakdown.censored:
        return f"{'≥' if breakdown.high is None else '≤'} {length(breakdown.tokens)}"
    return f"~{about(breakdown.tokens)}"
