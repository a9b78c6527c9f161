"""LooGLE: short and long dependency questions, cloze and summaries on documents of 24k tokens and more (arXiv:2311.04939).

A suite: its name stands for the four parts, each of them a `loogle-set`. Li, Wang, Zheng, Zhang: "LooGLE: Can Long-Context
Language Models Understand Long Contexts?", 2023.
"""

from __future__ import annotations

from typing import Any

id = "loogle"
members = (
    "loogle-set(part=shortdep_qa)",
    "loogle-set(part=shortdep_cloze)",
    "loogle-set(part=longdep_qa)",
    "loogle-set(part=longdep_summarization)",
)


def check(lab: Any) -> Any:
    """The four parts load in the published format; every figure of the released outputs is the peer's, the rest as by hand."""
    document = "Ann Lee moved to Rome in 1999. She kept a shop by the river. " * 30
    pair = {"Q": "Where did Ann Lee move?", "A": "Rome", "S": "Ann Lee moved to Rome in 1999."}
    cloze = {"Q": "<mask-0> moved to <mask-1>.", "A": {"<mask-0>": "Ann Lee", "<mask-1>": "Rome"}, "S": "x"}
    parts = {
        "shortdep_qa": str([pair]),
        "shortdep_cloze": str([cloze]),
        "longdep_qa": str([pair | {"type": "computation", "S": ["x"]}]),
        "longdep_summarization": "none",
    }
    kept = {"input": document, "output": "She moved to Rome and kept a shop."}
    rows = {f"{name}.jsonl": [kept | {"title": str(i), "qa_pairs": qa} for i in range(2)] for name, qa in parts.items()}
    folder = lab.written(rows)
    specs = [f"loogle-set(part={name}, data='{folder}')" for name in parts]
    gold, near = "the cat sat on the mat", "the cat lay on the mat"
    hand = {("bleu1", "the cat sat"): 0.367879, ("bleu1", near): 0.833333, ("rouge1", near): 0.8, ("rouge2", near): 0.6}

    def metric(name: str) -> Any:
        return lab.metric(f"loogle/{name}")

    ours, theirs, plain = [], [], []
    for row in lab.released("loogle/shortdep_qa.outputs.jsonl.gz") if lab.peers else []:
        for name, score in row["peer_score"].items():
            ours.append(metric(name.removesuffix("_recall"))(row["pred"], [row["gt"]]))
            plain.append(lab.metric("longbench/qa-f1")(row["pred"], [row["gt"]]))
            theirs.append(score)
    return lab.conclude(
        *(
            (lab.says(one, n=1) == 1 and lab.says(one, "empty", n=1) == 0, f"{name} loads")
            for one, name in zip(specs, parts, strict=True)
        ),
        lab.agree([metric(name)(said, [gold]) for name, said in hand], list(hand.values()), "figures by hand", within=1e-5),
        lab.agree(ours, theirs, "figures of released outputs") if ours else lab.NO_PEERS,
        control=lab.agree(plain, theirs, "of these, by token F1,"),
    )
