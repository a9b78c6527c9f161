"""What tasks with long replies share: a reply that ran out of room is marked as far as it went.

Knows nothing of what is asked.
"""

from __future__ import annotations

from leadline.nouns import Answer, Audit
from leadline.scoring import extract


def said(answer: Answer) -> tuple[str, Audit]:
    """A reply without its thinking, whole or as far as it went, and what became of it."""
    found, audit = extract.judge(answer, extract.whole, single_line=False)
    if audit == "cut off":
        found = (extract.without_thinking(answer.text) or "").strip()
    return found or "", audit
