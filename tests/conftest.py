"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and peers' scores; tests that need it are skipped where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no folder of peers' data beside the project")
    return SHARED


@pytest.fixture(scope="session")
def tokenizer():
    """The embedded model's tokenizer."""
    from leadline.data.tokens import load_tokenizer

    return load_tokenizer("minnow")
