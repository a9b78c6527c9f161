"""FILM-VaL: document, code and database probes at every position of the context (arXiv:2404.16811).

A suite of the three probes; a report's depth map shows the score by position, and `scoring.film_metrics` the mean over
positions and the robustness gap. An, Ma, Lin, Zheng, Lou 2024; code microsoft/FILM, MIT.
"""

members = ("film-probe(kind=document)", "film-probe(kind=code)", "film-probe(kind=database)")
