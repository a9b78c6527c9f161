"""`leadline verify`: what is found is kept with its key, a control that passes is no proof, and old code proves nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from leadline import catalog, cli
from leadline.nouns import UserError
from leadline.runs import verify as v


@pytest.fixture(autouse=True)
def own_state(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    v.known.cache_clear()
    yield tmp_path
    v.known.cache_clear()


def checked_by(monkeypatch: pytest.MonkeyPatch, **found: Any) -> None:
    """Let every plugin's check find this."""
    monkeypatch.setattr(catalog, "module", lambda entry: SimpleNamespace(check=lambda lab: lab.finding(**found)))


def test_what_is_found_is_kept_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    checked_by(monkeypatch, holds=True, figure="1.00", control="0.00", control_holds=False)
    (result,) = v.verify(["self-extend"])
    assert result.holds is True and result.key == v.key(catalog.find("self-extend", "methods"))
    assert v.fields(catalog.find("self-extend", "methods")) == {
        "holds": True,
        "figure": "1.00",
        "date": result.date,
        "hardware": result.hardware,
    }
    monkeypatch.setattr(v, "SHIPPED", v.SHIPPED.with_name("none.json"))
    v.known.cache_clear()
    assert set(v.known()) == {("methods", "self-extend")}


def test_a_control_that_passes_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    checked_by(monkeypatch, holds=True, figure="1.00", control="1.00", control_holds=True)
    (result,) = v.verify(["self-extend"])
    assert result.holds is False and "shows nothing" in result.control


def test_results_of_other_code_are_not_known(own_state: Any) -> None:
    row = asdict(v.Result("self-extend", "methods", True, "1.00", "0.00", "here", "2026-01-01", 1.0, "0" * 16))
    v.state_file().parent.mkdir(parents=True)
    v.state_file().write_text(json.dumps([row]))
    shipped = {(r["room"], r["id"]) for r in json.loads(v.SHIPPED.read_text())}
    assert v.fields(catalog.find("self-extend", "methods"))["date"] != "2026-01-01"
    assert set(v.known()) <= shipped
    v.state_file().write_text("[{")
    v.known.cache_clear()
    assert set(v.known()) <= shipped


@pytest.mark.parametrize(("ids", "says"), [(["self-extent"], "self-extend"), (["yarn"], "no check yet")])
def test_what_cannot_be_checked_is_said(ids: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        v.verify(ids)


def test_a_training_stands_on_what_it_imports() -> None:
    """So that another generator of data does not ask for a quarter of an hour of training again."""
    found = {path.relative_to(catalog.ROOT).as_posix() for path in v._imported(catalog.find("joint-recall", "training").path)}
    assert {"data/joint_recall.py", "scoring/stats.py"} <= found and "data/world.py" not in found


def test_a_gpu_is_asked_for_where_there_is_none() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UserError, match="--gpu"):
        v.verify(["kivi"], gpu=True)


def test_what_is_shipped_names_plugins_and_has_controls() -> None:
    for row in json.loads(v.SHIPPED.read_text(encoding="utf-8")):
        assert (
            row["room"] in {e.room for e in v.checks()[row["id"]]}
            and row["figure"]
            and row["control"]
            and row["hardware"]
            and row["date"]
        )
        assert row["holds"] in (True, False, None)


def test_the_command_runs_a_real_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["leadline", "verify", "anchor-attention", "--json"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    (row,) = json.loads(capsys.readouterr().out)
    assert left.value.code == 0
    assert row["id"] == "anchor-attention" and row["holds"] is None and "blocks" in row["figure"] and row["control"]
    assert {"id", "holds", "figure", "hardware", "date"} <= set(row)
