"""Ada-LEval: order and choice at any length, TSort and BestAnswer (arXiv:2404.06480).

A suite: its name stands for the two tasks wherever a task is named.
"""

id = "ada-leval"
members = ("ada-tsort", "ada-best-answer")
