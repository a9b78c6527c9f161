"""Ada-LEval: order and choice at any length, TSort and BestAnswer (arXiv:2404.06480).

A suite: its name stands for the two tasks wherever a task is named.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

id = "ada-leval"
members = ("ada-tsort", "ada-best-answer")


HAND = (
    ("best-answer", "A71", "A7", 25, 1),
    ("best-answer", "A291", "A29", 120, 1),
    ("best-answer", "I think answer 5 is best because A1 is wrong", "A5", 6, 0),
    ("tsort", "Answer: [1, 3, 4, 2", "[1, 3, 4, 2]", 0, 1),
    ("tsort", "Answer: [1, 3, 4, 2] because segment 1 comes first", "[1, 3, 4, 2]", 0, 0),
    ("tsort", "[]", "[1, 3, 4, 2]", 0, 1),
)
"""Metric, reply, answer, number of answers, and what the peer's function gives."""


def check(lab: Any) -> Any:
    """Both build to a token count and load as published; replies are read as the peer reads them; what guesses are worth."""
    cases = list(HAND)
    if lab.peers:
        kinds = {"ada_tsort": "tsort", "ada_bestanswer": "best-answer"}
        rows = [
            (kinds[kind], row)
            for kind, some in lab.json("metric-vectors/ada_mir.json").items()
            if kind in kinds
            for row in some
        ]
        # Where the peer's code stops with an error, the answer is wrong.
        cases += [(kind, row["prediction"], row["answer"], row.get("num_choice", 0),
                   0.0 if isinstance(row["peer_score"], str) else row["peer_score"]) for kind, row in rows]  # fmt: skip
    metric = {kind: lab.metric(f"ada-leval/{kind}") for kind in ("tsort", "best-answer")}
    theirs = [told for *_, told in cases]
    ours = [metric[kind](said, [gold], num_choice=n) for kind, said, gold, n, _ in cases]
    orders = [f"Answer: {list(order)}" for order in permutations((1, 2, 3, 4))]
    guesses = [
        sum(metric["tsort"](said, ["[3, 1, 4, 2]"]) for said in orders) / 24,
        sum(metric["best-answer"](f"Answer: A{k}", ["A7"], num_choice=25) for k in range(1, 26)) / 25,
    ]
    case = {
        "question": "How do I mend it?",
        "answer": "A2",
        "all_answers": ["Wait.", "With tar.", "Not at all."],
        "tags": ["boats"],
    }
    sort = {"para_offset": [0, 4], "prompt": "Sort these.\n\n[1]: b\n[2]: a\n[3]: d\n[4]: c\n\nGive a list."}
    folder = lab.written({
        "stackselect_1k.json": [{"question_id": i, **case, "answer": f"A{i}"} for i in (1, 2, 3)],
        "textsort_1k.json": [{"book_id": i, **sort, "answer": [2, 1, 4, 3][i:] + [2, 1, 4, 3][:i]} for i in (0, 1, 2)],
    })  # fmt: skip
    published = [f"ada-best-answer(data='{folder}/stackselect_1k.json')", f"ada-tsort(data='{folder}/textsort_1k.json')"]
    loads = [lab.says(spec, how, n=3) for spec in published for how in ("gold", "empty")]
    return lab.conclude(
        lab.build("ada-leval", lengths=("2k", "16k", "128k")),
        lab.replies("ada-leval"),
        (loads == [1, 0, 1, 0], "files of both published formats load and score"),
        lab.agree(ours, theirs, "scores and the peer's"),
        lab.agree(guesses, [1 / 24, 1 / 25], "means of all guesses and 1/24 and 1/25"),
        *map(lab.sound, ("ada-tsort", "ada-best-answer")),
        control=[
            lab.agree(
                [float(gold in said) for _, said, gold, *_ in cases], theirs, "of these, by the answer standing in the reply,"
            ),
            *(lab.sound(spec, blind=True) for spec in ("ada-tsort", "ada-best-answer")),
        ],
    )
