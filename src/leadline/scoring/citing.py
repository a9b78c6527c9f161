"""Answers that cite passages: citation recall, precision and F1 by entailment, as L-CiteEval has them, and exactly.

Tang, Zhou, Li, Ji, Hou and Zhang 2024, arXiv:2410.02115; code ZetangForward/L-CITEEVAL at 6e49326, script/eval_citation.py and
eval_correct.py. Differs: sentences are told apart by our own rule and not by NLTK; what is cited right after a full stop
belongs to the sentence before it; [0] is no passage, there it is the last. Knows nothing of models: who entails what is
asked of a function.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from leadline.scoring.words import english, f1, rouge_l

Entails = Callable[[str, str], Awaitable[bool | None]]
"""Whether a premise entails a claim; None where that could not be found out."""
MOST = 3
"""Citations of a sentence that count."""

_SHORT = "".join(
    rf"(?<!\b{w}\.)" for w in ("Mr", "Ms", "Dr", "St", "No", "vs", "Mrs", "Prof", "etc", "e\\.g", "i\\.e", "U\\.S", "[A-Z]")
)
_CITED = r"(?:\s*\[\d+\])*"
_END = re.compile(rf"[.!?…]+{_SHORT}[\"'”’)]*{_CITED}(?=\s|$)|[。！？]+[」』”’）]*{_CITED}|\n")


@dataclass(frozen=True)
class Cited:
    """How well a reply is borne out by what it cites [0 to 1]."""

    recall: float
    precision: float
    count: int
    """Citations that were looked at."""
    unjudged: float = 0.0
    """Share of the sentences of which it could not be found out."""

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return 2 * self.recall * self.precision / (self.recall + self.precision) if self.recall + self.precision else 0.0

    def parts(self) -> dict[str, float]:
        """As `Score.parts` has them."""
        found = {"citation recall": self.recall, "citation precision": self.precision, "citation f1": self.f1}
        return found | {"citations": float(self.count)} | ({"unjudged": self.unjudged} if self.unjudged else {})


def sentences(text: str) -> list[str]:
    """Sentences with what they cite; a line break ends one too."""
    found, start = list[str](), 0
    for m in _END.finditer(text):
        found.append(text[start : m.end()].strip())
        start = m.end()
    return [s for s in (*found, text[start:].strip()) if re.search(r"\w", s)]


def numbers(text: str) -> list[int]:
    """Every number that follows an opening bracket, in order: [3][7] are 3 and 7, [3, 7] is 3 alone."""
    return [int(n) for n in re.findall(r"\[(\d+)", text)]


def without(text: str) -> str:
    """The text without citations."""
    return " ".join(re.sub(r"\s*\[\d+(?:,\s*\d+)*\]", "", text).split())


async def entailed(reply: str, passage: Callable[[int], str | None], entails: Entails) -> Cited | None:
    """Recall and precision of a reply's citations.

    Recall is the share of the sentences that what they cite, taken together, entails; one that cites nothing, or a passage
    that is not there, is not. Precision is the share of the citations that are needed: the only one of an entailed sentence
    is; one of several is unless it fails alone and the others entail the sentence without it. Where a verdict is missing, the
    sentence or the citation is left out.

    Args:
        reply: the model's.
        passage: text of a passage by its number; None where there is none of that number.
        entails: says whether a premise entails a claim.

    Returns:
        None where no verdict could be had, or nothing was said.
    """
    known: dict[tuple[str, str], bool | None] = {}

    async def holds(given: Sequence[str], claim: str) -> bool | None:
        key = ("\n".join(given), claim)
        if key not in known:
            known[key] = await entails(*key)
        return known[key]

    said, judged, right, needed, total = sentences(reply), 0, 0, 0, 0
    for sentence in said:
        cited, claim = numbers(sentence), without(sentence)
        texts = [passage(n) for n in cited]
        if not cited or None in texts:
            judged += 1
            continue
        given = [t for t in texts if t is not None][:MOST]
        together = await holds(given, claim)
        if together is None:
            continue
        judged += 1
        right += together
        for place, alone in enumerate(given):
            useful: bool | None = together
            if together and len(given) > 1:
                useful = await holds([alone], claim)
                if useful is False:
                    rest = await holds(given[:place] + given[place + 1 :], claim)
                    useful = None if rest is None else not rest
            if useful is not None:
                total += 1
                needed += useful
    if not judged:
        return None
    return Cited(right / judged, needed / total if total else 0.0, total, 1 - judged / len(said))


def found(cited: Collection[int], gold: Collection[int]) -> Cited:
    """Recall and precision where the passages to be cited are known."""
    right = len(set(cited) & set(gold))
    return Cited(right / len(set(gold)), right / len(cited) if cited else 0.0, len(cited))


def needle(reply: str, gold: int) -> Cited:
    """Of the first line's first three citations, whether one is the passage that holds the needle."""
    cited = numbers(first_line(reply))[:MOST]
    return Cited(float(gold in cited), 1 / len(cited) if gold in cited else 0.0, len(cited))


def first_line(reply: str) -> str:
    """All up to the first line break."""
    return reply.strip().partition("\n")[0]


def star_counts(reply: str) -> dict[str, list[Any]] | None:
    """The lists of a reply in JSON, {"little_penguin": [], "passage_id": []}, from its first brace to the next closing one."""
    begin, end = reply.find("{"), reply.find("}")
    try:
        value = json.loads(reply[begin : end + 1]) if 0 <= begin < end else None
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    return {key: list(value[key]) for key in ("little_penguin", "passage_id") if isinstance(value.get(key), list)}


def stars_right(said: Sequence[Any], gold: Sequence[int], *, peer: bool = False) -> float:
    """Share of the counts that are among the first so many that were said.

    Args:
        said: counts of the reply.
        gold: the right ones.
        peer: a right count said twice counts twice, as in the original.
    """
    said = [n for n in said[: len(gold)] if isinstance(n, int)]
    right = sum(n in gold for n in said) if peer else sum((Counter(said) & Counter(gold)).values())
    return right / len(gold)


def answer_parts(reply: str, answers: Sequence[str]) -> dict[str, float]:
    """Token F1, precision and recall of a short answer's first line, each the best over the accepted answers."""
    said = english(without(first_line(reply)))
    best = {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    for answer in answers:
        meant = english(answer)
        same = sum((Counter(said) & Counter(meant)).values())
        if same:
            got = {"f1": f1(said, meant), "precision": same / len(said), "recall": same / len(meant)}
            best = {name: max(best[name], got[name]) for name in best}
    return best


def summary_text(reply: str) -> str:
    """A summary's first line without citations and without a heading such as "Summary:"."""
    text = reply.strip()
    if "summary" in text[:100].lower() and ":" in text:
        text = text.partition(":")[2].strip()
    return without(first_line(text))


def rouge_1_recall(reply: str, answer: str) -> float:
    """Share of an answer's different words that the reply has, as PyPI `rouge` 1.0.1 counts them."""
    said, meant = (set(" ".join(" ".join(s.split()) for s in t.split(".") if s).split(" ")) for t in (reply, answer))
    return len(said & meant) / len(meant) if meant else 0.0


def qa_f1(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Token F1 of the first line without its citations, best over answers."""
    return answer_parts(prediction, answers)["f1"]


def rouge_1(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Share of the answer's different words in the first line without its citations, best over answers."""
    return max(rouge_1_recall(without(first_line(prediction)), answer) for answer in answers)


def summary_rouge(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """ROUGE-L F of a summary's first line without heading and citations, best over answers."""
    return max(rouge_l(summary_text(prediction), answer) for answer in answers)
