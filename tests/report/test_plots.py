import subprocess
import sys
from dataclasses import replace

import pytest

from leadline.nouns import UserError
from leadline.report.plots import draw, save
from leadline.scoring.summary import summarise


def test_figures_of_one_model_and_their_files(records, tmp_path) -> None:
    rows = records()
    figures = draw(rows, summarise(rows), trained=512)
    assert list(figures) == ["lengths", "depth", "difficulty"]
    written = save({"lengths": figures["lengths"]}, tmp_path / "new" / "folder")
    assert [p.name for p in written] == ["lengths.png", "lengths.svg"]
    assert written[0].read_bytes().startswith(b"\x89PNG")
    svg = written[1].read_text()
    assert "breaks down at about" in svg and "<script" not in svg


def test_methods_get_a_trade_off(records) -> None:
    rows = records(methods=["", "kivi(bits=2)"], samples=20, tasks=["needle", "multi-doc-qa"], lengths=(128, 256, 512, 1024))
    figures = draw(rows, summarise(rows))
    assert list(figures) == [
        "lengths",
        "depth-plain",
        "difficulty-plain",
        "depth-kivi-bits-2",
        "difficulty-kivi-bits-2",
        "trade",
    ]
    assert len(figures["trade"].axes) == 5


def test_nothing_is_drawn_of_what_is_not_there(records) -> None:
    rows = [replace(r, depths=(), diffusion=0.0, scope=0.0) for r in records(samples=3, tasks=["needle"])]
    assert list(draw(rows, summarise(rows))) == ["lengths"]
    rows = [replace(r, score=None, audit="refused") for r in rows]
    assert draw(rows, summarise(rows)) == {}


def test_a_task_with_several_pieces_of_evidence_has_no_depth_map(records) -> None:
    rows = records(samples=3, tasks=["multi-doc-qa"])
    assert "depth" not in draw(rows, summarise(rows))


def test_a_file_in_the_way_is_the_users_mistake(records, tmp_path) -> None:
    (tmp_path / "here").write_text("")
    with pytest.raises(UserError, match="cannot write figures"):
        save({}, tmp_path / "here")


def test_neither_import_nor_drawing_touches_pyplot() -> None:
    code = "import sys, leadline.report.plots as p; assert 'matplotlib' not in sys.modules; p._figure(1, 1); assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lengths_under_the_base(records) -> None:
    """A length that is shorter than those of the base: asked for, and drawn on its side of the shade."""
    from dataclasses import replace

    from leadline.report.page import page

    rows = [replace(r, base=r.length > 128) for r in records(samples=4, tasks=["needle"], lengths=(128, 256, 512))]
    html = page(rows, summarise(rows), {"run": "r", "cells": []})
    assert "<svg" in html and 'class="base"' in html
    draw(rows, summarise(rows))
