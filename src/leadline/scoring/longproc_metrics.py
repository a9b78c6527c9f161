"""LongProc's rules for long procedures: tables, programs, routes, beliefs, searches and plans (arXiv:2501.05414).

Each `mark_...` takes a reply and the reference trace and gives the peer's own figures by the peer's names. `peer=True` counts
to the digit as princeton-pli/LongProc (Apache-2.0) does, quirks and all; `peer=False` counts without them, and each function
says what then differs. Code that a model wrote runs in the sandbox alone. Knows nothing of prompts and generators.
"""

from __future__ import annotations

import csv
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from leadline.nouns import UserError
from leadline.scoring import sandbox

Marks = dict[str, float]
"""accuracy, partial_accuracy and extraction_rate; f1, precision, recall and extraction_rate for tables."""

HEADER = (
    "\n".join(
        f"#include <{name}>"
        for name in "cstdio iostream vector algorithm numeric cmath cstring set map queue stack list fstream climits cassert "
        "iomanip sstream bitset".split()
    )
    + "\nusing namespace std;\n"
)
"""What stands before every program."""
TESTS = 10
"""Test cases that a program has to pass; the first ones."""
SECONDS = 3.0
"""Time that a program has for each [s]."""
OUTPUT = 1 << 22
"""Most of a program's output that is read [bytes]."""
TRACE = "# Search Procedure"
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _marks(accuracy: float, partial_accuracy: float, extracted: bool) -> Marks:
    return {"accuracy": accuracy, "partial_accuracy": partial_accuracy, "extraction_rate": float(extracted)}


def tagged(text: str, tag: str) -> str | None:
    """What stands between the first opening and the first closing tag, stripped; None without both."""
    start, end = text.find(f"<{tag}>"), text.find(f"</{tag}>")
    return None if start < 0 or end < 0 else text[start + len(tag) + 2 : end].strip()


def _bare(text: str) -> str:
    """Lower case, without punctuation and articles, single blanks."""
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION)).split())


def fenced_table(text: str) -> str:
    """The table in a reply: between ```tsv and the last fence, else all after ```tsv, else everything."""
    m = re.search(r"```tsv([\s\S]*)```", text)
    return (m[1] if m else text.split("```tsv")[1] if "```tsv" in text else text).strip()


def _table(text: str) -> tuple[int, list[tuple[str, ...]]] | None:
    """Width and rows of a table; None where there is none. Rows of another width count as rows of N/A, a last one as none."""
    try:
        rows = list(csv.reader(text.strip().split("\n"), delimiter="\t"))
    except csv.Error:
        return None
    if len(rows) < 2 or len(set(rows[0])) < len(rows[0]):
        return None
    width = len(rows[0])
    body = rows[1:] if len(rows[-1]) == width else rows[1:-1]
    filled = (row if len(row) == width else ["N/A"] * width for row in body)
    return width, [tuple(_bare(cell).replace(" ", "") for cell in row) for row in filled]


def mark_table(reply: str, reference: str, *, peer: bool = False) -> Marks:
    """Rows found, in any order.

    The peer lets one row of the one table stand for all its copies in the other; otherwise each stands for one.
    """
    found, gold = _table(fenced_table(reply)), _table(fenced_table(reference))
    if found is None or gold is None or not found[1] or not gold[1] or found[0] != gold[0]:
        return {"f1": 0.0, "precision": 0.0, "recall": 0.0, "extraction_rate": 0.0}
    said, wanted = found[1], gold[1]
    if peer:
        precision, recall = sum(r in set(wanted) for r in said), sum(r in set(said) for r in wanted)
    else:
        precision = recall = (Counter(said) & Counter(wanted)).total()
    p, r = precision / len(said), recall / len(wanted)
    return {"f1": 2 * p * r / (p + r) if p + r else 0.0, "precision": p, "recall": r, "extraction_rate": 1.0}


def mark_code(reply: str, reference: str = "", *, testcases: Sequence[Any] = (), peer: bool = False) -> Marks:
    """Whether a C++ program gives what its test cases say; the peer wants the output exact to the last blank.

    Args:
        reply: with the program between ```cpp (or ```c++) and the last fence.
        reference: not needed.
        testcases: pairs of input lines and output lines.
        peer: blanks at the ends of lines and of the output count.

    Raises:
        UserError: no test cases, or no sandbox and compiler to run them.
    """
    if not testcases:
        raise UserError("longproc/pseudo-to-code needs the test cases of each row: give 'testcases' as LongProc's files do")
    m = re.search(r"```cpp([\s\S]*)```", reply.replace("```c++", "```cpp"))
    if not m:
        return _marks(0.0, 0.0, False)
    tests = tuple(("\n".join(given) + "\n", "\n".join(wanted) + "\n") for given, wanted in testcases[:TESTS])
    passed = float(_passes(m[1], tests, peer))
    return _marks(passed, passed, True)


