"""FILM's probes: a sentence, a function's name or a row, found by a part of it, at every position of the context.

VaL probing of An, Ma, Lin, Zheng, Lou 2024, "Make Your LLM Fully Utilize the Context", arXiv:2404.16811; code microsoft/FILM,
MIT. Three styles of text and three directions: words of a sentence are given and what stands on both sides of them is asked
(document); a line of a function is given and the name before it is asked (code); an id is given and what follows it is asked
(database). Pieces are invented, or the published ones. Positions are swept evenly; the robustness gap over them is computed by
`scoring.film_metrics`. There a context holds 800 pieces and ambiguous prompts are on a list; here it holds as many as fit and
what is given stands in it once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from leadline.catalog import Spec
from leadline.data.pieces import MAKERS, Piece, able
from leadline.data.world import BACKGROUND
from leadline.nouns import Answer, Item, Score, UserError
from leadline.scoring import extract
from leadline.scoring.film_metrics import METRICS
from leadline.tasks.base import Task

INSTRUCTIONS = {
    "document": "Read the sentences below. One of them will be asked for.",
    "code": "Read the Python functions below. One of them will be asked for.",
    "database": "Read the rows of the table below. One of them will be asked for.",
}
QUESTIONS = {
    "document": 'Which sentence above holds the words "{cue}"? Write out the whole sentence.',
    "code": "Which function above holds the line below? Answer with the name of the function.\n{cue}",
    "database": "What are the label and the description of the row with the id {cue}?",
}
PREFILLS = {"document": "The sentence is:", "code": "The name of the function is", "database": "label:"}
CHANCE, CHANCE_PUBLISHED = 0.25, 0.13
"""Words of a sentence that another one of the invented or of the first 3,000 published holds too, on average."""


@dataclass(frozen=True, kw_only=True)
class FilmProbe(Task):
    """One piece among many, found by a part of it.

    Attributes:
        kind: `document` (sentences, both directions), `code` (functions, backward) or `database` (rows, forward).
        data: the published pieces: the folder VaLProbing/pieces of microsoft/FILM, or a file of it; empty for invented ones.
        both: of a row, count label and description half each; as published either of them will do.
    """

    kind: str = "document"
    data: str = ""
    both: bool = False

    ability = "retrieval"
    diffusion = "low"
    scope = "low"
    minimum = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kind", tuple(MAKERS))
        if self.both and self.kind != "database":
            raise UserError(f"{self.id}: both=true is about label and description; it goes with kind=database alone")
        if self.kind == "document":
            object.__setattr__(self, "chance", CHANCE_PUBLISHED if self.data else CHANCE)

    def item(self, index: int, seed: int, rng: random.Random) -> Item:
        piece = self._piece(index, seed, rng)
        settings = {"kind": self.kind} | ({"data": self.data} if self.data else {})
        return Item(
            id="",
            task="",
            instruction=INSTRUCTIONS[self.kind],
            question=QUESTIONS[self.kind].format(cue=piece.cue),
            answers=piece.wanted,
            evidence=(piece.text,),
            noise=str(Spec("pieces", settings)),
            avoid=piece.avoid,
            prefill=PREFILLS[self.kind],
            answer_tokens=128,
            single_line=self.kind != "database",
            # The golden section spreads any number of items evenly.
            meta={"depth": (0.5 + index * 0.6180339887) % 1, "seed": seed},
        )

    def _piece(self, index: int, seed: int, rng: random.Random) -> Piece:
        if not self.data:
            return MAKERS[self.kind](rng.randrange(BACKGROUND), seed)
        piece = able(self.kind, self.data, index, seed)
        if piece is None:
            raise UserError(
                f"{self.id}: {self.data} holds no more than {index} pieces that can be told from all others by what is given "
                "of them; ask for at most that many samples"
            )
        return piece

    def extract(self, text: str, item: Item) -> str | None:
        return extract.whole(text)

    def grade(self, found: str, answers: Sequence[str], item: Item) -> float:
        rule = METRICS[f"film/{self.kind}"]
        return sum(rule(found, [a]) for a in answers) / len(answers) if self.both else rule(found, answers)

    def score(self, answers: Sequence[str], item: Item, answer: Answer) -> Score:
        """Of a row, whether label and description were said, each by itself."""
        plain = super().score(answers, item, answer)
        if self.kind != "database" or plain.value is None:
            return plain
        rule = METRICS["film/database"]
        parts = {name: rule(plain.extracted, [a]) for name, a in zip(("label", "description"), answers, strict=True)}
        return replace(plain, parts=parts)

    def gold(self, answers: Sequence[str], item: Item) -> str:
        return " ".join(answers)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return self.gold(MAKERS[self.kind](rng.randrange(BACKGROUND), rng.randrange(1 << 20)).wanted, item)
