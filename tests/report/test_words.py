import pytest

from leadline.report import words
from leadline.scoring.breakdown import Breakdown


@pytest.mark.parametrize(
    ("tokens", "said"), [(512, "512"), (4096, "4k"), (1500, "1,500"), (6144, "6k"), (2**20, "1m"), (1536 * 1024, "1536k")]
)
def test_lengths_are_written_as_they_are_typed(tokens: int, said: str) -> None:
    assert words.length(tokens) == said


@pytest.mark.parametrize(("tokens", "said"), [(687, "690"), (1234, "1,230"), (96, "96"), (7, "7"), (99_700, "100,000")])
def test_estimates_carry_two_figures(tokens: int, said: str) -> None:
    assert words.about(tokens) == said


@pytest.mark.parametrize(
    ("breakdown", "said"),
    [
        (Breakdown(687, 602, 838), "reads reliably to about 690 tokens (95 %: 600–840)"),
        (Breakdown(3900, 2100, None), "reads reliably to about 3,900 tokens (95 %: 2,100 or more)"),
        (
            Breakdown(4096, 2900, None, True),
            "reads reliably to at least 4k tokens (the longest length measured; 95 %: at least 2,900)",
        ),
        (Breakdown(4096, 4096, None, True), "reads reliably to at least 4k tokens (the longest length measured)"),
        (Breakdown(512, None, 512, True), "has broken down by 512 tokens (the shortest length measured beyond the base)"),
        (Breakdown(None, note="base too low: 0.020, chance 0.00"), "has no breakdown length: base too low: 0.020, chance 0.00"),
    ],
)
def test_breakdown_in_plain_words(breakdown: Breakdown, said: str) -> None:
    assert words.fall(breakdown) == said


@pytest.mark.parametrize(
    ("breakdown", "said"),
    [
        (Breakdown(687, 602, 838), "~690"),
        (Breakdown(4096, 9, None, True), "≥ 4k"),
        (Breakdown(512, None, 9, True), "≤ 512"),
        (Breakdown(None), "–"),
    ],
)
def test_breakdown_in_a_table(breakdown: Breakdown, said: str) -> None:
    assert words.bound(breakdown) == said


def test_numbers_with_their_units() -> None:
    assert [words.amount(n) for n in (None, 0, 512, 1536, 14 * 2**20, 300 * 2**30)] == [
        "–",
        "0 B",
        "512 B",
        "1.5 KiB",
        "14.0 MiB",
        "300 GiB",
    ]
    assert [words.duration(s) for s in (None, 0.0031, 2.41, 300, 7500)] == ["–", "3.1 ms", "2.41 s", "5 min", "2 h 05 min"]
    assert [words.change(v) for v in (None, -17.46, 3.04, -0.02)] == ["–", "−17.5 %", "+3.0 %", "0.0 %"]
    assert [words.score(v) for v in (None, 0.874, 1.0)] == ["–", "87", "100"]