@lru_cache(maxsize=256)
def _passes(code: str, tests: tuple[tuple[str, str], ...], exact: bool) -> bool:
    if "main" not in code:
        return False  # it would not link
    source = {"program.cpp": HEADER + code}
    compiled = sandbox.run(
        ["sh", "-c", "g++ -std=c++11 -O -o program program.cpp >&2 && base64 program || command -v g++ >&2 || exit 42"],
        source,
        seconds=60,
    )
    if compiled.code == 42:
        raise UserError("pseudo-to-code compiles C++ in the sandbox and there is no g++: install it")
    if not compiled.out.strip():
        return False
    run = ["sh", "-c", f"base64 -d coded > program && chmod +x program && ./program | head -c {OUTPUT}"]
    for given, wanted in tests:
        done = sandbox.run(run, {"coded": compiled.out}, stdin=given, seconds=SECONDS)
        if done.code == -1 or _output(done.out, exact) != _output(wanted, exact):
            return False
    return True


def _output(text: str, exact: bool) -> str:
    return text if exact else "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


def mark_route(reply: str, reference: str, *, peer: bool = False) -> Marks:
    """Lines of a route before the first wrong one.

    The peer compares to the blank and gives the first wrong line for free, so that an empty route has one line right.
    """
    gold = (tagged(reference, "Route") or reference).strip()
    found = tagged(reply, "Route")
    if found is None:
        return _marks(0.0, 0.0, False)
    wanted, said = gold.split("\n"), found.split("\n")
    if not peer:
        wanted, said = ([" ".join(line.split()).rstrip(".") for line in lines] for lines in (wanted, said))
    if wanted == said:
        return _marks(1.0, 1.0, True)
    right = _leading(said, wanted)
    paid = right + 1 if peer and right < min(len(said), len(wanted)) else right
    return _marks(0.0, paid / len(wanted), True)


def _leading(said: Sequence[str], wanted: Sequence[str]) -> int:
    """How many lines agree before the first that does not."""
    return next((i for i, (a, b) in enumerate(zip(said, wanted, strict=False)) if a != b), min(len(said), len(wanted)))


_BELIEF = re.compile(r"\b(a|an|the|on|in|at|the|step|thinks|think|believes|believe|is|are|of|location|know|knows|belief)\b")


def _beliefs(text: str, peer: bool) -> list[str]:
    lines = "\n".join(line for line in text.splitlines() if line.strip().startswith("-")).strip().split("\n")
    if peer:
        # Of lines that are indented only the first counts, for the whole was stripped.
        kept = [line for line in lines if line.startswith("-")]
    else:
        kept = [line for raw in lines if re.match(r"-\s*\W*step\s*\d", line := raw.strip(), re.I)]
    clean = (re.sub(_BELIEF, " ", line[1:].lower().translate(_PUNCTUATION).replace("’", "")) for line in kept)
    return [words for line in clean if (words := " ".join(line.split()))]


def mark_beliefs(reply: str, reference: str, *, peer: bool = False) -> Marks:
    """Steps of a tracked belief before the first wrong one; blanks, case and small words do not count.

    The peer takes every line that begins with a dash for a step and always calls the form found; otherwise a step names
    its number.
    """
    said, wanted = _beliefs(reply, peer), _beliefs(reference, peer)
    if said == wanted:
        return _marks(1.0, 1.0, True)
    return _marks(0.0, _leading(said, wanted) / len(wanted), peer or bool(said))


def solves(numbers: Sequence[int], target: int, solution: str) -> bool:
    """Whether three equations make the target from four numbers, each used once. Read by a parser: nothing is evaluated."""
    left, lines = list(numbers), solution.split("\n")
    if len(lines) != 3:
        return False
    for line in lines:
        parts = line.split("=")
        if len(parts) != 2:
            return False
        sign = next((s for s in "+-*/" if s in parts[0]), "")
        try:
            a, b = map(int, parts[0].split(sign)) if sign else (0, 0)
            result = int(parts[1])
        except ValueError:
            return False
        right = sign and ({"+": a + b, "-": a - b, "*": a * b}[sign] == result if sign != "/" else b != 0 and a == b * result)
        if not right:
            return False
        for number in (a, b):
            if number not in left:
                return False
            left.remove(number)
        left.append(result)
    return left[0] == target


