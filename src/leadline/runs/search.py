"""Finds breakdown lengths round by round: the statistics say where to look next, a run asks there.

Knows nothing of how the next length is chosen (`scoring.search`) nor of how samples travel (`execute`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leadline.nouns import Record, UserError
from leadline.runs.execute import Run, Watch
from leadline.runs.plan import Cell, Plan, cell_at, cells, task_of
from leadline.scoring import stats
from leadline.scoring.search import Search


def search(
    plan: Plan, folder: str | Path, progress: Watch | None = None, *, width: float = 2.0, share: float = 0.85
) -> list[Record]:
    """Ask where it tells most about the breakdown length, from the shortest of the plan's lengths to its longest.

    All is journaled: a search that was killed goes on where it was, for it is given the same scores again.

    Args:
        plan: `base` and `lengths` bound the search; `samples` are asked at a time.
        folder: the run's.
        progress: called after every sample and with every note.
        width: how narrow the 95 % interval must become: its upper end over its lower one.
        share: of the base.

    Returns:
        The records of all cells that were asked.

    Raises:
        UserError: as `run`; no base lengths, or only one length.
    """
    longs = [length for length in plan.lengths if length > max(plan.base, default=0)]
    if not plan.base or len(longs) < 2:
        raise UserError(
            "a search needs base lengths, and at least two longer ones to look between: --base 512 --lengths 1k,32k"
        )
    with Run(plan, folder, progress) as work:
        places = [cell for cell in cells(plan, [(longs[0], False)]) if cell.length]
        searches = {cell: _Search(work, cell, (min(longs), max(longs)), width, share) for cell in places}
        if plan.prior:
            work.ask({cell: plan.samples for cell in work.cells if not cell.length})
        while rounds := [found for one in searches.values() if (found := one.next())]:
            work.ask(dict(rounds))
            for one in searches.values():
                one.take()
        return work.finish()


class _Search:
    """One model, method and task, searched."""

    def __init__(self, work: Run, cell: Cell, between: tuple[int, int], width: float, share: float) -> None:
        plan = work.plan
        task = task_of(cell.task)
        base = [length for length in plan.base if length >= task.minimum]
        self.work, self.cell = work, cell
        low = max(between[0], task.minimum)
        self.state = Search(base, low, between[1], width, share, plan.samples, plan.seed, chance=task.chance) if base else None
        if not base:
            work.note(f"{cell.task}: not searched, for it needs {task.minimum} tokens or more at the base")
        self.asked: dict[int, int] = {}
        self._round: tuple[Cell, int] | None = None

    def next(self) -> tuple[Cell, int] | None:
        """The cell to ask next, with the number of samples that it is to have then."""
        step = self.state.next() if self.state else None
        if step is None:
            self.state = None
            return None
        length, more = step
        self._round = cell_at(self.work.plan, self.cell, length), self.asked.get(length, 0) + more
        return self._round

    def take(self) -> None:
        """Give the scores of the last round to the state machine; stop where nothing could be asked."""
        if self.state is None or self._round is None:
            return
        cell, n = self._round
        before = self.asked.get(cell.length, 0)
        new = self.work.first(cell, n)[before:]
        counted = [(r.score, r.cluster) for r in new if r is not None and r.score is not None]
        scores = [score for score, _ in counted]
        self.asked[cell.length] = n
        if not counted:
            self.work.note(f"{cell}: the search ends here, for none of {n - before} samples could be scored")
            self.state = None
            return
        group = stats.codes([cluster for _, cluster in counted], len(scores))
        self.state.add(cell.length, scores, len(scores) / stats.design_effect(np.array(scores), group))
