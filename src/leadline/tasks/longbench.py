"""LongBench: 21 data sets in six categories, English, Chinese and code (arXiv:2308.14508).

A suite: its name stands for the data sets, each of them a `longbench-set`. Bai, Lv, Zhang, Lyu, Tang, Huang, Du, Liu, Zeng,
Hou, Dong, Tang, Li: "LongBench: A Bilingual, Multitask Benchmark for Long Context Understanding", ACL 2024. Its successor of
multiple-choice questions is `longbench-v2`.
"""

from __future__ import annotations

from typing import Any

id = "longbench"
members = (
    "longbench-set(dataset=narrativeqa)",
    "longbench-set(dataset=qasper)",
    "longbench-set(dataset=multifieldqa_en)",
    "longbench-set(dataset=multifieldqa_zh)",
    "longbench-set(dataset=hotpotqa)",
    "longbench-set(dataset='2wikimqa')",
    "longbench-set(dataset=musique)",
    "longbench-set(dataset=dureader)",
    "longbench-set(dataset=gov_report)",
    "longbench-set(dataset=qmsum)",
    "longbench-set(dataset=multi_news)",
    "longbench-set(dataset=vcsum)",
    "longbench-set(dataset=trec)",
    "longbench-set(dataset=triviaqa)",
    "longbench-set(dataset=samsum)",
    "longbench-set(dataset=lsht)",
    "longbench-set(dataset=passage_count)",
    "longbench-set(dataset=passage_retrieval_en)",
    "longbench-set(dataset=passage_retrieval_zh)",
    "longbench-set(dataset=lcc)",
    "longbench-set(dataset=repobench-p)",
)


NAMES = {
    "qa_f1_score": "qa-f1", "qa_f1_zh_score": "qa-f1-zh", "rouge_score": "rouge", "rouge_zh_score": "rouge-zh",
    "classification_score": "classification", "retrieval_score": "retrieval", "retrieval_zh_score": "retrieval-zh",
    "count_score": "count", "code_sim_score": "code-sim",
}  # fmt: skip
"""Our names of the peer's metrics."""


def check(lab: Any) -> Any:
    """The published format loads in all 21 sets, and every metric is the peer's."""
    row = {"context": "Ann keeps the boat in Oslo. " * 40, "length": 240, "all_classes": None, "_id": "x"}
    rows = [
        row | {"input": f"Where does {who} keep the boat?", "answers": [where]}
        for who, where in (("Ann", "Oslo"), ("Bo", "Bergen"))
    ]
    names = [lab.task(one).dataset for one in lab.specs("longbench")]
    named = {"language": "en", "all_classes": ["Oslo", "Bergen", "Lund"]}
    folder = lab.written({f"{name}.jsonl": [r | named | {"dataset": name} for r in rows] for name in names})
    loaded = lab.build(*(f"longbench-set(dataset='{name}', data='{folder}')" for name in names), n=2)
    cases = [r for r in lab.released("metric-vectors/vectors.jsonl.gz") if r["suite"] == "longbench"] if lab.peers else []
    ours, theirs, plain = [], [], []
    for r in cases:
        # Code is compared by one library or another, whichever is there; ours by the first.
        theirs.append(r["peer_score"]["difflib"] if isinstance(r["peer_score"], dict) else r["peer_score"])
        metric = lab.metric(f"longbench/{NAMES[r['metric']]}")
        ours.append(metric(r["prediction"], [r["ground_truth"]], classes=r.get("all_classes") or ()))
        plain.append(lab.metric("longbench/qa-f1")(r["prediction"], [r["ground_truth"]]))
    return lab.conclude(
        (
            len(names) == 21 and len(loaded.prompts) == 42,
            f"{len(names)} sets load {len(loaded.prompts)} rows of the published format",
        ),
        lab.replies(f"longbench-set(dataset=hotpotqa, data='{folder}')", n=2),
        lab.agree(ours, theirs, "metric cases") if cases else lab.NO_PEERS,
        control=lab.agree(plain, theirs, "of these, all by token F1,"),
    )
