"""Extraction and audit."""

from __future__ import annotations

import pytest

from leadline.nouns import Answer
from leadline.scoring import extract as x


@pytest.mark.parametrize(
    ("answer", "single", "want"),
    [
        (Answer(text="42", stop="stop"), True, ("42", "answered")),
        (Answer(stop="error", error="timeout"), True, (None, "provider error")),
        (Answer(stop="filter"), True, (None, "refused")),
        (Answer(stop="window"), True, (None, "over the window")),
        (Answer(thinking="hm", stop="length"), True, (None, "thinking ran out")),
        (Answer(text="<think>hm", stop="length"), True, (None, "thinking ran out")),
        (Answer(text="<think>hm", stop="stop"), True, (None, "empty")),
        (Answer(text="  \n", stop="stop"), True, (None, "empty")),
        (Answer(text="", stop="length"), True, (None, "empty")),
        (Answer(text="it is 42", stop="length"), True, (None, "cut off")),
        (Answer(text="it is 42, which", stop="length"), True, ("42", "answered")),
        (Answer(text="42\nand so", stop="length"), True, ("42", "answered")),
        (Answer(text="42\nand so", stop="length"), False, (None, "cut off")),
        (Answer(text="dunno and", stop="length"), True, (None, "cut off")),
        (Answer(text="dunno", stop="stop"), True, (None, "format not found")),
        (Answer(text="<think>7 or 8</think>\n\n42"), True, ("42", "answered")),
        (Answer(text="7 or 8</think>42"), True, ("42", "answered")),
        (Answer(text="<think>a</think><think>b</think>42"), True, ("42", "answered")),
    ],
)
def test_judge(answer: Answer, single: bool, want: tuple[str | None, str]) -> None:
    assert x.judge(answer, x.first_integer, single_line=single) == want


def test_score_counts_own_faults_only() -> None:
    grade = lambda found: float(found == "42")  # noqa: E731
    assert x.score(Answer(text="**42**"), x.first_integer, grade, single_line=True).value == 1
    assert x.score(Answer(text="none"), x.first_integer, grade, single_line=True).value == 0
    assert x.score(Answer(stop="error"), x.first_integer, grade, single_line=True).value is None


@pytest.mark.parametrize(
    ("extractor", "text", "want"),
    [
        (x.first_integer, "There are 1,234 of 40.", "1234"),
        (x.first_integer, "**Answer:** 007", "7"),
        (x.first_integer, "-5 degrees", "-5"),
        (x.first_integer, "3.5 then 4", "4"),
        (x.last_integer, "1, 2 and 12.", "12"),
        (x.first_integer, "A12", None),
        (x.first_digits, "key 00712.", "00712"),
        (
            x.last_uuid,
            "a949307a-fc29-42df-9171-d9202ebbfc3a -> `C79019c6-0d63-4a36-b42e-8aa3e5d4ddf1`.",
            "C79019c6-0d63-4a36-b42e-8aa3e5d4ddf1",
        ),
        (x.first_line, "\n**Answer:** Paris.\nbecause", "Paris"),
        (x.first_line, "Answer:\nParis", "Paris"),
        (x.first_line, 'The answer is: "New York".', "New York"),
        (x.first_line, "Washington D.C.", "Washington D.C"),
        (x.first_line, "  \n ", None),
        (x.last_line, "so 3 + 4\nThe final answer is 7.", "7"),
        (x.after_answer, "I think X. Answer: blue\nmore", "blue"),
        (x.quoted, 'The value is "red fox".', "red fox"),
        (x.passage_number, "In 1999, Passage 7 says", "7"),
        (x.passage_number, "Paragraph: 12", "12"),
        (x.letter(), "The answer is (B).", "B"),
        (x.letter(), "b) because", "B"),
        (x.letter(), "C", "C"),
        (x.letter(), "A good question, surely D", "D"),
        (x.letter(), "Answer: **C**", "C"),
        (x.letter(), "none of them", None),
        (x.label(("no", "yes", "not sure")), "I do know. Not sure!", "not sure"),
        (x.yes_no, "Yes, it did", "yes"),
    ],
)
def test_extractors(extractor: x.Extractor, text: str, want: str | None) -> None:
    assert extractor(text) == want
