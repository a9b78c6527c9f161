"""Diffusion and scope as the sheet's examples have them, and their monotone laws."""

import math

import pytest

from leadline.data.difficulty import difficulty, spread

WORDS = 1000


def context(evidence: str, filler: str = "zzzz ", at: int = 500) -> tuple[str, list[tuple[int, int]]]:
    text = filler * WORDS
    return text[:at] + evidence + text[at + len(evidence) :], [(at, at + len(evidence))]


def test_one_needle_is_low_and_low():
    text, spans = context("code code falcon falcon amber amber code code amber ")
    assert spans[0][1] - spans[0][0] == 52
    hard = difficulty(text, [(500, 550)], 1000, "The code of amber falcon?")
    assert (hard.rarity, hard.spread, hard.lexical, hard.distraction, hard.depth) == (0.99, 0, 0, 0, 0)
    assert hard.diffusion == pytest.approx(0.198)
    assert hard.scope == pytest.approx(math.log2(11) / math.log2(1001))


def test_paraphrase_among_distractors():
    half = "code " * 500 + "zzzz " * 500
    hard = difficulty(half, [(4000, 4050)], 1000, "The code?")
    assert hard.lexical == 1 and hard.distraction == pytest.approx(0.5, abs=0.02)
    assert hard.diffusion == pytest.approx(0.498, abs=0.005)


def test_summary_of_all_has_full_scope():
    text = "word " * 400
    assert difficulty(text, [(0, len(text))], 500, "Summarise.").scope == pytest.approx(1)


def test_laws():
    text, spans = context("the amber code ")
    base = difficulty(text, spans, 1000, "Which amber code?")
    assert difficulty(text + "zzzz " * 500, spans, 1500, "Which amber code?").rarity >= base.rarity
    assert difficulty(text, [*spans, (900, 930)], 1000, "Which amber code?").scope >= base.scope
    assert difficulty(text.replace("amber", "ochre"), spans, 1000, "Which amber code?").lexical >= base.lexical
    assert spread([0.4, 0.5]) <= spread([0.3, 0.6]) <= spread([0.1, 0.9]) == 1 and spread([0.5]) == 0
    assert spread([(j + 1) / 5 for j in range(4)]) == pytest.approx(1)
    assert difficulty(text, spans, 1000, "Which amber code?", hops=3).depth == 0.5
    assert abs(difficulty(text, spans, 1400, "Which amber code?").scope - base.scope) < 0.05


def test_multi_hop_words_come_from_earlier_spans():
    text = "falcon owns heron " + "zzzz " * 100 + "heron holds ember"
    spans = [(0, 17), (len(text) - 17, len(text))]
    near = difficulty(text, spans, 200, "What does falcon hold?", hops=2)
    assert near.lexical < difficulty(text, spans, 200, "What does falcon hold?", hops=1).lexical
    assert difficulty("x", [], 1, "").scope == 0
