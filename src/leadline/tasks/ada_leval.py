"""Ada-LEval: order and choice at any length, TSort and BestAnswer (arXiv:2404.06480).

A suite: its name stands for the two tasks wherever a task is named.
"""

from __future__ import annotations

from typing import Any

id = "ada-leval"
members = ("ada-tsort", "ada-best-answer")


def check(lab: Any) -> Any:
    """Both build to a token count, and replies are read as the peer reads them."""
    cases, metric = [], {"ada_tsort": lab.metric("ada-leval/tsort"), "ada_bestanswer": lab.metric("ada-leval/best-answer")}
    if lab.peers:
        cases = [(kind, row) for kind in metric for row in lab.json("metric-vectors/ada_mir.json")[kind]]
    # Where the peer's code stops with an error, the answer is wrong.
    theirs = [0.0 if isinstance(row["peer_score"], str) else row["peer_score"] for _, row in cases]
    ours = [metric[kind](row["prediction"], [row["answer"]], num_choice=row.get("num_choice", 0)) for kind, row in cases]
    plain = [float(row["answer"] in row["prediction"]) for _, row in cases]
    return lab.conclude(
        lab.build("ada-leval", lengths=("4k", "16k", "128k")),
        lab.replies("ada-leval"),
        lab.agree(ours, theirs, "extraction cases") if cases else lab.NO_PEERS,
        lab.sound("ada-best-answer"),
        control=[
            lab.agree(plain, theirs, "of these, by the answer standing in the reply,"),
            lab.sound("ada-tsort", blind=True),
        ],
    )
