"""LongProc: six procedures whose reply is a long trace that rules can check (arXiv:2501.05414).

A suite: its name stands for the six tasks wherever a task is named. Ye, Yin, He, Zhang, Yen, Gao, Durrett, Chen: "LongProc:
Benchmarking Long-Context Language Models on Long Procedural Generation", COLM 2025; princeton-pli/LongProc, Apache-2.0.
"""

id = "longproc"
members = ("html-to-tsv", "pseudo-to-code", "path-traversal", "tom-tracking", "countdown", "travel-planning")
