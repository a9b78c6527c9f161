"""L-CiteEval: eleven tasks on 8k to 48k whose answers cite passages; citations scored apart from correctness.

Tang, Zhou, Li, Ji, Hou and Zhang 2024, arXiv:2410.02115; ZetangForward/L-CITEEVAL. Give `subset=length` or `subset=hardness`
for the two smaller sets, which five of the tasks have.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from leadline.scoring.citing import entailed

id = "l-citeeval"
members = (
    "l-citeeval-task(dataset=narrativeqa)",
    "l-citeeval-task(dataset=natural_questions)",
    "l-citeeval-task(dataset=hotpotqa)",
    "l-citeeval-task(dataset=2wikimultihopqa)",
    "l-citeeval-task(dataset=gov_report)",
    "l-citeeval-task(dataset=multi_news)",
    "l-citeeval-task(dataset=qmsum)",
    "l-citeeval-task(dataset=locomo)",
    "l-citeeval-task(dataset=dialsim)",
    "l-citeeval-task(dataset=niah)",
    "l-citeeval-task(dataset=counting_stars)",
)


def check(lab: Any) -> Any:
    """Citation scores by a toy entailment as by hand, judged ones of published rows, exact ones at any length and position."""
    docs = ["red fox", "blue fish", "red blue fox"]

    def words(text: str) -> set[str]:
        return set(re.findall(r"[a-z]+", text.lower()))

    async def entails(premise: str, claim: str) -> bool:
        return words(claim) <= words(premise)

    cases = {
        "red fox [1].": (1, 1), "red fox [1]. blue fish.": (0.5, 1), "red fox [1][2].": (1, 0.5), "red fish [1][2].": (1, 1),
        "red fox [9].": (0, 0), "red fox [1][3].": (1, 1), "red fox [1] [2] [3] [1].": (1, 2 / 3),
    }  # fmt: skip

    def cited(text: str) -> list[float]:
        got = asyncio.run(entailed(text, lambda n: docs[n - 1] if 1 <= n <= 3 else None, entails))
        return [got.recall, got.precision] if got else []

    wanted = [float(x) for pair in cases.values() for x in pair]
    row = {"question": "Which?", "answer": "red fox", "docs": docs}
    rows = [row | {"id": h, "length": n, "hardness": h} for n, h in ((7_900, "easy"), (15_000, "medium"), (31_000, "hard"))]
    needle = {"question": "Which number has the owl?", "answer": "4711", "docs": [*docs, "The owl has 4711."]}
    names = {"Data_hotpotqa": [row], "Length_hotpotqa": rows, "Hardness_hotpotqa": rows, "Data_niah": [needle]}
    places = {f"L-CiteEval-{name}".replace("_", "/") + ".json": some for name, some in names.items()}
    published = f"data='{lab.written(places)}'"

    def model(text: str) -> str:
        """The toy entailment in a model's place."""
        premise, claim = re.findall(r"(?:Premise|Claim):\n(.+?)\n\n", text, re.S)
        return "Yes." if words(claim) <= words(premise) else "No."

    def judged(text: str) -> list[float]:
        parts = lab.scores(f"l-citeeval-task({published})", lambda *_: text, n=1, helpers={"entailment": model})[0].parts
        return [parts["citation recall"], parts["citation precision"]]

    bins = {
        name: [item.facets[name] for _, item, _ in lab.asked(f"l-citeeval-task({published}, subset={name})", n=3)]
        for name in ("length", "hardness")
    }
    found = f"l-citeeval-task({published}, dataset=niah, noise=passages)"
    missed = [abs(lab.build(found, lengths=("8k", "48k"), n=1, depth=d).prompts[-1].depths[0] - d) for d in (0, 0.5, 1)]
    spec = "l-citeeval-task(dataset=world)"

    def bare(task: Any, item: Any, prompt: Any) -> str:
        """The right answer without its citations."""
        return re.sub(r"\s*\[\d+\]", "", task.gold(prompt.answers, item))

    return lab.conclude(
        lab.build(spec, found, lengths=("8k", "48k"), n=1),
        lab.replies(spec),
        lab.agree([x for text in cases for x in cited(text)], wanted, "recalls and precisions by hand"),
        lab.agree([x for text in cases for x in judged(text)], wanted, "of the same, asked of a model in the role entailment,"),
        (
            sorted(bins["length"]) == ["16k", "32k", "8k"] and sorted(bins["hardness"]) == ["easy", "hard", "medium"],
            f"the two subsets load and group by {', '.join(bins['length'])} and {', '.join(bins['hardness'])}",
        ),
        (max(missed) < 0.02, f"a published needle among passages lies at depths 0, .5 and 1 to {max(missed):.3f}"),
        lab.sound(spec),
        control=[
            lab.agree([x for text in cases for x in cited(re.sub(r"\[\d+\]", "[2]", text))], wanted, "of these, all citing 2,"),
            (lab.says(spec, bare) > 0, f"right answers without citations {lab.says(spec, bare):.2f}"),
        ],
    )
