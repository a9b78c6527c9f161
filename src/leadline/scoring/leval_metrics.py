"""L-Eval's scorers to the digit, quirks and all: letters, numbers, printed output, two truths, ROUGE.

An et al. 2023, arXiv:2307.11088; OpenLMLab/LEval (GPL-3.0) was read at cd34b05 for what it computes, nothing was taken over.
Each takes (prediction, answers) and gives 0 to 1; the authors print percent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from leadline.nouns import UserError
from leadline.scoring import rouge_scores
from leadline.scoring.peers import Metric
from leadline.scoring.words import PUNCTUATION, english, f1

LETTERS = "ABCD"


def _bare(text: str) -> str:
    """Without punctuation and articles; case stays."""
    kept = "".join(c for c in text if c not in PUNCTUATION)
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", kept).split())


def exact_match(prediction: str, truth: str) -> float:
    """Letters: 1 where equal, a quarter for a part of the right ones. Else equal as numbers, or the truth inside the reply."""
    wanted, said = _bare(truth), _bare(prediction)
    if all(c in LETTERS for c in wanted):
        return 1.0 if said == wanted else 0.25 if set(said) <= set(wanted) else 0.0
    try:
        return float(float(prediction) == float(truth))
    except ValueError:
        return float(truth.lower().replace(" ", "") in prediction.lower().replace(" ", ""))


def choice_said(reply: str) -> str:
    """The letter of a reply where one is right: the first of A to D; "A" where there is none, "None" for no reply."""
    if not reply.strip():
        return "None"
    # "ABCD" is searched as text there, so that "BC" stays what it is.
    if reply in LETTERS:
        return reply
    return next((c for c in reply if c in LETTERS), "A")


def choices_said(reply: str) -> str:
    """The letters of a reply where several may be right: those it begins with, else those before ".", ")" or a blank."""
    if not reply.strip():
        return "None"
    if reply in LETTERS:
        return reply
    rest = reply.lstrip(LETTERS)
    leading = reply[: len(reply) - len(rest)]
    if len(leading) > 1:
        return "".join(sorted(set(leading)))
    rest = rest.split("Question")[0]
    found = {c for c in leading + "".join(re.findall(r"\s*([A-Z])(?=[\s.)])", rest)) if c in LETTERS}
    if found:
        return "".join(sorted(found))
    run = re.search(f"[{LETTERS}]+", rest)
    return run[0] if run else "A"


def choice_meant(answer: str) -> str:
    """The letters in the first word of an accepted answer."""
    return "".join(c for c in answer.split()[0] if c in LETTERS) or "A" if answer.split() else "A"


def number_said(reply: str) -> str:
    """What follows "The answer is", else the last word with a digit of the first paragraph: its digits up to a point."""
    told = re.search(r"The answer is (\S+)", reply)
    words = [told[1]] if told else [w for w in reply.split("\n\n")[0].split(" ") if any(c.isdigit() for c in w)]
    return "".join(c for c in words[-1].partition(".")[0] if c.isdigit()) if words else ""


def printed(text: str) -> str:
    """A program's output as it is compared: one line, without commas, quotes, backslashes, ".0" and blanks between brackets."""
    text = re.sub(r"\s+", " ", text)
    for old, new in ((",", ""), ("'", ""), ("\\", ""), (".0", ""), ("] [", "]["), ("[ [", "[["), ("] ]", "]]")):
        text = text.replace(old, new)
    return text


def printed_said(reply: str, truth: str) -> str:
    """The last words of a reply, three more than the truth has, or as many after "the final output"."""
    room = len(truth.split()) + 3
    text = printed(reply)
    # One after the other, as there: with "is" gone from every word, "would be" and what follows are as they stand.
    for filler in ("will be", "of the code", "is", "would be", "the value of", "the result of", "printed"):
        text = text.replace(filler, "")
    if "the final output" in text:
        return " ".join(re.split(r"\s+", text.split("the final output")[-1])[:room])
    return " ".join(re.split(r"\s+", text)[-room:])


def truths(text: str) -> tuple[str, str]:
    """By the story and by the real world, of "True [fact: False]"."""
    story, found, world = text.lower().partition("[fact:")
    if not found:
        raise UserError(f"leval/sci-fi reads 'by the story [fact: by the world]', got {text!r:.60}")
    return story.strip(), world.partition("[fact:")[0][:-1].strip()


def truth_said(text: str) -> str:
    """True or false, whichever the first word that holds one does."""
    found = next((word for word in text.lower().split() if "true" in word or "false" in word), "")
    return "true" if "true" in found else "false" if found else "<error>"


def _best(one: Callable[[str, str], float], text: str) -> Metric:
    def metric(prediction: str, answers: Sequence[str], **_: Any) -> float:
        return max((float(one(prediction, answer)) for answer in answers), default=0.0)

    metric.__doc__ = text
    return metric


def _sci_fi(prediction: str, truth: str) -> float:
    pairs = zip(truths(prediction), truths(truth), strict=True)
    return sum(exact_match(truth_said(said), meant) for said, meant in pairs) / 2


METRICS: dict[str, Metric] = {
    "leval/choice": _best(
        lambda p, t: exact_match(choice_said(p), choice_meant(t)),
        "L-Eval quality, tpo: the first letter A to D, A where none is.",
    ),
    "leval/choices": _best(
        lambda p, t: exact_match(choices_said(p), choice_meant(t)),
        "L-Eval coursera: letters; a part of the right ones is 0.25.",
    ),
    "leval/number": _best(
        lambda p, t: exact_match(number_said(p), number_said(t)), "L-Eval gsm100: the number told at last, digits only."
    ),
    "leval/output": _best(
        lambda p, t: exact_match(printed_said(p, t), printed(t)), "L-Eval codeU: the output among the last words of the reply."
    ),
    "leval/contains": _best(exact_match, "L-Eval topic retrieval: the answer inside the reply, in any case, blanks aside."),
    "leval/sci-fi": _best(_sci_fi, "L-Eval sci_fi: mean of two truths, as in 'True [fact: False]'."),
    "leval/f1": _best(lambda p, t: f1(english(p), english(t)), "Token F1 after SQuAD's normalising, best over answers."),
    "leval/rouge1": _best(lambda p, t: rouge_scores.rouge_n(p, t, 1), "ROUGE-1 F of rouge_score, no stemmer."),
    "leval/rouge2": _best(lambda p, t: rouge_scores.rouge_n(p, t, 2), "ROUGE-2 F of rouge_score, no stemmer."),
    "leval/rougeL": _best(rouge_scores.rouge_l, "ROUGE-L F of rouge_score, no stemmer."),
}
"""By the name that `leadline score --metric` takes."""
