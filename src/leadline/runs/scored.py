"""Predictions that were made elsewhere, scored as a task or a suite scores its own.

Knows nothing of files and of any plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from leadline import catalog
from leadline.nouns import Item, Score, UserError
from leadline.scoring.metrics import Scorer, answer_of

PLAIN = Item(id="", task="", instruction="", question="", answers=(), single_line=False)
"""What is known of a published question: nothing but what the row says."""


def scorer_of(spec: str) -> Scorer:
    """The function that scores one row of predictions as a task does, or as the member of a suite that the row names.

    A row names its member in `task`: by its spec, as `leadline build` does, by its plugin, or by the value of one of its
    settings, as in `quality` for `l-eval-set(subset=quality)`.

    Raises:
        UserError: there is no such task.
    """
    members = [str(one) for one in catalog.expand(catalog.parse(spec), "tasks")]
    if members == [spec] or not catalog.find(catalog.parse(spec).name, "tasks").members:
        return _one(spec)
    names = _names(members)
    made: dict[str, Scorer] = {}

    def scorer(row: Mapping[str, Any]) -> Score:
        said = str(row.get("task", ""))
        member = names.get(said) or (members[0] if len(members) == 1 else None)
        if member is None:
            told = f"'task' is {said!r}" if said else "no 'task'"
            raise UserError(f"{told}: {spec} stands for several tasks, so each row says which; {catalog.nearest(said, names)}")
        if member not in made:
            made[member] = _one(member)
        return made[member](row)

    return scorer


def _names(members: list[str]) -> dict[str, str]:
    """Members by all that names one of them alone."""
    found: dict[str, str | None] = {}
    for member in members:
        parsed = catalog.parse(member)
        said = {parsed.name, *(str(v) for v in parsed.settings.values())} - {member}
        for name in said:
            found[name] = None if name in found else member
    whole = {spec: member for member in members for spec in (member, catalog.make(member, "tasks").spec)}
    return {name: member for name, member in found.items() if member} | whole


def _one(spec: str) -> Callable[[Mapping[str, Any]], Score]:
    task = catalog.make(spec, "tasks")
    # Published data may be far away; what the rows say of their questions is enough.
    example = PLAIN if task.natural else task.items(1)[0]

    def scorer(row: Mapping[str, Any]) -> Score:
        # What `leadline build` said of the item may come back with the row; the task itself knows the rest.
        given = {k: row[k] for k in ("prefill", "meta") if k in row}
        item = replace(example, **{"answers": tuple(row["answers"]), "prefill": "", "meta": {}} | given)
        try:
            return task.score(item.answers, item, answer_of(row))
        except (KeyError, IndexError) as error:
            raise UserError(
                f"{spec} needs more of the item than the row says ({type(error).__name__} {error}): "
                f"give its 'meta' as `leadline build {spec}` does"
            ) from error

    return scorer
