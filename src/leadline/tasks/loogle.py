"""LooGLE: short and long dependency questions, cloze and summaries on documents of 24k tokens and more (arXiv:2311.04939).

A suite: its name stands for the four parts, each of them a `loogle-set`. Li, Wang, Zheng, Zhang: "LooGLE: Can Long-Context
Language Models Understand Long Contexts?", 2023.
"""

id = "loogle"
members = (
    "loogle-set(part=shortdep_qa)",
    "loogle-set(part=shortdep_cloze)",
    "loogle-set(part=longdep_qa)",
    "loogle-set(part=longdep_summarization)",
)
