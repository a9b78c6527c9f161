"""Answers to MIR-Bench (arXiv:2502.09933): what follows "Output:", compared with the right output.

`exact` is the authors' code (KaiYan289/MIR-Bench, eval/evaluate.py, Apache-2.0) with its quirk: the module that reads
literals is never imported there, so that only equal text counts. `literal` is what that code means to do.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from leadline.scoring import extract


def exact(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the text after the last "utput:" is the answer, sign by sign (MIR-Bench as released)."""
    return float(taken(prediction) == answers[0].strip())


def taken(prediction: str) -> str:
    """What the peer compares: the text after the last "utput:", or from the sixth sign on where there is none."""
    at = prediction.rfind("utput:") + len("utput:")
    if prediction[at : at + 2] == "**":
        prediction = prediction[:at] + prediction[at + 2 :]
    return prediction[at:].replace("```python", "").replace("```", "").strip()


def literal(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the output that a reply gives equals the answer as a Python object of the same type."""
    found = output(prediction)
    return float(found is not None and agrees(found, answers[0]))


def output(prediction: str) -> str | None:
    """The output that a reply gives: what follows the last "Output:", else its first line; None where that is nothing."""
    clear = re.sub(r"```[\w-]*\n?", "", prediction)
    marks = list(re.finditer(r"output\s*(?:is)?\s*(?:\*\*)?\s*:\s*(?:\*\*)?", clear, re.I))
    while marks and not clear[marks[-1].end() :].strip():
        marks.pop()
    if not marks:
        return extract.first_line(prediction)
    rest = re.split(r"\n\s*Input\s*:", clear[marks[-1].end() :])[0].strip()
    if _read(rest) is None and "\n" in rest:
        rest = rest.partition("\n")[0].strip()
    return rest.strip("`").removesuffix("**").strip() or None


def agrees(found: str, answer: str) -> bool:
    """Whether two texts mean one object: as text, or as Python literals; {"ans": 3} and {3} do for 3, and "3." does."""
    if found.strip() == answer.strip():
        return True
    wanted = _read(answer)
    truth = wanted[0] if wanted else answer.strip()
    if isinstance(truth, str) and found.strip().strip("\"'") == truth:
        return True
    for text in (found.strip(), found.strip().rstrip(".")):
        got = _read(text)
        if got is None:
            continue
        value = got[0]
        if same(value, truth):
            return True
        if isinstance(value, dict | set) and len(value) == 1 and not isinstance(truth, type(value)):
            inner = next(iter(value.values() if isinstance(value, dict) else value))
            if same(inner, truth):
                return True
    return False


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all through: 1 is neither True nor 1.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def _read(text: str) -> tuple[Any] | None:
    """The literal that a text is, in a tuple, for it may be None; None where it is none."""
    try:
        return (ast.literal_eval(text),) if len(text) < 100_000 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


METRICS = {"mirbench/exact": exact, "mirbench/literal": literal}
"""By the name that `leadline score --metric` takes."""
