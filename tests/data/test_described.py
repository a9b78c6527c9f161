"""Described functions: the description names the steps, never the function, and the function does what it says."""

from __future__ import annotations

import pytest

from leadline.data.described import function


@pytest.mark.parametrize("index", range(40))
def test_a_function_runs_and_its_description_is_its_own(index: int) -> None:
    one = function(index)
    space: dict = {}
    exec(one.text, space)  # noqa: S102 - our own text
    assert isinstance(space[one.name](5, 700), int | list)
    assert one.name not in one.said and one.said.startswith("It takes")
    assert function(index) == one != function(index, seed=1)


def test_no_two_are_described_alike() -> None:
    many = [function(i) for i in range(2000)]
    assert len({f.said for f in many}) == len({f.name for f in many}) == len({f.text for f in many}) == 2000
