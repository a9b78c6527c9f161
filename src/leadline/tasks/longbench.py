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
ANSWERS = {
    "passage_count": ("7", "12"), "passage_retrieval_en": ("Paragraph 3", "Paragraph 5"), "lcc": ("return x", "yield names"),
    "passage_retrieval_zh": ("段落3", "段落5"), "repobench-p": ("return x", "yield names"), "lsht": ("体育", "财经"),
    "multifieldqa_zh": ("奥斯陆", "卑尔根"), "dureader": ("奥斯陆", "卑尔根"), "vcsum": ("渔船在奥斯陆", "市长走了"),
}  # fmt: skip
"""Two answers that each set's metric can tell apart; Oslo and Bergen for the others."""
HAND = (
    ("qa-f1", "The answer is Paris, France.", "Paris", "", 0.4),
    ("qa-f1-zh", "他去了北京", "北京", "", 0.4),
    ("rouge", "the cat sat on the mat", "the cat lay on the mat", "", 0.8),
    ("rouge", "The cat", "the cat", "", 0.5),
    ("rouge", "", "the cat", "", 0.0),
    ("classification", "Disease and medicine X", "Disease and medicine", "Disease,medicine,Disease and medicine,other", 0.5),
    ("classification", "Disease and medicine X", "Disease and medicine", "Disease,Disease and medicine,medicine", 1.0),
    ("count", "There are 7 of 30, so 7", "7", "", 2 / 3),
    ("retrieval", "12 (not 3)", "Paragraph 12", "", 0.5),
    ("code-sim", "```python\nreturn x + 1", "return x+1", "", 0.91),
    ("code-sim", "# a comment alone", "return x+1", "", 0.0),
)
"""Metric, reply, answer, classes, and what the peer's function gives."""


def check(lab: Any) -> Any:
    """The published format loads in all 21 sets, and all nine metrics are the peer's."""
    names, row = [lab.task(one).dataset for one in lab.specs("longbench")], {"language": "en", "length": 240, "_id": "x"}
    files = {}
    for name in names:
        told = ANSWERS.get(name, ("Oslo", "Bergen"))
        asked = [
            {"context": f"A boat lies in bay {i}. " * 40, "input": f"Where is boat {i}?", "answers": [told[i]]} for i in (0, 1)
        ]
        files[f"{name}.jsonl"] = [row | one | {"dataset": name, "all_classes": list(told)} for one in asked]
    said = lab.replies(f"longbench(data='{lab.written(files)}')", n=2)
    hand = [lab.metric(f"longbench/{name}")(reply, [gold], classes=kinds.split(",")) for name, reply, gold, kinds, _ in HAND]
    loaded = (len(names) == 21 and said.n == 42 and said.holds, f"{len(names)} sets load and score: {said}")
    wanted = [one[-1] for one in HAND]
    by_hand = lab.agree(hand, wanted, "scores by hand and the peer's", within=0.005)
    plain = [lab.metric("longbench/qa-f1")(reply, [gold]) for _, reply, gold, *_ in HAND]
    control = [lab.agree(plain, wanted, "of these, all by token F1,", within=0.005)]
    if not lab.peers:
        return lab.conclude(loaded, by_hand, lab.NO_PEERS, control=control)
    real = f"longbench-set(dataset=passage_retrieval_zh, data='{lab.peers}/longbench/passage_retrieval_zh.0-7.jsonl.gz')"
    cases = [r for r in lab.released("metric-vectors/vectors.jsonl.gz") if r["suite"] == "longbench"]
    # Code is compared by one library or another, whichever is there; ours by the first.
    theirs = [x["difflib"] if isinstance(x := r["peer_score"], dict) else x for r in cases]

    def figures(name: str = "") -> list[float]:
        """Of the cases, by their own metrics or all by one."""
        known = [(lab.metric(f"longbench/{name or NAMES[r['metric']]}"), r) for r in cases]
        return [m(r["prediction"], [r["ground_truth"]], classes=r.get("all_classes") or ()) for m, r in known]

    metrics = {r["metric"] for r in cases}
    return lab.conclude(
        loaded,
        (lab.says(real, n=8) == 1 and lab.says(real, "wrong", n=8) == 0, "8 published rows load and score"),
        by_hand,
        (metrics == set(NAMES), f"{len(metrics)} metrics of released replies"),
        lab.agree(figures(), theirs, "of their scores and the peer's"),
        control=[*control, lab.agree(figures("qa-f1"), theirs, "of these, all by token F1,")],
    )
