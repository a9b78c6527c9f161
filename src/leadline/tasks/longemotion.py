"""LongEmotion: emotional intelligence over long text: recognising, knowing and answering with empathy; six tasks, seven files.

Liu, Xiong, Hu and others 2025, arXiv:2509.07403; LongEmotion/LongEmotion. The last three are rated by --role judge=MODEL. Its
retrieval is --pipeline rag, its five-stage pipeline --pipeline coem, the chat of emotion expression --pipeline stages.
"""

from __future__ import annotations

import json
import re
from typing import Any

from leadline.tasks._emotions import ATTRIBUTES, ENRICH, EXPRESSION

id = "longemotion"
members = (
    "longemotion-part(part=emobench)",
    "longemotion-part(part=finentity)",
    "longemotion-part(part=detection)",
    "longemotion-part(part=qa)",
    "longemotion-part(part=summary)",
    "longemotion-part(part=conversation)",
    "longemotion-part(part=expression)",
)


def check(lab: Any) -> Any:
    """Published rows of all parts load and score; a program that reads the end of a prompt alone answers under RAG and CoEM."""
    folder = lab.written(_published())
    specs = dict(
        zip(("emobench", "finentity", "detection", "qa", *POINTS), lab.specs(f"longemotion(data='{folder}')"), strict=True)
    )
    points = {
        part: lab.scores(specs[part], lambda *_: "Well.", n=3, helpers={"judge": lambda _, given=given: json.dumps(given)})
        for part, given in POINTS.items()
    }
    got = [score.parts["points"] for part in POINTS for score in points[part]]
    turns = {item.evidence[0].count("\nClient") for _, item, _ in lab.asked(specs["conversation"], n=18)}
    quoted = lab.scores(specs["detection"], lambda task, _, prompt: f'{{"index": "{prompt.answers[0]}"}}', n=3)
    qa, asked = f"longemotion-part(part=qa, data='{folder}', noise=prose)", list[str]()

    def near(text: str) -> str:
        """A finding that stands in the last 9,000 characters, as many as the retrieved pieces take."""
        asked.append(text)
        return next((f for f in FOUND if f in text[-9000:]), "I do not know.")

    alone, rag = (lab.piped(name, qa, near, length="32k") for name in ("", "rag"))
    asked.clear()
    coem = lab.piped("coem", qa, near, length="32k")
    notes = [text for text in asked if text.startswith(ENRICH["qa"])]
    last = [text for text in asked if text not in notes]
    kept = {len(re.findall(r"(?m)^\[\d+\] ", text)) for text in last}
    f1 = lab.metric("longemotion/qa-f1")
    return lab.conclude(
        *(lab.replies(specs[part], n=6) for part in ("emobench", "finentity", "detection", "qa")),
        (lab.agree(got, [4.8] * 3 + [4.0] * 3 + [65.0] * 3).holds, "a scripted judge's points of the other three as by hand"),
        (
            turns == {3 * 12 + 3, 3 * 12 + 6, 3 * 12 + 9},
            "of 12 client turns in a stage the 3rd, 6th and 9th, from 0, are asked at",
        ),
        (
            all(s.value == 1 and s.parts["strict"] == 0 for s in quoted),
            "a number in quotes is right, as the original reads it wrong",
        ),
        (f1("well-being", ["well being"]) == 1, "well-being and well being are one"),
        (
            len(notes) == 48 and kept == {4},
            "CoEM has 8 pieces of each of 6 samples enriched, and hands on 4 with the whole text",
        ),
        (rag >= 0.8 and coem >= 0.8, f"the same 6 samples under RAG {rag:.2f}, under CoEM {coem:.2f}"),
        control=(alone >= 0.8, f"the same program without a pipeline {alone:.2f}"),
    )


FOUND = ("quorbex", "zavimel", "tuplonk", "yebrizo", "wexadun", "jolvask")
"""Words that nothing else holds."""
POINTS = {
    "summary": {
        name: {p: 2 if (name, p) == ("causes", "clarity") else 5 for p in ("factual_consistency", "completeness", "clarity")}
        for name in ATTRIBUTES
    },
    "conversation": {"growth": 5, "meaning": 4, "autonomy": 3},
    "expression": {aspect.name: 90 - 10 * i for i, aspect in enumerate(EXPRESSION)},
}
"""What the scripted judge gives: fifteen points, three, and six."""


def _published() -> dict[str, list[dict[str, Any]]]:
    """Six rows of each part, in the published format."""

    def feeling(i: int, choices: list[str]) -> dict[str, Any]:
        told = {"content": f"Ann{i} laughed. " * 90, "subject": f"Ann{i}", "source": "x", "length": 90}
        return {"id": i, "choices": choices, "label": choices[i % 3], **told}

    def turns(i: int) -> list[dict[str, str]]:
        return [{"role": who, "context": f"That was day {i}.{k}."} for k in range(12) for who in ("Client", "Counselor")]

    odd = [{"index": k, "context": f"({k}) It rained and nobody minded. " * 9} for k in range(7)]
    study = "Of the study of grief {i} it was told that it did find {word} in the end."
    parts = ("case_description", "consultation_process", "experience_and_reflection", *ATTRIBUTES)
    scenes = [{"name": "x", "scenarios": [f"Somebody broke cup {i}." for i in range(6)]}]
    return {
        "Emotion_Classification_Emobench.jsonl": [feeling(i, ["Joy", "Anger", "Fear"]) for i in range(6)],
        "Emotion_Classification_Finentity.jsonl": [feeling(i, ["Positive", "Neutral", "Negative"]) for i in range(6)],
        "Emotion_Detection.jsonl": [{"text": odd, "label": ["sadness"], "length": 80, "ground_truth": i} for i in range(6)],
        "Emotion_QA.jsonl": [
            {"number": i, "problem": f"What did the study of grief {i} find?", "source": f"paper {i}", "answer": word,
             "context": study.format(i=i, word=word)} for i, word in enumerate(FOUND)
        ],
        "Emotion_Summary.jsonl": [{"id": i} | {name: f"{name} of case {i}" for name in parts} for i in range(6)],
        "Emotion_Conversations.jsonl": [
            {"id": i, "description": ["x"], "stages": [{"stage": f"stage {s}", "conversations": turns(i)} for s in range(4)]}
            for i in range(6)
        ],
        "Emotion_Expression_Situations.json": [{"emotions": [{"name": "Anger", "factors": scenes}]}],
    }  # fmt: skip
