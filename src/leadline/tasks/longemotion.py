"""LongEmotion: emotional intelligence over long text: recognising, knowing and answering with empathy; six tasks, seven files.

Liu, Xiong, Hu and others 2025, arXiv:2509.07403; LongEmotion/LongEmotion. The last three are rated by --role judge=MODEL. Its
retrieval is --pipeline rag, its five-stage pipeline --pipeline coem, the chat of emotion expression --pipeline stages.
"""

from __future__ import annotations

from typing import Any

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
    """Published rows of all parts load; a program that reads the end of a prompt alone finds the answer under RAG and CoEM."""
    finding = ["amber", "cobalt", "dusk", "elm", "frost", "granite"]
    study = [
        {"number": i, "problem": f"What did the study of grief {i} find?", "source": f"paper {i}", "answer": word,
         "context": f"Of the study of grief {i} it was told that it did find {word} in the end."}
        for i, word in enumerate(finding)
    ]  # fmt: skip
    feel = {"content": "Ann laughed. " * 90, "subject": "Ann", "choices": ["Joy", "Anger", "Fear"], "source": "x", "length": 90}
    rows = {"emobench": [{"id": i, "label": feel["choices"][i % 3], **feel} for i in range(6)], "qa": study}
    odd = [{"index": k, "context": f"({k}) It rained and nobody minded. " * 9} for k in range(7)]
    rows["detection"] = [{"text": odd, "label": ["sadness"], "length": 80, "ground_truth": i} for i in range(6)]
    folder = lab.written({f"{name}.jsonl": some for name, some in rows.items()})
    specs = {name: f"longemotion-part(part={name}, data='{folder}/{name}.jsonl')" for name in rows}
    qa = f"longemotion-part(part=qa, data='{folder}/qa.jsonl', noise=prose)"

    def near(text: str) -> str:
        """A finding that stands in the last 9,000 characters, as many as the retrieved pieces take."""
        return next((f for f in finding if f in text[-9000:]), "I do not know.")

    alone, rag, coem = (lab.piped(name, qa, near, length="32k") for name in ("", "rag", "coem"))
    f1 = lab.metric("longemotion/qa-f1")
    return lab.conclude(
        *(lab.replies(one, n=6) for one in specs.values()),
        (f1("well-being", ["well being"]) == 1, "well-being and well being are one"),
        (rag >= 0.8 and coem >= 0.8, f"the same 6 samples under RAG {rag:.2f}, under CoEM {coem:.2f}"),
        control=(alone >= 0.8, f"the same program without a pipeline {alone:.2f}"),
    )
