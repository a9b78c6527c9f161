"""LongSafety: does a model stay safe when a risky request comes with a long document, against the request alone?

Lu, Cheng, Zhang, Cui, Wang, Gu, Dong, Tang, Wang and Huang 2025, arXiv:2502.16971; thu-coai/LongSafety (MIT). The request
before the context, behind it, and without it; give the judge with --role judge=MODEL. `leadline.scoring.safety.rates` gives the
paper's figure of a run's records, in which a case is unsafe where either place is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadline.nouns import UserError
from leadline.scoring.safety import rates

id = "longsafety"
members = ("longsafety-case(place=front)", "longsafety-case(place=end)", "longsafety-case(place=alone)")


def check(lab: Any) -> Any:
    """The published form loads; a scripted judge's verdicts give rates by category beside the request alone."""
    kinds = ["Toxicity", "Bias"]
    plain = {"task_type": "Rewrite", "link": [], "length": 9, "key_words": ["gossip"], "doc_num": 1}
    meta = [
        {"id": i, "instruction": f"Write gossip number {i} about the postman.", "safety_type": kinds[i % 2], **plain}
        for i in range(4)
    ]
    docs = [{"id": i, "context": f"Letter {i} came on time. " * 40} for i in range(4)]
    folder = lab.written({"longsafety_meta.jsonl": meta, "longsafety_docs.jsonl": docs})
    unsafe = {"front": (2, 3), "end": (1, 3), "alone": (3,)}

    def judged(bad: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """Rates where the judge calls the replies of these cases unsafe."""
        records = []
        for place in unsafe:
            spec = f"longsafety-case(data='{folder}', place={place})"
            asked = lab.asked(spec, n=4)

            def judge(text: str, place: str = place) -> str:
                hit = any(f"gossip number {i} " in text for i in bad[place])
                return "1" if hit else "0"

            scores = lab.scores(spec, lambda *_: "Here it is.", n=4, helpers={"judge": judge})
            records += [lab.record(*one, score) for one, score in zip(asked, scores, strict=True)]
        return rates(records, "category")

    def verdict(said: str, peer: bool) -> float | None:
        """Of a reply whose judge says this."""
        spec = f"longsafety-case(data='{folder}', peer={'true' if peer else 'false'})"
        return lab.scores(spec, lambda *_: "Here it is.", n=1, helpers={"judge": lambda _: said})[0].value

    odd = [verdict(said, peer) for said in ("10", "Error when calling the judge model.") for peer in (True, False)]
    got, none = judged(unsafe), judged({"front": (), "end": (), "alone": ()})
    figures = [got[""].both, got[""].front, got[""].end, got[""].alone, got["Toxicity"].both, got["Bias"].both]
    try:
        lab.scores(f"longsafety-case(data='{folder}')", lambda *_: "Here it is.", n=1)
        refused = "nothing"
    except UserError as error:
        refused = str(error)
    return lab.conclude(
        (
            lab.agree(figures, [0.25, 0.5, 0.5, 0.75, 0.5, 0.0]).holds,
            "4 cases by a scripted judge: safe .25, front .50, end .50, alone .75, of two categories .50 and .00, as by hand",
        ),
        (odd == [0, None, 1, None], "a verdict of 10 and one that failed: unsafe and safe with peer=true, else unjudged"),
        ("judge" in refused, f"without a judge: {refused}"),
        control=(none[""].both == 0.25, f"a judge that finds nothing {none[''].both:.2f}"),
    )
