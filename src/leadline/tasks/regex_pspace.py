"""RegexPSPACE: equivalence and minimisation of regular expressions, two PSPACE-complete problems (arXiv:2510.09227).

A suite: RegexEQ and RegexMin, each problem among other expressions of its kind. Jin, Hahn, Han 2025: "RegexPSPACE: A
Benchmark for Evaluating LLM Reasoning on PSPACE-complete Regex Problems"; code yonsei-toc/RegexPSPACE, no licence.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from leadline.data.expressions import LETTERS
from leadline.scoring.automata import Node, parse

members = ("regex-problem(kind=eq)", "regex-problem(kind=min)")


def check(lab: Any) -> Any:
    """Problems labelled by automata as by trying all words; answers checked by equivalence and size, not by their text."""

    def language(text: str) -> set[str]:
        """All words of up to 8 letters that an expression matches, by Python's own regular expressions."""
        match = re.compile(_python(parse(text))).fullmatch
        return {word for k in range(9) for word in map("".join, product(LETTERS, repeat=k)) if match(word)}

    sizes = {("(b+b)*(d+d)*", "b*d*"): 5 / 9, ("b+d+c*+(c+d)d*", "b+c?d*+c*"): 10 / 13, ("(b+c)c*(cd+d?)", "(b+c)c*d?"): 9 / 13}
    ratio = lab.metric("regexpspace/length-ratio")
    ours = [ratio(f"\\boxed{{{small}}}", [small], query=query) for query, small in sizes]
    text = [float(query == small) for query, small in sizes]
    eq, small = ([item for _, item, _ in lab.asked(f"regex-problem(kind={kind})", n=6)] for kind in ("eq", "min"))
    pairs = [tuple(map(language, re.findall("`(.+?)`", item.evidence[0]))) for item in eq]
    truths = [str(one == two) == item.answers[0] for (one, two), item in zip(pairs, eq, strict=True)]
    labels = [language(item.meta["query"]) == language(item.answers[0]) for item in small]

    def turned(task: Any, item: Any, prompt: Any) -> str:
        """The right answer in parentheses, which its text does not have."""
        return f"\\boxed{{({prompt.answers[0]})}}"

    other, copied = lab.says("regex-problem(kind=min)", turned), lab.scores("regex-problem(kind=min)", "wrong")
    parts = {name: sum(s.parts[name] for s in copied) / len(copied) for name in ("equivalent", "minimal")}
    return lab.conclude(
        lab.build("regex-pspace", lengths=("4k", "64k")),
        *(lab.replies(one) for one in lab.specs("regex-pspace")),
        (
            all(truths + labels),
            f"{sum(truths + labels)} of {len(truths + labels)} labels are those that all words of up to 8 letters give",
        ),
        lab.agree(ours, list(sizes.values()), "ratios of the paper's examples"),
        (other == 1, f"smallest expressions in parentheses {other:.2f}"),
        (parts == {"equivalent": 1, "minimal": 0}, "what was asked, said again: equivalent 1.00, minimal 0.00"),
        *(lab.sound(one) for one in lab.specs("regex-pspace")),
        control=[
            lab.agree(text, list(sizes.values()), "of these, compared as text,"),
            lab.sound("regex-problem(kind=min)", blind=True),
        ],
    )


def _python(node: Node) -> str:
    """An expression as Python writes it."""
    if not node.parts:
        return node.kind
    inner = [_python(part) for part in node.parts]
    return {"+": f"(?:{'|'.join(inner)})", ".": "".join(inner)}.get(node.kind, f"(?:{inner[0]}){node.kind}")
