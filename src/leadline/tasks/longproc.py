"""LongProc: six procedures whose reply is a long trace that rules can check (arXiv:2501.05414).

A suite: its name stands for the six tasks wherever a task is named. Ye, Yin, He, Zhang, Yen, Gao, Durrett, Chen: "LongProc:
Benchmarking Long-Context Language Models on Long Procedural Generation", COLM 2025; princeton-pli/LongProc, Apache-2.0.
"""

from __future__ import annotations

from typing import Any

from leadline.scoring import sandbox

id = "longproc"
members = ("html-to-tsv", "pseudo-to-code", "path-traversal", "tom-tracking", "countdown", "travel-planning")


PEERS = {
    "path_traversal_0.5k": ("path-traversal", "path_traversal_0.5k.000-059.jsonl.gz", "answer_nl"),
    "tom_tracking_0.5k": ("tom-tracking", "tom_tracking_0.5k.000-069.jsonl.gz", "solution"),
    "countdown_0.5k": ("countdown", "", "reference_output"),
    "html_to_tsv_0.5k": ("html-to-tsv", "", "reference"),
}
"""Of the peer's damaged references: metric, the file with what was asked where it is another, and column of the reference."""


def check(lab: Any) -> Any:
    """Six procedures made and scored, programs in a sandbox; the peer's marks of damaged references, row by row."""
    ours, theirs, plain = [], [], []
    for row in lab.released("longproc/predictions.damaged.jsonl.gz") if lab.peers else []:
        name, file, column = PEERS.get(row["dataset"], ("", "", ""))
        if not name:
            continue
        asked = lab.released(f"longproc/{file}")[row["i"]] if file else row
        marks = row["peer_metrics"]
        ours.append(lab.metric(f"longproc/{name}")(row["prediction"], [asked[column]]))
        theirs.append(float(marks["f1"] if "f1" in marks else marks["accuracy"]))
        plain.append(float(row["prediction"].strip() == asked[column].strip()))
    return lab.conclude(
        lab.build("longproc", lengths=("8k", "32k")),
        *(lab.replies(one, n=4) for one in lab.specs("longproc") if sandbox.kind() or not lab.task(one).runs_code),
        (bool(sandbox.kind()) or None, f"programs run in {sandbox.kind() or 'no sandbox here, so not shown'}"),
        lab.agree(ours, theirs, "damaged references") if ours else lab.NO_PEERS,
        lab.sound("path-traversal"),
        control=[lab.agree(plain, theirs, "of these, by plain equality,"), lab.sound("path-traversal", blind=True)],
    )
