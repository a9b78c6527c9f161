"""RegexPSPACE: equivalence and minimisation of regular expressions, two PSPACE-complete problems (arXiv:2510.09227).

A suite: RegexEQ and RegexMin, each problem among other expressions of its kind. Jin, Hahn, Han 2025: "RegexPSPACE: A
Benchmark for Evaluating LLM Reasoning on PSPACE-complete Regex Problems"; code yonsei-toc/RegexPSPACE, no licence.
"""

from __future__ import annotations

from typing import Any

members = ("regex-problem(kind=eq)", "regex-problem(kind=min)")


def check(lab: Any) -> Any:
    """Problems labelled by automata; answers checked by equivalence and size, not by their text."""
    sizes = {("(b+b)*(d+d)*", "b*d*"): 5 / 9, ("b+d+c*+(c+d)d*", "b+c?d*+c*"): 10 / 13, ("(b+c)c*(cd+d?)", "(b+c)c*d?"): 9 / 13}
    ratio = lab.metric("regexpspace/length-ratio")
    ours = [ratio(f"\\boxed{{{small}}}", [small], query=query) for query, small in sizes]
    text = [float(query == small) for query, small in sizes]

    def turned(task: Any, item: Any, prompt: Any) -> str:
        """The right answer in parentheses, which its text does not have."""
        return f"\\boxed{{({prompt.answers[0]})}}"

    other = lab.says("regex-problem(kind=min)", turned)
    return lab.conclude(
        lab.build("regex-pspace", lengths=("4k", "64k")),
        *(lab.replies(one) for one in lab.specs("regex-pspace")),
        lab.agree(ours, list(sizes.values()), "ratios of the paper's examples"),
        (other == 1, f"smallest expressions in parentheses {other:.2f}"),
        *(lab.sound(one) for one in lab.specs("regex-pspace")),
        control=[
            lab.agree(text, list(sizes.values()), "of these, compared as text,"),
            lab.sound("regex-problem(kind=min)", blind=True),
        ],
    )
