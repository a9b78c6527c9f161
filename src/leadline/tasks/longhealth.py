"""LongHealth: questions of five options on the letters of a patient; found, found among others' letters, and not to be found.

Adams, Busch, Han, Excoffier, Ortala, Löser, Aerts, Kather, Truhn and Bressem 2024, arXiv:2401.14490; kbressem/LongHealth. The
three settings side by side, on generated letters, or on the published ones with data=benchmark_v5.json.
"""

from __future__ import annotations

import json
from typing import Any

id = "longhealth"
members = ("longhealth-cases(setting=1)", "longhealth-cases(setting=2)", "longhealth-cases(setting=3)")


def check(lab: Any) -> Any:
    """The published form loads and runs in three settings, generated patients at any length; abstention is scored."""
    who = {f"text_{n}": f"Letter {n}. The patient took drug {n} and felt well. " * 30 for n in range(3)}
    options = {f"answer_{c}": f"drug {i}" for i, c in enumerate("abcde")}
    where = {"start": [0.1], "end": [0.4]}
    asked = [
        {
            "No": k,
            "question": f"What stands in letter {k}?",
            **options,
            "correct": f"drug {k}",
            "answer_location": {f"text_{k}": where},
        }
        for k in range(3)
    ]
    known = {"birthday": "1.1.1950", "diagnosis": "x", "texts": who, "questions": asked}
    rows = {f"patient_{i:02}": {"name": f"P{i}", **known} for i in range(4)}
    path = lab.written({"benchmark_v5.json": json.dumps(rows)}) / "benchmark_v5.json"
    published = [f"longhealth-cases(setting={n}, data='{path}')" for n in (1, 2, 3)]

    def abstains(task: Any, item: Any, prompt: Any) -> str:
        """The option that the documents do not answer, in its own words."""
        last = [line for line in item.question.split("\n") if line.startswith("F: ")]
        return f"The correct answer is {last[0]}." if last else "The documents do not say."

    said = [lab.scores(f"longhealth-cases(setting={n})", abstains) for n in (1, 2, 3)]
    worth, abstained = [sum(s.value for s in some) for some in said], sum(s.parts["abstained"] for s in said[1])

    def low(task: Any, item: Any, prompt: Any) -> str:
        """The right answer with a small letter at the head, which the original does not read."""
        return task.gold(prompt.answers, item).replace("The", "the")

    small = lab.scores("longhealth-cases(setting=1)", low)
    # 9,000 tokens each, where the budget is 16,000.
    long = {name: (text * 30)[:36_000] for name, text in who.items()}
    both = [{**asked[0], "answer_location": {"text_0": where, "text_1": where}}]
    other = lab.written({"v5.json": json.dumps({name: known | {"texts": long, "questions": both} for name in ("p1", "p2")})})
    cut = lab.asked(f"longhealth-cases(data='{other}/v5.json')", n=1)[0][1]
    return lab.conclude(
        lab.build("longhealth", lengths=("8k", "64k")),
        *(lab.replies(one) for one in ("longhealth", *published)),
        (worth == [0, 0, 12], f"of 12 abstentions {', '.join(f'{x:.0f}' for x in worth)} are right in settings 1, 2, 3"),
        (abstained == 12, f"in setting 2 {abstained:.0f} of them are reported as such"),
        (
            all(s.value == 1 and s.parts["strict"] == 0 for s in small),
            "'the correct answer' in small letters is right, and in the original's reading wrong",
        ),
        (
            cut.facets["evidence"] == "cut" and len(cut.evidence[1]) < len(cut.evidence[0]) == 36_000,
            "of two answering letters beyond the budget the second is cut, and marked so",
        ),
        lab.sound("longhealth-cases(setting=1)"),
        control=lab.sound("longhealth-cases(setting=2)", blind=True),
    )
