"""CoEM: five stages of retrieval, in which a helper adds what it knows to each piece before the pieces are ranked again.

Liu, Xiong, Hu and others 2025, arXiv:2509.07403; code LongEmotion/LongEmotion at 7149110 (no licence): (1) the context is cut
into pieces, (2) ranked by the question, (3) enriched by the sage, (4) ranked again with what was added, and (5) the tested
model answers with the whole context and the pieces that are left. How many are kept, and what the sage is asked, a task may
say. Differs from there: pieces are ranked by words (BM25), not by BGE-M3, unless an embedder is named; a token is taken for
four characters; without --role sage=MODEL the tested model is its own sage (there the sage's calls bear the judge's name).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from leadline.nouns import Answer, Prompt
from leadline.pipelines import _retrieval as retrieval
from leadline.pipelines._staged import SAID, staged
from leadline.pipelines.base import FAULTS, Ask, Pipeline, hints, parted, text_of, total

FOUND = "These pieces of the text above seem to bear on the question; to each a note was added:"
ENRICH = (
    "Say in one or two sentences what the following piece of text holds that bears on the question, and what lies behind it."
)
SAGE_TOKENS = 256
"""Room for what the sage adds to a piece."""


@dataclass(frozen=True, kw_only=True)
class Coem(Pipeline):
    """Ask with what was found and enriched.

    Attributes:
        first: pieces that are enriched, for each query; 0 takes what the task says, else 8.
        second: pieces that the tested model is given, for each query; 0 takes what the task says, else 4.
        chunk: size of a piece [tokens of four characters].
        overlap: what a piece repeats of the one before [tokens of four characters].
        embedder: a sentence-transformers model such as BAAI/bge-m3; empty ranks by words.
    """

    first: int = 0
    second: int = 0
    chunk: int = 128
    overlap: int = 50
    embedder: str = ""

    roles = {"sage": "adds to each piece that was found what it knows about it; the tested model does, if not given"}

    def __post_init__(self) -> None:
        retrieval.check_kept("coem", first=self.first, second=self.second)
        retrieval.check_pieces("coem", self.chunk, self.overlap)

    async def answer(self, prompt: Prompt, ask: Ask) -> Answer:
        """Find, enrich, rank again and ask; a task with stages is asked stage by stage."""
        told, (context, question), sage = hints(prompt), parted(prompt), _Sage(ask, hints(prompt).enrich or ENRICH)
        try:
            if told.stages:
                return await staged(prompt, ask, lambda *stage: self._said(sage, *stage), sage.asked)
            packs = await self._packs(prompt, context, sage)
        except _Failed as failed:
            return total(failed.answer, sage.asked)
        last = await ask(text_of(prompt, context, retrieval.listed(packs, FOUND), question), prompt.answer_tokens)
        return total(last, [*sage.asked, last])

    async def _packs(self, prompt: Prompt, context: str, sage: _Sage) -> list[str]:
        """What the tested model is given beside the context."""
        told = hints(prompt)
        first, second = self.first or told.first, self.second or told.second
        if told.how == "odd":
            parts = retrieval.paragraphs(context)
            packs = [f"{piece}\nNote: {note}" for piece, note in zip(parts, await sage.notes(parts), strict=True)]
            return [packs[i] for i in await asyncio.to_thread(retrieval.oddest, packs, second, self.embedder)]
        parts = retrieval.pieces(context, self.chunk, self.overlap)
        if told.how == "together":
            near = await self._best(told.queries[0], parts, first)
            note = (await sage.notes([f"{told.queries[0]}\n\nEarlier:\n" + "\n\n".join(near)]))[0]
            return [*await self._best(note, near, second), f"Note: {note}"]
        found = [pack for query in told.queries for pack in await self._enriched(query, parts, first, second, sage)]
        return list(dict.fromkeys(found))

    async def _enriched(self, query: str, parts: Sequence[str], first: int, second: int, sage: _Sage) -> list[str]:
        """The best pieces with a note on each, ranked again with it."""
        near = await self._best(query, parts, first)
        notes = await sage.notes([f"{piece}\n\nQuestion: {query}" for piece in near])
        return await self._best(query, [f"{piece}\nNote: {note}" for piece, note in zip(near, notes, strict=True)], second)

    async def _said(self, sage: _Sage, stage: str, so_far: str, number: int) -> str:
        """From the third stage on, pieces of the earlier ones: two of four, then four of eight."""
        if number < 2:
            return ""
        first, second = (4, 2) if number == 2 else (8, 4)
        parts = retrieval.pieces(so_far, self.chunk, self.overlap)
        packs = await self._enriched(stage, parts, self.first or first, self.second or second, sage)
        return retrieval.listed(packs, SAID)

    async def _best(self, query: str, parts: Sequence[str], k: int) -> list[str]:
        return [parts[i] for i in await asyncio.to_thread(retrieval.best, query, parts, k, self.embedder)]


class _Failed(Exception):
    """A sage that did not answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error)
        self.answer = answer


class _Sage:
    """Who enriches, what it is told, and what it has answered so far."""

    def __init__(self, ask: Ask, told: str) -> None:
        self.ask, self.told, self.asked = ask, told, list[Answer]()

    async def notes(self, texts: Sequence[str]) -> list[str]:
        """What it adds to each of some texts."""
        got = await asyncio.gather(*(self.ask(f"{self.told}\n\n{text}", SAGE_TOKENS, role="sage") for text in texts))
        self.asked += got
        failed = next((one for one in got if one.stop in FAULTS), None)
        if failed is not None:
            raise _Failed(failed)
        return [one.text.strip() for one in got]
