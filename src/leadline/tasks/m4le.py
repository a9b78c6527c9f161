"""M4LE: short data sets made long, over five abilities (arXiv:2310.19240).

A suite: its name stands for the five ways to look for something in a long context, each on questions and on classes.
"""

from __future__ import annotations

from typing import Any

id = "m4le"
members = (
    "m4le-span(kind=explicit-single)",
    "m4le-span(kind=explicit-single, task=classes)",
    "m4le-span(kind=semantic-single)",
    "m4le-span(kind=semantic-single, task=classes)",
    "m4le-span(kind=explicit-multiple)",
    "m4le-span(kind=explicit-multiple, task=classes)",
    "m4le-span(kind=semantic-multiple)",
    "m4le-span(kind=semantic-multiple, task=classes)",
    "m4le-span(kind=global)",
    "m4le-span(kind=global, task=classes)",
)


def check(lab: Any) -> Any:
    """Five abilities from generated texts and from one labelled set; the metrics as by hand."""
    rows = [{"text": f"Of {topic}, part {i}: it rained on the {topic} all day. " * 3, "label": topic}
            for i in range(80) for topic in ("boats", "mills", "lamps")]  # fmt: skip
    path = lab.written({"topics.jsonl": rows}) / "topics.jsonl"
    kinds = ("explicit-single", "semantic-single", "explicit-multiple", "semantic-multiple", "global")
    own = [f"m4le-span(kind={kind}, data='{path}')" for kind in kinds]
    f1, found, count = (
        lab.metric(f"m4le/{name}") for name in ("mnds-news_explicit-multiple", "nq-open", "mnds-news_semantic-multiple")
    )
    ours = [f1("A1, C3, D4.", ["A1, B2, C3"]), found("it is paris indeed\nno", ["Paris"]), count("3 articles", ["3"])]
    plain = [float("A1, C3, D4." == "A1, B2, C3"), float("it is paris indeed" == "Paris"), float("3" in "3 articles")]
    return lab.conclude(
        lab.build("m4le", lengths=("4k", "32k"), n=1),
        lab.build(*own, lengths=("8k",), n=1),
        lab.replies("m4le", n=6),
        *(lab.replies(one, n=6) for one in own),
        lab.agree(ours, [2 / 3, 1.0, 0.0], "replies by hand"),
        lab.sound("m4le-span(kind=semantic-single)"),
        control=[
            lab.agree(plain, [2 / 3, 1.0, 0.0], "of these, by another rule,"),
            lab.sound("m4le-span(kind=global)", blind=True),
        ],
    )
