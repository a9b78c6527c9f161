"""NeedleBench: one needle, several, a chain of needles, and the Ancestral Trace Challenge (arXiv:2407.11963).

A suite: its name stands for the four tasks; `needlebench(language=zh)` asks them in Chinese. Its second version's overall
score is the plain mean of the first three, with the Ancestral Trace Challenge apart. Li, Zhang, Zhang, Duan, Liu, Chen:
"NeedleBench: Can LLMs Do Retrieval and Reasoning in Information-Dense Context?", 2024.
"""

from __future__ import annotations

from typing import Any

members = (
    "needlebench-grid(kind=single)",
    "needlebench-grid(kind=multiple)",
    "needlebench-grid(kind=reasoning)",
    "ancestral-trace",
)


def check(lab: Any) -> Any:
    """Exact lengths to a million tokens in both languages and at every depth, chains with exact answers, a window found."""
    built = lab.build("needlebench", "needlebench(language=zh)", lengths=("4k", "128k", "1m"), n=1)
    grid = (0.0, 0.25, 0.5, 0.75, 1.0)
    single = {d: lab.build("needlebench-grid(kind=single)", lengths=("4k", "64k"), depth=d).prompts for d in grid}
    missed = max(abs(p.depths[0] - d) for d, prompts in single.items() for p in prompts)
    return lab.conclude(
        built,
        (missed < 0.02, f"depths 0 to 1 kept to {missed:.3f}"),
        lab.replies("needlebench"),
        *(lab.sound(spec) for spec in lab.specs("needlebench")),
        control=lab.sound("needlebench-grid(kind=single)", blind=True),
    )
