"""100-LongBench: eight length-controllable tasks in four kinds (arXiv:2505.19293).

A suite: its name stands for the eight tasks wherever a task is named. Yang, Jin, Zhong, Jiang, Wang,
Chaudhary, Han: "100-LongBench: Are de facto Long-Context Benchmarks Literally Evaluating Long-Context
Ability?", Findings of ACL 2025.
"""

id = "100-longbench"
members = (
    "kv-retrieval",
    "counting-stars",
    "passage-retrieval",
    "passage-count",
    "single-doc-qa",
    "multi-doc-qa",
    "single-doc-sum",
    "multi-doc-sum",
)
