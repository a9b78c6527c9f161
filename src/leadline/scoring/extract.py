"""Takes the answer out of a reply, and says what became of the sample (its audit).

An extractor is a function from the reply's text to its answer, or None where the asked form is not
there. Knows nothing about right and wrong: `score` is given the grader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from leadline.nouns import NOT_ASKED, Answer, Audit, Score

Extractor = Callable[[str], str | None]

THINKING = re.compile(r"\s*(?:<think>.*?</think>\s*)+", re.S)
UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
# Thousands separators belong to a number only in groups of three, so that "1,2" stays two numbers.
INTEGER = r"(?<![\w.])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?![\w]|\.\d|,\d)"
LEAD = re.compile(
    r"(?:so|thus|therefore|hence)?,?\s*(?:the\s+|my\s+)?(?:(?:final|correct|right|best)\s+)?(?:answer|option|choice|response)\b"
    r"\s*(?:is\b\s*:?|:|=)\s*",
    re.I,
)


def without_thinking(text: str) -> str | None:
    """The text after leading `<think>...</think>` blocks; None where the last block was never closed."""
    m = THINKING.match(text)
    rest = text[m.end() :] if m else text
    if rest.lstrip().startswith("<think>"):
        return None
    # Templates that open the block themselves leave only its end in the reply.
    head, end, tail = rest.partition("</think>")
    return tail.lstrip() if end and "<think>" not in head else rest


def judge(answer: Answer, extract: Extractor, *, single_line: bool) -> tuple[str | None, Audit]:
    """What was answered, and what became of the sample.

    Args:
        answer: as it came back.
        extract: takes the answer out of the reply (thinking removed).
        single_line: whether the answer ends with its line; such an answer is whole once anything follows it,
            while a longer one that ran out of room never is.

    Returns:
        The extracted answer, None unless the audit is "answered"; and the audit.
    """
    ended: dict[str, Audit] = {"error": "provider error", "filter": "refused", "window": "over the window"}
    if answer.stop in ended:
        return None, ended[answer.stop]
    text = without_thinking(answer.text)
    if text is None:
        return None, "thinking ran out" if answer.stop == "length" else "empty"
    if not text.strip():
        thought = bool(answer.thinking.strip() or answer.text.strip())
        return None, "thinking ran out" if thought and answer.stop == "length" else "empty"
    found = extract(text)
    if answer.stop == "length":
        unfinished = found is None or not single_line or ("\n" not in text.lstrip() and text.endswith(found))
        if unfinished:
            return None, "cut off"
    return (None, "format not found") if found is None else (found, "answered")


def score(answer: Answer, extract: Extractor, grade: Callable[[str], float], *, single_line: bool) -> Score:
    """The whole way from a reply to its score: the model's own faults are worth 0, a sample not asked nothing."""
    found, audit = judge(answer, extract, single_line=single_line)
    if found is not None:
        return Score(value=float(grade(found)), audit=audit, extracted=found)
    return Score(value=None if audit in NOT_ASKED else 0.0, audit=audit)


def plain(text: str) -> str:
    """The text without markdown emphasis, code fences and quote bars; words and line breaks stay."""
    text = re.sub(r"^\s*```[\w-]*[ \t]*\n?|\n?```\s*$", "", text)
    text = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text, flags=re.S)
    text = re.sub(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=\S)\*(?![\w*])", r"\1", text)
    return re.sub(r"(?m)^[ \t]*(?:#{1,6}|>)[ \t]+", "", text)


def whole(text: str) -> str | None:
    """All of the reply, stripped."""
    return text.strip() or None


def tidy(text: str) -> str:
    """A short answer without what models put around it: "Answer:", emphasis, quotes, a final period."""
    text = plain(text).strip()
    while m := LEAD.match(text):
        if not text[m.end() :].strip():
            break
        text = text[m.end() :].strip()
    text = text.strip("*`").strip()
    text = text.rstrip(".。").rstrip()
    for left, right in ('""', "''", "“”", "‘’", "「」", "``"):
        if len(text) > 1 and text[0] == left and text[-1] == right and left not in text[1:-1]:
            text = text[1:-1].strip()
    return text


def first_line(text: str) -> str | None:
    """The first line that says something, tidied; a line that is only "Answer:" does not."""
    for line in text.splitlines():
        if re.search(r"\w", line) and not re.fullmatch(r"\W*(?:the |final |my )*answer(?: is)?\W*", line, re.I):
            return tidy(line) or None
    return None


