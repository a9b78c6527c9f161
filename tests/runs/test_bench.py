"""What checks of tasks are given: it holds where all is right, and does not where something is broken."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leadline import catalog
from leadline.nouns import UserError
from leadline.runs import verify
from leadline.runs.bench import Bench

QUICK = ("sgt", "longgenbench", "summhay", "gonerd", "film-val", "longsafety", "longscore", "xfinder")
"""Systems whose checks take a few seconds and ask for nothing beside the package."""


@pytest.fixture(scope="module")
def lab() -> Bench:
    return Bench()


def entry(name: str) -> catalog.Entry:
    return verify.checks()[name][0]


def test_every_benchmark_of_the_catalogue_brings_a_check(shared: Path) -> None:
    """Rows of the mission that measure, but for those whose rooms are still to come."""
    text = (shared / "systems.yaml").read_text(encoding="utf-8")
    rows = re.findall(r'^- \{id: ([\w-]+), seed: "\d+", room: (?:tasks|scoring),', text, re.M)
    here = {e.id for e in verify.every()}
    assert len(rows) > 30
    assert not [name for name in rows if name in here and name not in verify.checks()]


@pytest.mark.parametrize("name", QUICK)
def test_a_check_holds_and_its_control_does_not(name: str, lab: Bench) -> None:
    finding = catalog.module(entry(name)).check(lab)
    assert finding.holds is not False, finding.figure
    assert not finding.control_holds and finding.figure and finding.control


def test_without_the_peers_folder_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEADLINE_PEERS", str(tmp_path / "nowhere"))
    finding = catalog.module(entry("l-eval")).check(Bench())
    assert finding.holds is None and "LEADLINE_PEERS" in finding.figure


def test_a_broken_scorer_is_seen(monkeypatch: pytest.MonkeyPatch, lab: Bench) -> None:
    """A task that says yes to everything: wrong replies score, and so the check does not hold."""
    cls = catalog.load("longhealth-cases", "tasks")
    monkeypatch.setattr(cls, "grade", lambda self, found, answers, item: 1.0)
    finding = catalog.module(entry("longhealth")).check(lab)
    assert finding.holds is False and "NOT MET" in finding.figure


def test_a_broken_builder_is_seen(monkeypatch: pytest.MonkeyPatch, lab: Bench) -> None:
    """Prompts that are a little too long."""
    from leadline.data.haystack import Builder

    real = Builder.build

    def longer(self: Any, *args: Any, **more: Any) -> Any:
        prompt = real(self, *args, **more)
        return replace(prompt, tokens=prompt.length + 1)

    monkeypatch.setattr(Builder, "build", longer)
    assert not lab.build("needle", lengths=("1k",)).holds


def test_what_is_concluded(lab: Bench) -> None:
    yes, no, unknown = (True, "a"), (False, "b"), (None, "c")
    assert lab.conclude(yes, yes, control=no).holds is True
    assert lab.conclude(yes, unknown, control=no).holds is None
    found = lab.conclude(yes, unknown, no, control=[no, yes])
    assert found.holds is False and found.control_holds and found.figure == "a; c; NOT MET: b" and found.control == "b; a"


def test_agreement(lab: Bench) -> None:
    got = lab.agree([1.0, None, 0.5], [1.0, None, 0.6], "rows")
    assert (got.equal, got.of, got.differ, got.holds) == (2, 3, (2,), False) and str(got) == "2 of 3 rows agree"
    assert not lab.agree([], [], "rows").holds, "nothing compared shows nothing"
    assert not lab.agree([None], [0.0]).holds
    with pytest.raises(ValueError, match="zip"):
        lab.agree([1.0], [])


def test_a_check_that_fails_holds_nothing_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    failing = {"sgt": KeyError("x"), "gonerd": UserError("no library"), "longins": ImportError("no torch")}

    def module(one: catalog.Entry) -> Any:
        def check(lab: Bench) -> Any:
            raise failing[one.id]

        return type("Broken", (), {"check": staticmethod(check)})

    monkeypatch.setattr(catalog, "module", module)
    results = {r.id: r for r in verify.verify(list(failing))}
    assert [results[name].holds for name in failing] == [False, None, None]
    assert "KeyError" in results["sgt"].figure and "no library" in results["gonerd"].figure
    verify.known.cache_clear()
