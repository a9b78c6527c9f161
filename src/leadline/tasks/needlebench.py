"""NeedleBench: one needle, several, a chain of needles, and the Ancestral Trace Challenge (arXiv:2407.11963).

A suite: its name stands for the four tasks; `needlebench(language=zh)` asks them in Chinese. Its second version's overall
score is the plain mean of the first three, with the Ancestral Trace Challenge apart. Li, Zhang, Zhang, Duan, Liu, Chen:
"NeedleBench: Can LLMs Do Retrieval and Reasoning in Information-Dense Context?", 2024.
"""

members = (
    "needlebench-grid(kind=single)",
    "needlebench-grid(kind=multiple)",
    "needlebench-grid(kind=reasoning)",
    "ancestral-trace",
)
