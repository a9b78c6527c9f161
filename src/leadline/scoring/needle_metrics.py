"""Scorers of the needle benchmarks that test what they invented: NeedleBench, Needle Threading, Giraffe's tasks.

To the digit, quirks included; each takes (prediction, answers, and what else the row holds as keywords) and gives 0 to 1.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from leadline.nouns import UserError


def literal(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Needle Threading's snippet: the reply read as a Python literal, cut to the length of the gold text, equal to it.

    The original raises where the reply is no literal, as a UUID without quotes is none; here that is 0. Of several answers
    the gold text is that of their list, of which a list in the reply is cut to as many elements.
    """
    try:
        said = ast.literal_eval(prediction.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return 0.0
    if len(answers) > 1:
        return float(isinstance(said, list | tuple) and list(said)[: len(answers)] == list(answers))
    return float(isinstance(said, str | list | tuple) and said[: len(answers[0])] == answers[0])


def boxed(text: str) -> str:
    r"""NeedleBench v2's answer: the content of the last `\boxed{}` without LaTeX, quotes and backslashes, else "None"."""
    at = text.rfind("\\boxed")
    start, depth = at + len("\\boxed"), 0
    if at < 0 or not text.startswith("{", start):
        return "None"
    for end in range(start, len(text)):
        depth += (text[end] == "{") - (text[end] == "}")
        if not depth:
            break
    else:
        return "None"
    found = text[start + 1 : end]
    if m := re.match(r"^\{(.*)\}$", found):
        found = m[1]
    if not found or found == "None":
        return "None"
    found = re.sub(r"\\text\{([^}]+)\}", r"\1", found)
    found = re.sub(r"\\boxed\{([^}]+)\}", r"\1", found)
    found = re.sub(r"\\[\[\]]", "", found).replace("\\", "")
    found = re.sub(r"\s+", " ", found).strip()
    return found.replace('"', "").replace("'", "").replace("~", " ")


def boxed_exact(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """NeedleBench v2, reasoning and Ancestral Trace Challenge: the box equals the answer."""
    return float(any(boxed(prediction).strip() == answer.strip() for answer in answers))


def keyword(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """NeedleBench v2, retrieval: share of the keywords that stand in the reply as they are written."""
    return sum(answer in prediction for answer in answers) / len(answers)


def keyword_or_near(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """NeedleBench v1, one needle: 1 with the keyword in the reply, else a fifth of the likeness of reply and needle.

    The answers are keyword and needle; likeness is 1 - edit distance / longer length, both without white space.
    """
    if len(answers) != 2:
        raise UserError(f"needlebench/v1-single needs two answers, keyword and needle; got {len(answers)}")
    word, needle = answers
    if word in prediction:
        return 1.0
    a, b = ("".join(text.split()) for text in (prediction, needle))
    return 0.2 * (1 - _edits(a, b) / max(len(a), len(b))) if a or b else 0.2


def _edits(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def first_number(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """LongChat-Lines: the first run of digits, as a number, equals the gold number; without digits it is -1."""
    if not re.fullmatch(r"\s*-?\d+\s*", answers[0]):
        raise UserError(f"giraffe/first-number needs a whole number for an answer, got {answers[0]!r}")
    found = re.search(r"\d+", prediction)
    return float((int(found[0]) if found else -1) == int(answers[0]))


def presence(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """FreeFormQA and AlteredNumericQA's presence accuracy: the stripped gold text is part of the reply, case and all."""
    return float(any(answer.strip() in prediction for answer in answers))


METRICS: dict[str, Callable[..., float]] = {
    "needlebench/keyword": keyword,
    "needlebench/boxed": boxed_exact,
    "needlebench/v1-single": keyword_or_near,
    "needle-threading/literal": literal,
    "giraffe/first-number": first_number,
    "giraffe/presence": presence,
}
"""By the name that `leadline score --metric` takes."""
