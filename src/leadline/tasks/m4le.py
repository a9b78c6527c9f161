"""M4LE: short data sets made long, over five abilities (arXiv:2310.19240).

A suite: its name stands for the five ways to look for something in a long context, each on questions and on classes.
"""

id = "m4le"
members = (
    "m4le-span(kind=explicit-single)",
    "m4le-span(kind=explicit-single, task=classes)",
    "m4le-span(kind=semantic-single)",
    "m4le-span(kind=semantic-single, task=classes)",
    "m4le-span(kind=explicit-multiple)",
    "m4le-span(kind=explicit-multiple, task=classes)",
    "m4le-span(kind=semantic-multiple)",
    "m4le-span(kind=semantic-multiple, task=classes)",
    "m4le-span(kind=global)",
    "m4le-span(kind=global, task=classes)",
)
