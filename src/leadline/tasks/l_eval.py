"""L-Eval: 20 sub-tasks on 508 long documents, closed- and open-ended (arXiv:2307.11088).

A suite: its name stands for the sub-tasks, each of them an `l-eval-set`. An, Gong, Zhong, Li, Zhang, Kong, Qiu:
"L-Eval: Instituting Standardized Evaluation for Long Context Language Models", 2023.
"""

from __future__ import annotations

from typing import Any

id = "l-eval"
members = (
    "l-eval-set(subset=coursera)",
    "l-eval-set(subset=quality)",
    "l-eval-set(subset=tpo)",
    "l-eval-set(subset=gsm100)",
    "l-eval-set(subset=codeU)",
    "l-eval-set(subset=topic_retrieval_longchat)",
    "l-eval-set(subset=sci_fi)",
    "l-eval-set(subset=financial_qa)",
    "l-eval-set(subset=legal_contract_qa)",
    "l-eval-set(subset=multidoc_qa)",
    "l-eval-set(subset=narrative_qa)",
    "l-eval-set(subset=natural_question)",
    "l-eval-set(subset=scientific_qa)",
    "l-eval-set(subset=gov_report_summ)",
    "l-eval-set(subset=meeting_summ)",
    "l-eval-set(subset=news_summ)",
    "l-eval-set(subset=paper_assistant)",
    "l-eval-set(subset=patent_summ)",
    "l-eval-set(subset=review_summ)",
    "l-eval-set(subset=tv_show_summ)",
)


RELEASED = {
    "codeU": "output", "coursera": "choices", "gsm100": "number", "quality": "choice",
    "topic_retrieval_longchat": "contains", "tpo": "choice",
}  # fmt: skip
"""Metrics of the closed-ended sub-tasks with released predictions."""


def check(lab: Any) -> Any:
    """Published rows load and score; every figure of the released predictions is the peer's."""
    row = {
        "instructions": ["Who keeps the boat?", "Where does it lie?"],
        "input": "Ann keeps the boat. It lies in Oslo bay. " * 50,
    }
    kept = {"outputs": ["Ann", "Oslo bay"], "source": "boats", "evaluation": "f1"}
    folder = lab.written({"multidoc_qa.jsonl": [row | kept]})
    said = lab.replies(f"l-eval-set(subset=multidoc_qa, data='{folder}')", n=2)
    if not lab.peers:
        return lab.conclude(said, lab.NO_PEERS, control=(said.wrong > 0.5, f"answers exchanged {said.wrong:.2f}"))
    ours, theirs, plain = [], [], []
    for row in lab.released("leval/exam_eval.turbo-16k-0613.jsonl.gz"):
        ours.append(lab.metric(f"leval/{RELEASED[row['task']]}")(row["pred"], [row["gt"]]))
        plain.append(float(row["pred"].strip() == row["gt"].strip()))
        theirs.append(row["peer_score"])
    exam = lab.agree(ours, theirs, "released exam replies")
    for row in lab.released("leval/ngram_eval.turbo-16k-0613.jsonl.gz"):
        for name, score in row["peer_score"].items():
            ours.append(lab.metric(f"leval/{name}")(row["pred"], [row["gt"]]))
            plain.append(float(row["pred"].strip() == row["gt"].strip()))
            theirs.append(score / 100)
    every = lab.agree(ours, theirs, "released replies and figures in all")
    return lab.conclude(said, exam, every, control=lab.agree(plain, theirs, "of these, by plain equality,"))
