"""Giraffe's tasks: LongChat-Lines, FreeFormQA and AlteredNumericQA (arXiv:2308.10882).

A suite: its name stands for the three. Pal, Karkhanis, Roberts, Dooley, Sundararajan, Naidu: "Giraffe: Adventures in Expanding
Context Lengths in LLMs", 2023; abacusai/Long-Context, Apache-2.0.
"""

from __future__ import annotations

import re
from typing import Any

from leadline.data.altered import number, occurrences

members = ("longchat-lines", "wiki-qa", "wiki-qa(altered=true)")


def check(lab: Any) -> Any:
    """LongChat-Lines at any length; numbers altered everywhere in the rows of two data sets, and in no other way."""
    built, lines = lab.build("longchat-lines", lengths=("4k", "128k", "1m"), n=1), []
    for prompt in built.prompts:
        told = re.findall(r"(?m)^line (\S+): REGISTER_CONTENT is <(\d+)>$", prompt.messages[-1]["content"])
        names = [name for name, value in told if value == prompt.answers[0]]
        good = len({name for name, _ in told}) == len(told) and names == re.findall(r"of line (\S+)\?", prompt.question)
        lines.append(len(told) if good else 0)
    bays = [(f"In which year was mill {i} built?", f"Mill {i} was built in {1900 + i}. " * 9, str(1900 + i)) for i in range(12)]
    crates = [(f"Did ship {i} carry {n:,} crates, or how many?", f"Ship {i} carried {n:,} crates, {n} in all. " * 9, f"{n:,}")
              for i, n in enumerate(range(1250, 9600, 759))]  # fmt: skip
    folder = lab.written({
        "mills.jsonl": [{"input": q, "context": text, "answers": [a]} for q, text, a in bays],
        "ships.jsonl": [{"instructions": [q], "input": text, "outputs": [a]} for q, text, a in crates],
        "lines.json": [{"prompt": f"Read.\nline a: REGISTER_CONTENT is <{n}>\nOf a?", "expected_number": n} for n in (7, 12)],
        "2k.json": [{"conversations": [{"value": f"Ann left in 19{n}.\nWhen?"}, {"value": f"19{n}"}]} for n in (70, 80)],
    })  # fmt: skip

    def altered(spec: str) -> tuple[bool, str]:
        """Whether no prompt holds its row's number any more, and its answer is another such number that stands there."""
        kept = new = 0
        for name, rows in (("mills", bays), ("ships", crates)):
            for _, item, prompt in lab.asked(f"wiki-qa({spec}answer=start, question=end, data='{folder}/{name}.jsonl')", n=12):
                row = rows[int(item.evidence[0].split()[1])]
                old, now = number(row[2]) or 0, number(prompt.answers[0]) or 0
                kept += bool(occurrences(old).search(prompt.text))
                near = abs(old - now) <= 10 if name == "mills" else len(str(old)) == len(str(now))
                new += old != now and near and bool(occurrences(now).search(item.evidence[0]))
        return (kept, new) == (0, 24), f"of 24 prompts {kept} hold their row's number, {new} another one like it"

    six = [item for _, item, _ in lab.asked("wiki-qa", n=6)]
    versions = (
        len({(i.facets["answer"], i.facets["question"]) for i in six}) == 6 and len({(i.evidence, i.answers) for i in six}) == 1
    )
    hand = {("first-number", "The content is <1234>", "1234"): 1, ("first-number", "line 5 holds 1234", "1234"): 0,
            ("presence", "born in 1987", "7"): 1, ("presence", "born in paris", "Paris"): 0}  # fmt: skip
    ours = [lab.metric(f"giraffe/{metric}")(said, [gold]) for metric, said, gold in hand]
    published = [f"longchat-lines(data='{folder}/lines.json')", f"wiki-qa(data='{folder}/2k.json')"]
    return lab.conclude(
        built,
        (min(lines) > 0, f"{lines} lines, each of its own name, the asked number in one alone"),
        lab.build("wiki-qa", "wiki-qa(altered=true)"),
        lab.replies("giraffe-tasks"),
        (all(lab.says(one, n=2) == 1 and lab.says(one, "empty", n=2) == 0 for one in published), "both published formats load"),
        altered("altered=true, "),
        (versions, "six versions of a question on the same document"),
        lab.agree(ours, list(hand.values()), "scores and those by hand"),
        *map(lab.sound, ("longchat-lines", "wiki-qa(altered=true, answer=start)")),
        control=[
            altered(""),
            lab.agree([float(said == gold) for _, said, gold in hand], list(hand.values()), "of these, by plain equality,"),
            lab.sound("longchat-lines", blind=True),
        ],
    )
