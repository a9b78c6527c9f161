"""L-Eval: 20 sub-tasks on 508 long documents, closed- and open-ended (arXiv:2307.11088).

A suite: its name stands for the sub-tasks, each of them an `l-eval-set`. An, Gong, Zhong, Li, Zhang, Kong, Qiu:
"L-Eval: Instituting Standardized Evaluation for Long Context Language Models", 2023.
"""

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