def mark_countdown(reply: str, reference: str, *, peer: bool = False) -> Marks:
    """Whether the solution is right, else the steps of the search before the first wrong one.

    The peer's count of steps never reaches the last one, and is below 0 for a trace of one line.
    """
    first = re.search(r"Initial number set: \[([\d, ]+)\], target: (\d+)", reference)
    if not first:
        raise UserError("longproc/countdown needs the reference trace, which begins 'Initial number set: [...], target: ...'")
    solution = tagged(reply, "Solution")
    if solution is not None and solves([int(n) for n in first[1].split(",")], int(first[2]), solution):
        return _marks(1.0, 1.0, True)
    if TRACE not in reply:
        return _marks(0.0, 0.0, solution is not None)
    said = reply.split(TRACE)[-1].strip().split("\n")
    wanted = reference.split(TRACE)[-1].split("Now we have found the target")[0].strip().split("\n")
    if not peer:
        said, wanted = [line.rstrip() for line in said], [line.rstrip() for line in wanted]
    if said[0] != wanted[0]:
        return _marks(0.0, 0.0, solution is not None)
    pairs = list(zip(said[1:], wanted[1:], strict=False))
    right = next((i for i, (a, b) in enumerate(pairs) if not _same_step(a, b)), len(pairs))
    # The peer gives the index of the last line that it looked at, and that is one less than were right.
    paid = min(right, len(pairs) - 1) if peer else right
    return _marks(0.0, paid / (len(wanted) - 1), solution is not None)


def _same_step(said: str, wanted: str) -> bool:
    if said == wanted:
        return True
    dropped = "drop this branch"
    return (
        "Pick two numbers" not in wanted
        and said.split("=")[0] == wanted.split("=")[0]
        and (dropped in said) == (dropped in wanted)
    )


def stays(plan: str) -> list[tuple[str, int]]:
    """Cities of a plan with the days of each, as Natural Plan's parser reads them (arXiv:2406.04520)."""
    spans: list[str] = []
    flights: list[tuple[str, str, str]] = []
    total = 0
    for line in plan.split("\n"):
        total = int(m[1]) if (m := re.search(r"European cities for (\d+) days", line)) else total
        if m := re.search(r"\d+-\d+", line):
            spans.append(m[0])
            if int(m[0].split("-")[1]) == total:
                break
        if m := re.search(r".*Day (\d+).*from (\w+) to (\w+)", line):
            flights.append((m[1], m[2], m[3]))
    if not spans or not flights:
        return []
    cities = [flights[0][1], *(f[2] for f in flights)]
    days = [1, *(int(f[0]) for f in flights), int(spans[-1].split("-")[1])]
    return [(city, days[i + 1] - days[i] + 1) for i, city in enumerate(cities)]


def mark_trip(reply: str, reference: str, *, peer: bool = False) -> Marks:
    """Whether the plan is the reference's, else the lines of the search before the first that does not hold the reference's.

    The peer's count never reaches the last line, and lets cities follow that are too many.
    """
    want, plan = stays(tagged(reference, "Plan") or ""), tagged(reply, "Plan")
    if not want:
        raise UserError("longproc/travel-planning needs the reference trace with its <Plan>")
    got = stays(plan) if plan is not None else []
    if (got[: len(want)] if peer else got) == want:
        return _marks(1.0, 1.0, True)
    said, wanted = ([_bare(line) for line in _procedure(text).split("\n") if line.strip()] for text in (reply, reference))
    pairs = list(zip(said, wanted, strict=False))
    right = next((i for i, (a, b) in enumerate(pairs) if b not in a), len(pairs))
    paid = max(0, min(right, len(pairs) - 1)) if peer else right
    return _marks(0.0, paid / len(wanted), plan is not None)


def _procedure(text: str) -> str:
    text, tag = text.replace("Output the plan in the required format:", ""), "<Solving Procedure>"
    return tag + text.split(tag)[1] if tag in text else text


def _metric(mark: Callable[..., Marks], figure: str, told: str, extra: str = "") -> Callable[..., float]:
    def metric(prediction: str, answers: Sequence[str], **row: Any) -> float:
        return mark(prediction, answers[0], peer=True, **({extra: row.get(extra) or ()} if extra else {}))[figure]

    metric.__doc__ = told
    return metric


METRICS: dict[str, Callable[..., float]] = {
    "longproc/html-to-tsv": _metric(mark_table, "f1", "LongProc: F1 of the rows of a table."),
    "longproc/pseudo-to-code": _metric(mark_code, "accuracy", "LongProc: a C++ program passes its 'testcases'.", "testcases"),
}
for _name, _mark in {
    "path-traversal": mark_route,
    "tom-tracking": mark_beliefs,
    "countdown": mark_countdown,
    "travel-planning": mark_trip,
}.items():
    METRICS[f"longproc/{_name}"] = _metric(_mark, "accuracy", f"LongProc {_name}: the whole is right.")
    METRICS[f"longproc/{_name}-partial"] = _metric(
        _mark, "partial_accuracy", f"LongProc {_name}: share of the trace before its first mistake."
    )
"""By the name that `leadline score --metric` takes; the answer of a row is the reference trace."""
