"""RegexPSPACE: equivalence and minimisation of regular expressions, two PSPACE-complete problems (arXiv:2510.09227).

A suite: RegexEQ and RegexMin, each problem among other expressions of its kind. Jin, Hahn, Han 2025: "RegexPSPACE: A
Benchmark for Evaluating LLM Reasoning on PSPACE-complete Regex Problems"; code yonsei-toc/RegexPSPACE, no licence.
"""

members = ("regex-problem(kind=eq)", "regex-problem(kind=min)")
