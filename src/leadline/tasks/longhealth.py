"""LongHealth: questions of five options on the letters of a patient; found, found among others' letters, and not to be found.

Adams, Busch, Han, Excoffier, Ortala, Löser, Aerts, Kather, Truhn and Bressem 2024, arXiv:2401.14490; kbressem/LongHealth. The
three settings side by side, on generated letters, or on the published ones with data=benchmark_v5.json.
"""

id = "longhealth"
members = ("longhealth-cases(setting=1)", "longhealth-cases(setting=2)", "longhealth-cases(setting=3)")
