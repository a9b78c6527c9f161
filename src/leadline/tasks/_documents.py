"""What the tasks about documents share: published rows as items, and summaries checked fact by fact."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from leadline.data.phrasings import QA, SUMMARY
from leadline.data.published import Row, read
from leadline.data.world import Document
from leadline.nouns import Item, UserError
from leadline.scoring import extract
from leadline.scoring.metrics import metric
from leadline.tasks.base import PASSAGE, Task, share_found


@dataclass(frozen=True, kw_only=True)
class DocumentTask(Task):
    """A task on documents: of the invented world, or of a published data set.

    Attributes:
        data: path or hub id of a data set in LongBench's or L-Eval's format; empty for the invented world.
        longest: leave out published documents of more words than this; 0 keeps all. They must fit into the
            shortest length, since the same items are asked at every length.
    """

    data: str = ""
    longest: int = 0

    metric: ClassVar[str]
    """Metric for published rows, as `leadline score --metric` names it."""

    def items(self, n: int, seed: int = 0) -> list[Item]:
        if self.data and n > len(self._rows(seed)):
            raise UserError(
                f"{self.id}: {self.data} holds {len(self._rows(seed))} questions"
                f"{f' on documents of at most {self.longest} words' if self.longest else ''}; ask for at most that many"
            )
        return super().items(n, seed)

    def _rows(self, seed: int) -> tuple[Row, ...]:
        return _shuffled(self.data, self.longest, seed)

    def published(self, index: int, seed: int, rng: random.Random) -> Item:
        """A row of the data set as an item: its document among passages of the invented world."""
        row = self._rows(seed)[index]
        summary = self.ability == "summarisation"
        return Item(
            id="",
            task="",
            instruction=QA.instruction if not summary else SUMMARY.instruction,
            question=row.question or "Summarize the document that is not about an invented person, town or event.",
            answers=row.answers,
            evidence=(row.document,),
            noise="passages",
            form=PASSAGE,
            prefill="Summary:" if summary else "Answer:",
            answer_tokens=512 if summary else 64,
            single_line=not summary,
            choices=row.classes,
            cluster=row.cluster,
            meta={"metric": self.metric, "classes": list(row.classes)},
        )

    def extract(self, text: str, item: Item) -> str | None:
        return extract.first_line(text) if item.single_line else extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        if "metric" in item.meta:
            return metric(item.meta["metric"])(found, answers, classes=item.meta["classes"])
        if "facts" in item.meta:
            # More sentences than asked for do not count: else copying the context would score full.
            sentences = re.split(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+", found)[: item.meta["sentences"]]
            return share_found(" ".join(sentences), item.meta["facts"])
        return share_found(found, answers)


@lru_cache(maxsize=8)
def _shuffled(data: str, longest: int, seed: int) -> tuple[Row, ...]:
    rows = [r for r in read(data) if not longest or len(r.document.split()) <= longest]
    random.Random(seed).shuffle(rows)
    return tuple(rows)


def summary_item(documents: Sequence[Document], rng: random.Random) -> Item:
    """Ask for a summary of what some documents say about their one subject."""
    facts = [f for d in documents for f in d.facts]
    subject = facts[0].subject
    return Item(
        id="",
        task="",
        instruction=SUMMARY.instruction,
        question=SUMMARY.question(rng).format(subject=subject, sentences=len(facts)),
        answers=(" ".join(f.text for f in facts),),
        evidence=tuple(d.text for d in documents),
        noise="passages",
        form=PASSAGE,
        avoid=(subject,),
        prefill=SUMMARY.prefill,
        answer_tokens=24 * len(facts),
        single_line=False,
        meta={"facts": [f.value for f in facts], "sentences": len(facts)},
    )