def last_line(text: str) -> str | None:
    """The last line that says something, tidied; for replies that reason before they answer."""
    lines = [line for line in text.splitlines() if re.search(r"\w", line)]
    return (tidy(lines[-1]) or None) if lines else None


def after_answer(text: str) -> str | None:
    """The rest of the line (or the next line) after the last "answer is" or "Answer:", tidied; else the last line."""
    clear = plain(text)
    found = list(LEAD.finditer(clear))
    return first_line(clear[found[-1].end() :]) if found and clear[found[-1].end() :].strip() else last_line(clear)


def pattern(regex: str, which: int = -1) -> Extractor:
    """An extractor of the last (`which=-1`) or first (0) match of a regular expression: its first group, else all of it."""
    compiled = re.compile(regex)

    def extract(text: str) -> str | None:
        found = list(compiled.finditer(plain(text)))
        if not found:
            return None
        m = found[which]
        return m[1] if compiled.groups and m[1] is not None else m[0]

    return extract


def _integer(which: int) -> Extractor:
    find = pattern(INTEGER, which)

    def extract(text: str) -> str | None:
        found = find(text)
        return None if found is None else str(int(found.replace(",", "").replace("−", "-")))

    return extract


first_integer: Extractor = _integer(0)
last_integer: Extractor = _integer(-1)
first_uuid: Extractor = pattern(UUID, 0)
last_uuid: Extractor = pattern(UUID, -1)
first_digits: Extractor = pattern(r"\d+", 0)
"""A run of digits as written, leading zeros kept (pass keys)."""
last_digits: Extractor = pattern(r"\d+", -1)


def integers(text: str) -> list[int]:
    """All whole numbers in order, for answers that are lists of numbers."""
    return [int(m[0].replace(",", "").replace("−", "-")) for m in re.finditer(INTEGER, plain(text))]


def passage_number(text: str) -> str | None:
    """The number after the first "passage", "paragraph" or "document", else the first integer."""
    m = re.search(
        r"\b(?:passage|paragraph|document|doc|text|article)s?\s*(?:number|no\.?|id|#)?\s*[:#\[(]?\s*(\d+)", plain(text), re.I
    )
    return str(int(m[1])) if m else first_integer(text)


def quoted(text: str) -> str | None:
    """What stands in the last pair of quotes, else the first line tidied."""
    found = re.findall(r"\"([^\"\n]+)\"|“([^”\n]+)”|`([^`\n]+)`", text)
    return next(part for part in found[-1] if part).strip() if found else first_line(text)


def letter(choices: str = "ABCD") -> Extractor:
    """An extractor of an option's letter.

    What follows "answer is" or "option" comes first, then a letter that opens the reply as "B", "(B)" or "B. text",
    then the last capital that stands alone (so that the article "A" at the start of a sentence is no answer).
    """
    some = f"[{re.escape(choices)}{re.escape(choices.lower())}]"
    told = re.compile(rf"(?:answer|option|choice)\b(?:\s+is)?\s*:?\s*(?:option\s+|choice\s+)?[\"'(\[]*({some})(?![\w'])", re.I)
    opens = re.compile(rf"\W*({some})(?:\s*$|[).:\]]|\s*\n|,)")
    alone = re.compile(rf"(?<![\w'])([{re.escape(choices)}])(?![\w'])(?!\s+[a-z])")

    def extract(text: str) -> str | None:
        clear = plain(text)
        found = told.findall(clear) or opens.match(clear)
        if found:
            return (found[-1] if isinstance(found, list) else found[1]).upper()
        rest = alone.findall(clear)
        return rest[-1] if rest else None

    return extract


def label(labels: Sequence[str], which: int = 0) -> Extractor:
    """An extractor of one of some labels, as a whole word in any case; the longest where several begin at one place."""
    spelt = {name.lower(): name for name in labels}
    options = "|".join(re.escape(name) for name in sorted(spelt, key=len, reverse=True))
    find = pattern(rf"(?i)(?<!\w)(?:{options})(?!\w)", which)

    def extract(text: str) -> str | None:
        found = find(text)
        return None if found is None else spelt[found.lower()]

    return extract


yes_no: Extractor = label(("yes", "no"))
