"""Pages that are generated are as the code has it."""

import runpy
from pathlib import Path

import pytest


def test_the_catalogue_of_methods_is_current():
    pytest.importorskip("torch")
    docs = Path(__file__).parents[1] / "docs"
    made = runpy.run_path(str(docs / "catalogue.py"))["page"]()
    assert (docs / "methods.md").read_text(encoding="utf-8") == made, "run: python docs/catalogue.py"
