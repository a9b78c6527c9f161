"""FILM-VaL: document, code and database probes at every position of the context (arXiv:2404.16811).

A suite of the three probes; a report's depth map shows the score by position, and `scoring.film_metrics` the mean over
positions and the robustness gap. An, Ma, Lin, Zheng, Lou 2024; code microsoft/FILM, MIT.
"""

from __future__ import annotations

from typing import Any

from leadline.scoring.figures import figures
from leadline.scoring.film_metrics import robustness

members = ("film-probe(kind=document)", "film-probe(kind=code)", "film-probe(kind=database)")


def check(lab: Any) -> Any:
    """Three probes by position; the gap is nothing for a program that reads all, and all for one that reads half."""
    words = {"the cat sat": 0.6, "mat": 0.0, "The cat sat on the mat.": 1.0}
    document, code = lab.metric("film/document"), lab.metric("film/code")
    ours = [document(said, ["The cat sat on the mat."]) for said in words] + [code(" get_link_pairs", ["get_link_pairs"])]

    def last_half(task: Any, item: Any, prompt: Any) -> str:
        """Right where the piece lies in the last half of the context."""
        return task.gold(prompt.answers, item) if prompt.depths[0] > 0.5 else "I do not know."

    gaps, shown = {}, dict[str, list[str]]()
    for name, say in (("all", "gold"), ("half", last_half)):
        for one in lab.specs("film-val"):
            asked, scores = lab.asked(one, n=40), lab.scores(one, say, n=40)
            gaps[name, one] = robustness([s.value for s in scores], [p.depths[0] for _, _, p in asked], 4)
            rows = [lab.record(*case, score) for case, score in zip(asked, scores, strict=True)]
            shown[one] = [row[3] for figure in figures(rows) if figure.title.startswith("Robustness") for row in figure.rows]
    full, half = ([g for (who, _), g in gaps.items() if who == name] for name in ("all", "half"))
    return lab.conclude(
        lab.build("film-val", lengths=("8k", "128k")),
        lab.replies("film-val"),
        lab.agree(ours, [*words.values(), 1.0], "replies by hand"),
        (all(g.gap == 0 and g.mean == 1 for g in full), "a program that reads all: mean 1.00, gap 0.00 in each"),
        (all(g.gap == 1 for g in half), f"one that reads the last half: mean {half[0].mean:.2f}, gap {half[0].gap:.2f}"),
        (
            list(shown.values()) == [["100.0"]] * 3,
            f"of the latter the report gives gaps of {', '.join(x for some in shown.values() for x in some)} points",
        ),
        lab.sound("film-probe(kind=document)"),
        control=lab.sound("film-probe(kind=code)", blind=True),
    )
