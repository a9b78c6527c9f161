"""L-CiteEval: eleven tasks on 8k to 48k whose answers cite passages; citations scored apart from correctness.

Tang, Zhou, Li, Ji, Hou and Zhang 2024, arXiv:2410.02115; ZetangForward/L-CITEEVAL. Give `subset=length` or `subset=hardness`
for the two smaller sets, which five of the tasks have.
"""

id = "l-citeeval"
members = (
    "l-citeeval-task(dataset=narrativeqa)",
    "l-citeeval-task(dataset=natural_questions)",
    "l-citeeval-task(dataset=hotpotqa)",
    "l-citeeval-task(dataset=2wikimultihopqa)",
    "l-citeeval-task(dataset=gov_report)",
    "l-citeeval-task(dataset=multi_news)",
    "l-citeeval-task(dataset=qmsum)",
    "l-citeeval-task(dataset=locomo)",
    "l-citeeval-task(dataset=dialsim)",
    "l-citeeval-task(dataset=niah)",
    "l-citeeval-task(dataset=counting_stars)",
)
