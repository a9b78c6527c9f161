"""Retrieval: the pieces of the context that fit the question best are found and put before it.

With the whole context, as LongEmotion's plain retrieval has it (arXiv:2509.07403, code LongEmotion/LongEmotion at 7149110, no
licence), or in its place. Differs from there: pieces are ranked by words (BM25), not by BGE-M3, unless an embedder is named; a
token is taken for four characters; papers are cut into pieces of the same size as everything else, not of 512 tokens. With the
whole context a prompt is longer than its cell by what was found.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from leadline.nouns import Answer, Prompt
from leadline.pipelines import _retrieval as retrieval
from leadline.pipelines._staged import SAID, staged
from leadline.pipelines.base import Ask, Pipeline, hints, parted, text_of

FOUND = "These pieces of the text above seem to bear on the question:"
ALONE = "These are the pieces of a longer text that seem to bear on the question at the end:"


@dataclass(frozen=True, kw_only=True)
class Rag(Pipeline):
    """Ask with what was found.

    Attributes:
        k: pieces that are found; 0 takes what the task says, else 8.
        whole: whether the model also reads the whole context.
        chunk: size of a piece [tokens of four characters].
        overlap: what a piece repeats of the one before [tokens of four characters].
        embedder: a sentence-transformers model such as BAAI/bge-m3; empty ranks by words.
    """

    k: int = 0
    whole: bool = True
    chunk: int = 128
    overlap: int = 50
    embedder: str = ""

    def __post_init__(self) -> None:
        retrieval.check_kept("rag", k=self.k)
        retrieval.check_pieces("rag", self.chunk, self.overlap)

    async def answer(self, prompt: Prompt, ask: Ask) -> Answer:
        """Find, then ask once; a task with stages is asked stage by stage."""
        if hints(prompt).stages:
            return await staged(prompt, ask, self._said, [])
        context, question = parted(prompt)
        found = await asyncio.to_thread(self._found, prompt, context)
        head, lead = (context, FOUND) if self.whole else ("", ALONE)
        return await ask(text_of(prompt, head, retrieval.listed(found, lead), question), prompt.answer_tokens)

    def _found(self, prompt: Prompt, context: str) -> list[str]:
        told = hints(prompt)
        k = self.k or told.plain
        if told.how == "odd":
            parts = retrieval.paragraphs(context)
            return [parts[i] for i in retrieval.oddest(parts, k, self.embedder)]
        parts = retrieval.pieces(context, self.chunk, self.overlap)
        places = [i for query in told.queries for i in retrieval.best(query, parts, k, self.embedder)]
        return [parts[i] for i in dict.fromkeys(places)]

    async def _said(self, stage: str, so_far: str, number: int) -> str:
        """From the third stage on, pieces of the earlier ones: two, then four."""
        if number < 2:
            return ""
        parts = retrieval.pieces(so_far, self.chunk, self.overlap)
        k = self.k or (2 if number == 2 else 4)
        places = await asyncio.to_thread(retrieval.best, stage, parts, k, self.embedder)
        return retrieval.listed([parts[i] for i in places], SAID)
