"""Wordings: how statements and questions of each kind are put, many ways, some kept out of training.

A `Kind` holds statements (with the slots of one fact), questions and how the answer begins. The `seen`
wordings are what the embedded model is trained on; the `unseen` ones never are, so that its card can say
how it does on wording it never saw. Other models have seen neither.

A prompt is, in this order and with a blank line between: instruction, context, question. A completion
model then reads a newline and the prefill, and answers on the same line:

    Read the text and answer the question at the end.

    The children talked about the weather. The code of amber falcon is 482193. At noon, ...

    What is the code of amber falcon?
    The code of amber falcon is 482193.

Knows nothing of tasks or tokenizers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Wording = Literal["seen", "unseen"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of fact and the ways to state it and to ask for it."""

    instruction: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    unseen_statements: tuple[str, ...] = ()
    unseen_questions: tuple[str, ...] = ()
    prefill: str = ""

    def statement(self, rng: random.Random, wording: Wording = "seen") -> str:
        """A statement template; kinds without unseen ones give a seen one."""
        return rng.choice(self.unseen_statements if wording == "unseen" and self.unseen_statements else self.statements)

    def question(self, rng: random.Random, wording: Wording = "seen") -> str:
        """A question template; kinds without unseen ones give a seen one."""
        return rng.choice(self.unseen_questions if wording == "unseen" and self.unseen_questions else self.questions)


NEEDLE = Kind(
    instruction="Read the text and answer the question at the end.",
    statements=(
        "The code of {key} is {value}.",
        "The secret code of {key} is {value}.",
        "Remember that the code of {key} is {value}.",
        "One of the codes is for {key}: {value}.",
        "It is known that the code for {key} is {value}.",
        "Remember that {key} has code {value}.",
        "Please note: the code for {key} is {value}.",
        "As everyone knows, the code of {key} was {value}.",
    ),
    questions=(
        "What is the code of {key}?",
        "What is the secret code of {key} in the text?",
        "Which code does {key} have?",
        "Find the code of {key}.",
        "The text gives a code for {key}. What is it?",
        "Tell me the code for {key}.",
    ),
    unseen_statements=(
        "Whoever needs {key} must enter {value} first.",
        "A note on the door said that {key} goes with {value}.",
        "They agreed to use {value} as the code for {key}.",
    ),
    unseen_questions=(
        "I need the code that belongs to {key}, please.",
        "Could you look up which code was given for {key}?",
        "According to the text, {key} goes with which code?",
    ),
    prefill="The code of {key} is",
)
"""A fact that prose hides."""

RECORD = Kind(
    instruction="Read the records and answer the question at the end.",
    statements=("The {attribute} of {key} is {value}.",),
    questions=(
        "What is the {attribute} of {key}?",
        "What is the {attribute} of {key} in the records?",
        "Find the {attribute} of {key}.",
        "Which {attribute} does {key} have?",
        "Tell me the {attribute} of {key}.",
    ),
    unseen_questions=(
        "I need the {attribute} that the records give for {key}, please.",
        "Could you look up the {attribute} belonging to {key}?",
    ),
    prefill="The {attribute} of {key} is",
)
"""One record among many of the same form (`prose.records`)."""

LINK = Kind(
    instruction="Read the passages and answer the question at the end.",
    statements=(
        "The key {key} opens {value}.",
        "It is known that the key {key} opens {value}.",
        "Remember that the key {key} opens {value}.",
        "Please note: the key {key} opens {value}.",
    ),
    questions=(
        "What does the key {key} open?",
        "Find what the key {key} opens.",
        "The text says what the key {key} opens. What is it?",
    ),
    unseen_statements=(
        "Whoever turns the key {key} will open {value}.",
        "With the key {key} they went on to {value}.",
    ),
    unseen_questions=(
        "I have the key {key}, please tell me what it opens.",
        "Could you look up what belongs to the key {key}?",
    ),
    prefill="The key {key} opens",
)
"""A key that leads to another key; chains of them are distractors or hops."""

VARIABLE = Kind(
    instruction="Read the text and follow the chain of variables in it.",
    statements=("VAR {name} = {value}.",),
    questions=(
        "Find all variables that are assigned the value {value} in the text above.",
        "Which variables have the value {value}?",
    ),
    unseen_questions=("Please look up the names of all variables that carry {value}.",),
    prefill="The variables assigned the value {value} are",
)
"""An assignment: a value, or `VAR other`."""

STARS = Kind(
    instruction="Read the passages. In some of them, {name} counts stars. Answer the question at the end.",
    statements=("In that night, {name} counted {value} stars.",),
    questions=(
        "Which list gives the numbers of stars that {name} counted, in the order of the text?\n{options}\n"
        "Answer with the number of the option.",
    ),
    prefill="The number of the option is",
)
"""A count of stars; several make a list to be told from near-copies."""

RETRIEVE = Kind(
    instruction="Read the passages and answer the question at the end.",
    statements=("{text}",),
    questions=(
        "Here is a summary of one passage: {summary}\nWhich passage is it? Answer with the number of the passage.",
        "This summary belongs to one of the passages: {summary}\nAnswer with the number of that passage.",
    ),
    unseen_questions=("Someone wrote about one passage above: {summary}\nPlease give the number of that passage.",),
    prefill="The number of the passage is",
)
"""A passage that a summary was made of."""

COUNT = Kind(
    instruction="Some of the passages below may stand there more than once.",
    statements=("{text}",),
    questions=("How many different passages are there? Answer with one number.",),
    unseen_questions=("Leave out what is repeated: how many passages remain? Please give one number.",),
    prefill="The number of different passages is",
)
"""Passages of which some are repeated."""

QA = Kind(
    instruction="Read the passages and answer the question at the end in a few words.",
    statements=("{text}",),
    questions=("{question}", "Answer in a few words: {question}"),
    unseen_questions=("Please look it up above and keep it short. {question}",),
)
"""Questions about documents of the world; their answer's beginning comes with the fact."""

SUMMARY = Kind(
    instruction="Read the passages. You will be asked to summarize some of them.",
    statements=("{text}",),
    questions=("Summarize everything that the passages say about {subject} in at most {sentences} sentences.",),
    prefill="Summary:",
)
"""A summary whose coverage is checked fact by fact."""

KINDS = {
    "needle": NEEDLE, "record": RECORD, "link": LINK, "variable": VARIABLE, "stars": STARS,
    "retrieve": RETRIEVE, "count": COUNT, "qa": QA, "summary": SUMMARY,
}  # fmt: skip
