"""A method that a user keeps outside the package: one file, named by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from leadline import applied, catalog  # noqa: E402

from .conftest import feed, words  # noqa: E402

MINE = '''"""Newest: keep the newest tokens."""

from dataclasses import dataclass

from leadline.methods.base import Method, Policy, Store


@dataclass(frozen=True, kw_only=True)
class Newest(Method, Policy):
    """Newest: keep the newest tokens."""

    budget: int = 64
    """Entries kept per kv-head [tokens]."""

    when = "always"
    looks = False

    def __post_init__(self) -> None:
        self.require(budget=self.budget >= 1)

    def settle(self, store: Store, decoding: bool) -> None:
        store.keep_newest(self.budget)

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return self.budget
'''


def test_a_file_of_ones_own_is_a_method(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "newest.py"
    path.write_text(MINE)
    model = tiny("llama")
    with applied(model, f"yarn + {path}(budget=9)") as stack:
        cache = feed(model, [words(40)], after=[words(3)])[1]
    assert [layer.length for layer in cache.layers] == [9, 9]
    assert str(stack) == f"yarn + {path}(budget=9)"
    assert catalog.make(str(stack.methods[1]), "methods").budget == 9
