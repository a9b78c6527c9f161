"""Answers to RegexPSPACE's two problems (arXiv:2510.09227): taken out of a reply and judged by automata.

`peer=True` is the authors' code (yonsei-toc/RegexPSPACE, evaluate.py, which has no licence; described anew, not copied),
quirks kept: without a box the words behind "answer:" or behind the first "is" or ":" of a line that speaks of an answer,
else the last line; an expression of over twice the query's signs is no expression; "true" is looked for before "false".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leadline.nouns import UserError
from leadline.scoring import extract
from leadline.scoring.automata import Node, equivalent, parse, size

CLOSES = {"}": "{", ")": "(", "]": "[", ">": "<"}
PHRASES = ("minimized regex", "final simplifed regex", "final regexminimal regex", "minimal form", "answer")
"""As the peer's list is read: two of them run together, for a comma is missing there."""
ENDS = ("<｜end▁of▁sentence｜>", "<|end_of_sentence|>", "<eos>")


def _inside(tail: str) -> tuple[str, bool]:
    """What stands before the brace that closes, or all there is; and whether brackets did not cross."""
    stack = ["{"]
    for i, sign in enumerate(tail):
        if sign in CLOSES.values():
            stack.append(sign)
        elif sign in CLOSES:
            if stack[-1] != CLOSES[sign]:
                return tail, False
            stack.pop()
            if not stack:
                return tail[:i], True
    return tail, True


def peer_box(text: str) -> str:
    """What the peer takes for the answer in a reply."""
    if "boxed" in text:
        found, clean = _inside(text.rpartition("boxed{")[2])
        return _inside(text.rpartition("text{")[2])[0] if clean and "text" in found else found
    lines = [line.split() for line in text.lower().split("\n")[::-1]]

    def rest(words: Sequence[str]) -> str:
        said = " ".join(words)
        for end in ENDS:
            said = said.split(end)[0]
        return re.sub(r"[\\.,]", "", said)

    for keyword in ("answer:", "answer**"):
        for words in lines:
            at = next((i for i, word in enumerate(words) if keyword in word and i + 1 < len(words)), None)
            if at is not None:
                return rest(words[at + 1 :])
    for phrase in PHRASES:
        for line, words in zip(text.lower().split("\n")[::-1], lines, strict=True):
            at = next((i for i, word in enumerate(words) if "is" in word or ":" in word), None)
            if phrase in line and at is not None:
                return rest(words[at + 1 :])
    return text.split("\n")[-1]


def box(text: str) -> str | None:
    r"""The content of the last `\boxed{...}`, a `\text{}` in it unwrapped; None without a box."""
    at = text.rfind("boxed{")
    if at < 0:
        return None
    found = _inside(text[at + len("boxed{") :])[0].strip()
    wrapped = re.fullmatch(r"\\(?:text|mathrm|texttt|mathtt)\s*\{(.*)\}", found, re.S)
    return (wrapped[1] if wrapped else found).strip()


def verdict(text: str, *, peer: bool = False) -> str | None:
    """`True` or `False` as a reply says of an equivalence; None where it says neither."""
    if peer:
        said = peer_box(text).lower()
        return "True" if "true" in said else "False" if "false" in said else None
    find = extract.label(("True", "False"), -1)
    boxed = box(text)
    if boxed is not None:
        return find(boxed)
    rest = extract.after_answer(text)
    return find(rest or "") or find(text)


def expression(text: str, query: str, *, peer: bool = False) -> Node | None:
    """The expression that a reply gives; None where it gives none."""
    if peer:
        signs = re.sub(r"[ ^{}]", "", peer_box(text)).replace("|", "+")
        return _read(signs) if len(signs) <= 2 * len(query) else None
    boxed = box(text)
    spans = re.findall(r"`([^`\n]+)`", text)
    some = [boxed] if boxed is not None else [*spans[::-1], extract.after_answer(text) or "", extract.first_line(text) or ""]
    for said in some:
        signs = re.sub(r"\\(?:cdot|,|;|!| )|[\s^{}$`\\·]", "", said.replace("|", "+").replace("∪", "+"))
        node = _read(signs.rstrip(".")) if len(signs) <= 200 + 2 * len(query) else None
        if node is not None:
            return node
    return None


def _read(text: str) -> Node | None:
    try:
        return parse(text)
    except ValueError:
        return None


def minimised(found: Node | None, query: Node, fewest: int) -> dict[str, float]:
    """The paper's figures of one answer to RegexMin.

    Args:
        found: the answer; None where there is none.
        query: the expression that was asked.
        fewest: nodes of the smallest one.

    Returns:
        `valid`, `equivalent`, `minimal` (0 or 1), and `ratio`: nodes by nodes of the query, at most 1, and 1 for what is
        not equivalent; its published mean is geometric, so that `log ratio` stands beside it.
    """
    same = found is not None and equivalent(found, query)
    ratio = min(1.0, size(found) / size(query)) if same and found is not None else 1.0
    return {
        "valid": float(found is not None),
        "equivalent": float(same),
        "minimal": float(same and found is not None and size(found) == fewest),
        "ratio": ratio,
        "log ratio": math.log(ratio),
    }


def figures(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The published figures of RegexMin over all rows of `minimised` [percent]; the length ratio is a geometric mean."""
    mean = {name: math.fsum(row[name] for row in rows) / len(rows) for name in ("minimal", "equivalent", "log ratio")}
    return {
        "minimality": 100 * mean["minimal"],
        "equivalence": 100 * mean["equivalent"],
        "length ratio": 100 * math.exp(mean["log ratio"]),
    }


def decided(said: Sequence[str | None], truths: Sequence[bool]) -> dict[str, float]:
    """The published figures of RegexEQ [percent]: failures count against accuracy, and F1 is over the others alone."""
    pairs = list(zip(said, truths, strict=True))
    tp, fp = sum(s == "True" and t for s, t in pairs), sum(s == "True" and not t for s, t in pairs)
    tn, fn = sum(s == "False" and not t for s, t in pairs), sum(s == "False" and t for s, t in pairs)
    n = len(pairs)
    return {
        "accuracy": 100 * (tp + tn) / n,
        "f1": 100 * 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0,
        "failure rate": 100 * (n - tp - fp - tn - fn) / n,
    }


def _eq(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the reply says True or False as the first answer does, read as RegexPSPACE reads it."""
    return float(verdict(prediction, peer=True) == answers[0].strip().capitalize())


def _min(what: str, text: str) -> Callable[..., float]:
    def metric(prediction: str, answers: Sequence[str], *, query: str = "", **_: Any) -> float:
        if not query:
            raise UserError(
                "RegexMin needs the expression that was asked: give 'query' in each row, the smallest one in 'answers'"
            )
        asked, fewest = _read(query), _read(answers[0])
        if asked is None or fewest is None:
            raise UserError(f"{query if asked is None else answers[0]!r} is no expression over a, b, c, d with + * ? ( )")
        return minimised(expression(prediction, query, peer=True), asked, size(fewest))[what]

    metric.__doc__ = text
    return metric


METRICS = {
    "regexpspace/eq": _eq,
    "regexpspace/minimality": _min(
        "minimal", "1 where the reply is equivalent to the row's 'query' and as small as the answer."
    ),
    "regexpspace/equivalence": _min("equivalent", "1 where the reply is equivalent to the row's 'query'."),
    "regexpspace/length-ratio": _min("ratio", "Nodes by nodes of the row's 'query', at most 1; 1 where not equivalent."),
}
"""By the name that `leadline score --metric` takes; the length ratio's published mean is geometric (`figures`)."""
