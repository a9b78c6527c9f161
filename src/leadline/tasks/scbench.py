"""SCBench: twelve tasks of several questions over one context, for methods that change the cache (arXiv:2412.10319).

A suite: its name stands for the twelve, each a `scbench-set`. `scbench(mode=multi-request)` asks each question alone over a
context that was read before. Li, Jiang, Wu, Luo, Ahn, Zhang, Abdi, Li, Gao, Yang, Qiu: "SCBench: A KV Cache-Centric Analysis of
Long-Context Methods", ICLR 2025.
"""

id = "scbench"
members = (
    "scbench-set(kind=kv)",
    "scbench-set(kind=prefix-suffix)",
    "scbench-set(kind=vt)",
    "scbench-set(kind=repoqa)",
    "scbench-set(kind=qa-eng)",
    "scbench-set(kind=qa-chn)",
    "scbench-set(kind=choice-eng)",
    "scbench-set(kind=many-shot)",
    "scbench-set(kind=mf)",
    "scbench-set(kind=summary)",
    "scbench-set(kind=summary-with-needles)",
    "scbench-set(kind=repoqa-and-kv)",
)
