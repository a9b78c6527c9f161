"""LongBench Pro: 1,500 natural documents in English and Chinese, 25 tasks, six lengths, four difficulties.

Chen, Wu, Jia, Gao, Fu, Zhang, Hu 2026, arXiv:2601.02872; official code caskcsg/longcontext, folder LongBench-Pro, read at
88fbeb8 (no licence file there; the data's card says Apache-2.0). The questions bring their own instructions and ask for the
answer one item a line after [Answer] or [答案]. Half of a summary's figure (T4) is the likeness of embeddings by an 8B model,
with `embedder=Qwen/Qwen3-Embedding-8B`; without one the other half, ROUGE-L, stands alone. The authors run each question three
times and cut prompts over the window in the middle; here it is asked once, and one over the window is reported as such.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leadline.data.embeddings import vectors
from leadline.data.published import demand, rows_of
from leadline.nouns import Item, UserError
from leadline.scoring import longbench_pro_metrics as metrics
from leadline.tasks._longdocs import Asked, LongDocuments, located

METRICS = {
    "1.1": "ndcg", "1.2": "ndcg", "2.1": "pairs", "2.2": "pairs", "3.1": "first", "3.2": "first", "4.1": "summary",
    "4.2": "summary", "5.1": "set-f1", "5.2": "set-f1", "6.1": "share", "6.2": "set-f1", "6.3": "pairs", "7.1": "set-f1",
    "7.2": "set-f1", "7.3": "set-f1", "8.1": "share", "8.2": "share", "8.3": "share", "9.1": "set-f1", "9.2": "set-f1",
    "10.1": "share", "10.2": "share", "11.1": "first", "11.2": "first",
}  # fmt: skip
"""Metric of each secondary task."""
LENGTHS = ("8k", "16k", "32k", "64k", "128k", "256k")
FILLABLE = ("3", "5", "8", "10", "11")
"""Primary tasks whose questions on a part of the document stay the same among other documents."""
COLUMNS = {
    "context": str,
    "language": str,
    "token_length": str,
    "secondary_task": str,
    "contextual_requirement": str,
    "question_nonthinking": str,
    "question_thinking": str,
    "answer": list,
    "difficulty": str,
}


@dataclass(frozen=True, kw_only=True)
class LongbenchPro(LongDocuments):
    """Questions of LongBench Pro.

    Attributes:
        language: `en` or `zh`; empty for both.
        bucket: documents of this length only, as `32k` (the authors' count, by Qwen's tokenizer); empty for all.
        task: a primary or secondary task's number, as `T3` or `T3.2`; empty for all.
        thinking: ask the question that wants reasoning before the answer, for models that do not think by themselves.
        peer: score lists as the authors' script does, which divides by the pairs of the reply and counts empty lines.
        embedder: a sentence-transformers model for half of the summaries' score; empty leaves ROUGE-L alone.
    """

    language: str = ""
    bucket: str = ""
    task: str = ""
    thinking: bool = False
    peer: bool = False
    embedder: str = ""

    ability = "reasoning"
    scope = "high"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_given("language", ("en", "zh"))
        self.check_given("bucket", LENGTHS)
        self.check_given("task", (*dict.fromkeys(f"T{n.partition('.')[0]}" for n in METRICS), *(f"T{n}" for n in METRICS)))

    @property
    def place(self) -> str:
        """The one file."""
        return located(self.data, "caskcsg/LongBench-Pro/longbench_pro.json", ["longbench_pro"])

    def asked(self) -> Sequence[Asked]:
        return [a for a in _read(self.place) if self._kept(a)]

    def _kept(self, asked: Asked) -> bool:
        row, number = asked.raw, asked.raw["number"]
        named = f"T{number}"
        alike = not self.task or self.task in (named, named.partition(".")[0])
        filled = self.natural or (row["contextual_requirement"] == "Partial" and number.partition(".")[0] in FILLABLE)
        here = not self.language or asked.language == self.language
        return alike and filled and here and (not self.bucket or row["token_length"] == self.bucket)

    def written(self, asked: Asked) -> Item:
        row, number = asked.raw, asked.raw["number"]
        return Item(
            id="",
            task="",
            instruction="",
            question=row["question_thinking" if self.thinking else "question_nonthinking"],
            answers=tuple(map(str, row["answer"])),
            evidence=(asked.document,),
            noise="none",
            answer_tokens=8192 if self.thinking else 1024,
            single_line=False,
            cluster=asked.cluster,
            meta={"metric": METRICS[number], "row": str(row.get("id", ""))},
            facets={
                "language": asked.language,
                "document": row["token_length"],
                "dependency": row["contextual_requirement"].lower(),
                "difficulty": row["difficulty"].lower(),
                "primary task": f"T{number.partition('.')[0]}",
            },
        )

    def marks(self, found: str, answers: Sequence[str], item: Item) -> tuple[float, dict[str, float]]:
        name = item.meta.get("metric")
        if name is None:
            raise UserError(
                f"{self.id}: which metric a reply gets depends on its question: give 'meta' as `leadline build` does"
            )
        if name == "summary":
            value = metrics.summary_rouge(found, answers, item.facets["language"] == "zh")
            if not self.embedder:
                return value, {"rouge_l": value}
            reply, *references = vectors([found, *answers], self.embedder)
            alike = max(float(reply @ reference) for reference in references)
            return (value + alike) / 2, {"rouge_l": value, "similarity": alike}
        return metrics.METRICS[f"longbench-pro/{name}{'-peer' if self.peer else ''}"](found, answers), {}

    def gold(self, answers: Sequence[str], item: Item) -> str:
        if item.meta["metric"] == "summary":
            return answers[0]
        mark = metrics.MARKS[item.facets["language"] == "zh"]
        return "\n".join([mark, *answers])


@lru_cache(maxsize=4)
def _read(spec: str) -> tuple[Asked, ...]:
    found = []
    for place, row in rows_of(spec):
        demand(row, COLUMNS, "LongBench Pro", place)
        number = re.match(r"T(\d+\.\d+)", row["secondary_task"])
        if number is None or number[1] not in METRICS:
            raise UserError(f"{place}: unknown secondary task {row['secondary_task']!r:.60}; there are T1.1 to T11.2")
        language = {"Chinese": "zh", "English": "en"}.get(row["language"])
        if language is None:
            raise UserError(f"{place}: the language must be English or Chinese, it is {row['language']!r}")
        found.append(Asked(document=row["context"], language=language, raw={**row, "number": number[1], "context": ""}))
    return tuple(found)


def check(lab: Any) -> Any:
    """The published rows load, with what results are broken down by; metrics as the peer's functions."""
    hand = {
        ("ndcg", "a\nb\nc"): 1.0, ("ndcg", "c\nb\na"): 0.79, ("ndcg", "z\na"): 0.3975, ("ndcg", "a\na\nb"): 0.8950,
        ("pairs", "a\nb\nc"): 1.0, ("pairs", "c\nb\na"): 0.0, ("pairs", "a\nb"): 1.0, ("pairs", "a\nb\nc\nd"): 0.5,
        ("set-f1", "a\nb\nd"): 2 / 3, ("share", "b\nz"): 1 / 3, ("first", "a"): 1.0, ("first", "The answer is a"): 0.0,
    }  # fmt: skip
    ours = [lab.metric(f"longbench-pro/{name}-peer")(f"[Answer]\n{said}", ["a", "b", "c"]) for name, said in hand]
    bare = [float(said.split("\n") == ["a", "b", "c"]) for _, said in hand]
    tasks = ("T1.1 Global Cohesive Retrieval", "T3.2 Single-Hop Fact QA", "T5.1 Full-Sentence Citation Alignment")
    either = [
        {"language": language, "token_length": size, "contextual_requirement": need, "difficulty": how}
        for language, size, need, how in (("English", "8k", "Partial", "Easy"), ("Chinese", "256k", "Full", "Extreme"))
    ]
    asked = {"primary_task": "T", "question_nonthinking": "Where?", "question_thinking": "Think. Where?"}
    rows = [
        asked
        | either[i % 2]
        | {"id": f"q{i}", "secondary_task": tasks[i % 3], "context": f"Boat {i}. " * 99, "answer": [f"bay {i}"]}
        for i in range(6)
    ]
    spec = f"longbench-pro(data='{lab.written({'longbench_pro.json': rows})}')"
    facets = {name for _, item, _ in lab.asked(spec, n=6) for name in item.facets}
    return lab.conclude(
        lab.replies(spec, n=6),
        ({"dependency", "difficulty"} <= facets, f"results are broken down by {', '.join(sorted(facets))}"),
        lab.agree(ours, list(hand.values()), "figures of the peer's functions", within=5e-5),
        control=lab.agree(bare, list(hand.values()), "of these, by equality,", within=5e-5),
    )
