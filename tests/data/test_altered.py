"""Altered numbers: every occurrence, nothing else, and never a number that was there."""

import random

import pytest

from leadline.data.altered import alter, number, occurrences


def changed(document, answer, seed=0, question="When?"):
    return alter(document, question, answer, random.Random(seed))


def test_years_move_by_at_most_ten():
    seen = set()
    for seed in range(200):
        document, question, answer = changed("Built in 1987 (1987-90), not 11987 or 1987.5.", "1987", seed, "And 1987?")
        value = int(answer)
        assert 1977 <= value <= 1997 and value != 1987
        assert document == f"Built in {value} ({value}-90), not 11987 or 1987.5." and question == f"And {value}?"
        seen.add(value)
    assert len(seen) == 20


def test_other_numbers_keep_their_digits_and_commas():
    for seed in range(50):
        document, _, answer = changed("It has 1,250 houses; 1250 of them empty, and 51,250 trees.", "1,250", seed)
        value = number(answer)
        assert 1000 <= value <= 9999 and value != 1250 and "," in answer
        assert document == f"It has {value:,} houses; {value} of them empty, and 51,250 trees."
        _, _, answer = changed("Room 482.", "482", seed)
        assert 100 <= int(answer) <= 999 and answer != "482"
        _, _, answer = changed("He has 7 cats.", "7", seed)
        assert len(answer) == 1 and answer != "7"


def test_the_new_number_did_not_stand_there():
    taken = " ".join(str(y) for y in range(1977, 1998) if y != 1980)
    assert {changed(taken, "1987", seed)[2] for seed in range(20)} == {"1980"}
    assert changed(" ".join(map(str, range(1977, 1998))), "1987") is None, "none is left"
    assert changed("0 1 2 3 4 5 6 7 8 9", "7") is None


@pytest.mark.parametrize("answer", ["Paris", "12 kg", "1987-90", "3.5", "", "1,25", "99"])
def test_what_is_no_number_of_the_document_is_left(answer):
    assert changed("Paris, 1987-90, 3.5, 12 kg, 1,25, 199", answer) is None


def test_a_number_in_a_number_is_none():
    found = occurrences(1250)
    assert [bool(found.search(t)) for t in ("1250", "1,250", "(1250)", "1250.", "x1250", "1250,")] == [True] * 6
    assert not any(found.search(t) for t in ("11250", "1250.5", "1,250,000", "12500", "0.1250", "2,1250"))
    assert number("1,250 ") == 1250 and number("12,50") is None and number("x") is None
