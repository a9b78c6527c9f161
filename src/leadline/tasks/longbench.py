"""LongBench: 21 data sets in six categories, English, Chinese and code (arXiv:2308.14508).

A suite: its name stands for the data sets, each of them a `longbench-set`. Bai, Lv, Zhang, Lyu, Tang, Huang, Du, Liu, Zeng,
Hou, Dong, Tang, Li: "LongBench: A Bilingual, Multitask Benchmark for Long Context Understanding", ACL 2024. Its successor of
multiple-choice questions is `longbench-v2`.
"""

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
