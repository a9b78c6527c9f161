"""Diffusion and scope as the sheet's examples have them, and their monotone laws."""

import math
import random

import pytest

from leadline.data.difficulty import difficulty, spread, words

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


def test_chinese_has_words_too():
    assert words("琥珀猎鹰的密码是什么？") == {"琥珀", "珀猎", "猎鹰", "密码"}
    assert words("In 龙城 the 42 lamps") == {"龙城", "42", "lamps"}
    filler = "老桥头留着昨夜的雨水。" * 200
    fact = "琥珀猎鹰的密码是482193。"
    text = filler[:1000] + fact + filler[1000:]
    plain = difficulty(text, [(1000, 1000 + len(fact))], 2000, "琥珀猎鹰的密码是什么？")
    assert plain.lexical == 0 and plain.distraction == 0 and plain.diffusion < 0.25
    other = difficulty(text, [(1000, 1000 + len(fact))], 2000, "那只鸟的口令是什么？")
    assert other.lexical == 1
    among = difficulty("琥珀猎鹰的密码是482193。" * 100, [(0, len(fact))], 2000, "琥珀猎鹰的密码是什么？")
    assert among.distraction > 0.6


def test_the_parts_say_how_much_there_is():
    text, spans = context("the amber code ")
    hard = difficulty(text, [*spans, (900, 930)], 1000, "Which amber code?")
    assert hard.spans == 2 and hard.scope_share == pytest.approx(45 / len(text))
    assert hard.scope_tokens == pytest.approx(45 / len(text) * 1000)


def test_distraction_by_a_slow_reference():
    """Every place of the span's size, one after the other, against the sampled ones."""
    rng = random.Random(3)
    filler = [f"note{i}" for i in range(20)]
    tokens = [rng.choice(["amber", "falcon", *filler]) for _ in range(4000)]
    text = " ".join(tokens)
    fact = "amber falcon"
    text = text[:5000] + f" {fact} " + text[5000:]
    at = text.index(f" {fact} ", 4990) + 1
    hard = difficulty(text, [(at, at + len(fact))], 4000, "Where is the amber falcon?")
    asked, n = words("Where is the amber falcon?"), len(fact)
    places = [i for i in range(0, len(text) - n, n) if i + n <= at or i >= at + n]
    hits = sum(len(words(text[i : i + n]) & asked) >= 2 for i in places)
    assert hard.distraction == pytest.approx(hits / len(places), abs=0.1)
