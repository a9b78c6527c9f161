"""leadline: measure how far a language model really reads, and help it to read further."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadline.methods._learn import fit
    from leadline.methods._stack import applied
    from leadline.models.local import load

__version__ = "0.1.0"
__all__ = ["applied", "fit", "load"]

_LAZY = {"load": "leadline.models.local", "applied": "leadline.methods._stack", "fit": "leadline.methods._learn"}
"""Where the public names live; modules with tensors are only imported when a name is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'leadline' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
