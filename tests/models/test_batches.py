"""Grouping by shared prefix and cutting into batches, on token ids alone."""

from __future__ import annotations

import random

from leadline.models.batches import Request, Row, batches, common, plan


def rows(*ids: list[int], room: int = 4) -> list[Row]:
    return [Row(i, Request("", room), list(x)) for i, x in enumerate(ids)]


def shape(groups: list) -> list[tuple[int, list[int]]]:
    return [(g.prefix, sorted(r.index for r in g.rows)) for g in groups]


def test_common() -> None:
    assert common([1, 2, 3], [1, 2, 4, 5]) == 2
    assert common([1, 2], [1, 2, 3]) == 2
    assert common([], [1]) == common([2], [1]) == 0


def test_rows_that_share_nothing_are_one_group() -> None:
    assert shape(plan(rows([1, 2], [3, 4], [1, 5]), least=3)) == [(0, [0, 1, 2])]
    assert plan([]) == plan([], kept=[1, 2, 3]) == []


def test_one_instruction_does_not_break_up_haystacks() -> None:
    instruction, a, b = [9] * 4, [1] * 50, [2] * 50
    asked = rows(*(instruction + hay + [i + 10] for i, hay in enumerate([a, b, a, b])), instruction + [7])
    assert shape(plan(asked, least=3)) == [(0, [4]), (54, [0, 2]), (54, [1, 3])]
    short = rows(*(instruction + [i + 10] for i in range(3)))
    assert shape(plan(short, least=3)) == [(4, [0, 1, 2])]


def test_the_last_token_is_always_fed() -> None:
    assert shape(plan(rows([1, 2, 3, 4], [1, 2, 3, 4]), least=2)) == [(3, [0, 1])]
    assert shape(plan(rows([1, 2, 3, 4], [1, 2, 3, 4, 5]), least=2)) == [(3, [0, 1])]


def test_what_is_kept_comes_first_and_serves_one_row_too() -> None:
    asked = rows([5] * 9, [5] * 8 + [1], [1, 2, 3, 4, 5])
    assert shape(plan(asked, kept=[1, 2, 3, 4], least=3)) == [(4, [2]), (8, [0, 1])]
    assert shape(plan(asked, kept=[7, 7, 7], least=3)) == [(0, [2]), (8, [0, 1])]


def test_plans_are_partitions_with_true_prefixes() -> None:
    rng = random.Random(0)
    for _ in range(200):
        asked = rows(*([rng.randrange(2) for _ in range(rng.randint(1, 7))] for _ in range(rng.randint(0, 12))))
        kept = [rng.randrange(2) for _ in range(rng.randint(0, 6))]
        groups = plan(asked, kept, least=2)
        assert sorted(r.index for g in groups for r in g.rows) == list(range(len(asked)))
        for group in groups:
            assert group.rows
            assert len({tuple(r.ids[: group.prefix]) for r in group.rows}) == 1
            assert all(group.prefix < len(r.ids) for r in group.rows)


def test_many_growing_prompts() -> None:
    asked = rows(*([1] * (i + 1) for i in range(1500)))
    assert sum(len(g.rows) for g in plan(asked)) == 1500


def test_batches_keep_the_budget() -> None:
    asked = rows(*([1] * n for n in (30, 5, 6, 100, 7, 29)))
    cut = [[len(r.ids) for r in batch] for batch in batches(asked, 70)]
    assert cut == [[5, 6, 7], [29, 30], [100]]
    assert all(len(b) == 1 or len(b) * (max(b) + 4) <= 70 for b in cut)
    assert list(batches([], 10)) == []
