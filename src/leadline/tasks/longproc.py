"""LongProc: six procedures whose reply is a long trace that rules can check (arXiv:2501.05414).

A suite: its name stands for the six tasks wherever a task is named. Ye, Yin, He, Zhang, Yen, Gao, Durrett, Chen: "LongProc:
Benchmarking Long-Context Language Models on Long Procedural Generation", COLM 2025; princeton-pli/LongProc, Apache-2.0.
"""

from __future__ import annotations

from typing import Any

from leadline.scoring import sandbox
from leadline.scoring.longproc_metrics import mark_beliefs, mark_code, mark_countdown, mark_route, mark_table

id = "longproc"
members = ("html-to-tsv", "pseudo-to-code", "path-traversal", "tom-tracking", "countdown", "travel-planning")

FILES = {
    "path-traversal": "path_traversal_0.5k.000-059.jsonl.gz", "tom-tracking": "tom_tracking_0.5k.000-069.jsonl.gz",
    "countdown": "countdown_0.5k.jsonl.gz", "pseudo-to-code": "pseudo_to_code_0.5k.000-041.jsonl.gz",
    "travel-planning": "travel_planning_icl_examples.json",
}  # fmt: skip
"""Published items."""
DAMAGED = {
    "path_traversal_0.5k": (mark_route, "path-traversal", "answer_nl"),
    "tom_tracking_0.5k": (mark_beliefs, "tom-tracking", "solution"),
    "countdown_0.5k": (mark_countdown, "", "reference_output"),
    "html_to_tsv_0.5k": (mark_table, "", "reference"),
    "pseudo_to_code_0.5k": (mark_code, "pseudo-to-code", "testcases"),
}
"""How the peer's damaged references are marked, whose file has what was asked where it is not the row, and its column."""
STEPS = "- Step 0: box 0\n- Step 1: box 1\n- Step 2: box {}\n- Step 3: box 3"
HAND = (
    (mark_route, "<Route>\na\nX\nc\nd\n</Route>", "a\nb\nc\nd", "partial_accuracy", 0.5),
    (mark_route, "<Route>\na\nb\n</Route>", "a\nb\nc\nd", "partial_accuracy", 0.5),
    (mark_route, "<Route></Route>", "a\nb\nc\nd", "partial_accuracy", 0.25),
    (mark_beliefs, STEPS.format(9), STEPS.format(2), "partial_accuracy", 0.5),
    (mark_beliefs, STEPS.format(2).upper(), STEPS.format(2), "accuracy", 1.0),
    (mark_table, "```tsv\nn\tv\nB\t2\nthe K!\t1\n```", "n\tv\nK\t1\nB\t2", "f1", 1.0),
    (mark_table, "```tsv\nn\tv\nB\t2\nC\t1\n```", "n\tv\nK\t1\nB\t2", "f1", 0.5),
)
"""Evaluator, reply, reference, figure, and what the peer's rule gives."""
PRINTS = "```cpp\nint main() {{ ofstream({out}) << 1; string s; ifstream({secret}) >> s; cout << {said} << endl; }}\n```"
"""A program that writes where it should not, and reads a file that it should not see."""


def check(lab: Any) -> Any:
    """Six procedures made, loaded and scored; all the peer's marks of damaged references; programs stay in a sandbox."""
    ours = [mark(said, gold, peer=True)[figure] for mark, said, gold, figure, _ in HAND]
    theirs, plain = [one[-1] for one in HAND], [float(said == gold) for _, said, gold, *_ in HAND]
    asked = {
        name: lab.released(f"longproc/{file}") if file.endswith(".gz") else [] for name, file in FILES.items() if lab.peers
    }
    for row in lab.released("longproc/predictions.damaged.jsonl.gz") if lab.peers else ():
        mark, name, column = DAMAGED[row["dataset"]]
        wanted = (asked[name][row["i"]] if name else row)[column]
        if mark is mark_code and not sandbox.kind():
            continue
        found = mark(row["prediction"], **{"testcases" if mark is mark_code else "reference": wanted}, peer=True)
        ours += [found[figure] for figure in row["peer_metrics"]]
        theirs += row["peer_metrics"].values()
        plain += [float(row["prediction"].strip() == str(wanted).strip())] * len(row["peer_metrics"])
    made = [one for one in lab.specs("longproc") if sandbox.kind() or not lab.task(one).runs_code]
    loaded = [f"{name}(data='{lab.peers}/longproc/{file}')" for name, file in FILES.items() if lab.peers and name in made]
    said = [lab.replies(one, n=4) for one in made]
    read = [one for one in loaded if lab.says(one, n=4) == 1 and lab.says(one, "empty", n=4) == 0]
    folder = lab.written({"secret": "hidden"})
    told = {"out": f'"{folder}/out"', "secret": f'"{folder}/secret"'}
    kept = None
    if sandbox.kind():
        tests = [[[""], ["hidden"]]]
        marks = [mark_code(PRINTS.format(said=one, **told), testcases=tests)["accuracy"] for one in ("s", '"hidden"')]
        kept = marks == [0, 1] and not (folder / "out").exists()
    return lab.conclude(
        lab.build("longproc", lengths=("8k", "32k")),
        (all(one.holds for one in said), f"{len(made)} procedures made: each {max(said, key=lambda one: one.wrong)}"),
        *([(len(read) == len(loaded), f"{len(read)} of {len(loaded)} published files load and score")] if loaded else []),
        (kept, f"programs run in {sandbox.kind() or 'no sandbox here, so not shown'}, and neither read nor write outside"),
        lab.agree(ours, theirs, "marks of damaged references and those of the peer or its rule"),
        lab.sound("path-traversal"),
        control=[lab.agree(plain, theirs, "of these, by plain equality,"), lab.sound("path-traversal", blind=True)],
    )
