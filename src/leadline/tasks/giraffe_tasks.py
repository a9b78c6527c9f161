"""Giraffe's tasks: LongChat-Lines, FreeFormQA and AlteredNumericQA (arXiv:2308.10882).

A suite: its name stands for the three. Pal, Karkhanis, Roberts, Dooley, Sundararajan, Naidu: "Giraffe: Adventures in Expanding
Context Lengths in LLMs", 2023; abacusai/Long-Context, Apache-2.0.
"""

from __future__ import annotations

from typing import Any

members = ("longchat-lines", "wiki-qa", "wiki-qa(altered=true)")


def check(lab: Any) -> Any:
    """LongChat-Lines at any length; numbers altered everywhere in the rows of a data set, and nothing else."""
    rows = [
        {"input": f"In which year was mill {i} built?", "context": f"Mill {i} was built in {1900 + i}. " * 9,
         "answers": [str(1900 + i)]}
        for i in range(12)
    ]  # fmt: skip
    path = lab.written({"mills.jsonl": rows}) / "mills.jsonl"

    def left(spec: str) -> tuple[int, int]:
        """Prompts that still hold the number of their row, and those whose answer stands there and is a near year."""
        old = new = 0
        for _, _, prompt in lab.asked(spec, n=12):
            row = next(r for r in rows if r["input"] in prompt.text)
            old += f"Mill {row['input'].split()[5]} was built in {row['answers'][0]}." in prompt.text
            new += prompt.answers[0] in prompt.text and 0 < abs(int(prompt.answers[0]) - int(row["answers"][0])) <= 10
        return old, new

    altered, plain = left(f"wiki-qa(altered=true, data='{path}')"), left(f"wiki-qa(data='{path}')")
    lines = {"The content is <1234>": 1.0, "line 5 holds 1234": 0.0}
    first = lab.metric("giraffe/first-number")
    return lab.conclude(
        lab.build("longchat-lines", lengths=("4k", "128k", "1m"), n=1),
        lab.build("wiki-qa", "wiki-qa(altered=true)"),
        lab.replies("giraffe-tasks"),
        (altered == (0, 12), f"of 12 rows {altered[0]} keep their number, {altered[1]} have one at most ten years off"),
        lab.agree([first(said, ["1234"]) for said in lines], list(lines.values()), "replies by hand"),
        lab.sound("longchat-lines"),
        control=(plain == (0, 12), f"without altering {plain[0]} keep it"),
    )
