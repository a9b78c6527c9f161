"""What every method is: settings, what it declares of itself, and one or more seams that it takes hold of.

A method is one frozen dataclass in one file of this folder. It derives from `Method` and from the seams that it
changes (`Rope`, `Positions`, `Temper`, `Attention`, `Policy`, `Codec`, `Context`, `Drafter`); those say what to
write. Knows nothing of any single method, nor of how a stack is applied.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import modules
from typing import Any, ClassVar

from leadline.catalog import Spec
from leadline.models.seams.hold import Facts, Reader
from leadline.models.seams.layer import Layer, Look, Step
from leadline.models.seams.parts import (
    Attention,
    Codec,
    Coded,
    Context,
    Drafter,
    Plan,
    Policy,
    Positions,
    Rope,
    RopeFacts,
    Temper,
    View,
    group_mean,
    minus_inf,
    stable_top,
)
from leadline.models.seams.rotary import from_base, unscaled
from leadline.models.seams.store import Store
from leadline.models.seams.tape import SPARE
from leadline.nouns import UserError

SEAMS = (Rope, Positions, Temper, Attention, Policy, Codec, Context, Drafter)
"""Everything that a method can change."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """Base of all methods."""

    neutral: ClassVar[Mapping[str, Any]] = {}
    """Settings under which nothing changes for prompts of up to 200 tokens; the laws hold the method to it."""
    trial: ClassVar[Mapping[str, Any]] = {}
    """Settings that act on prompts of 40 tokens of a model trained to 64; the laws are tried with them."""
    excepts: ClassVar[Mapping[int, str]] = {}
    """Laws of the design that it does not keep, by number, each with the reason."""

    @classmethod
    def id(cls) -> str:
        """The name it is called by; of a file outside the package, its path."""
        module = modules[cls.__module__]
        if not cls.__module__.startswith("leadline."):
            return str(module.__file__)
        stated = getattr(module, "id", None)
        return stated if isinstance(stated, str) else Path(module.__file__ or cls.__name__).stem.replace("_", "-")

    @property
    def spec(self) -> Spec:
        """Name and the settings that differ from the defaults."""
        changed = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        return Spec(self.id(), changed)

    def __str__(self) -> str:
        return str(self.spec)

    def fit(self, model: Facts) -> None:  # noqa: B027
        """Refuse a model that the method does not fit.

        Raises:
            UserError: why, and what to do.
        """

    def reach(self, window: int) -> int | None:
        """How far a model of that window reads with the method [tokens]; None for no limit."""
        return window

    def require(self, **allowed: bool) -> None:
        """Check settings: each name with whether its value is allowed.

        Raises:
            UserError: names the first that is not, and its documentation.
        """
        for name, good in allowed.items():
            if not good:
                raise UserError(f"{self.id()}: {name}={getattr(self, name)!r} cannot be; {about(type(self)).get(name, '')}")


def about(cls: type) -> dict[str, str]:
    """What is written under each setting of a method's class, its bases' included."""
    import ast
    import inspect
    import textwrap

    found: dict[str, str] = {}
    for base in reversed([c for c in cls.__mro__ if dataclasses.is_dataclass(c)]):
        tree = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(tree, ast.ClassDef)
        for node, after in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
                if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
                    found[node.target.id] = " ".join(after.value.value.split())
    return found


def plan(methods: tuple[Method, ...]) -> Plan:
    """Sort methods by what they change; a method may change several things."""

    def one(kind: type) -> Any:
        return next((m for m in methods if isinstance(m, kind)), None)

    def every(kind: type) -> Any:
        return tuple(m for m in methods if isinstance(m, kind))

    return Plan(
        rope=one(Rope),
        positions=one(Positions),
        tempers=every(Temper),
        attention=every(Attention),
        policies=every(Policy),
        codec=one(Codec),
        context=one(Context),
        drafter=one(Drafter),
    )


__all__ = [
    "SPARE",
    "Attention",
    "Codec",
    "Coded",
    "Context",
    "Drafter",
    "Facts",
    "Layer",
    "Look",
    "Method",
    "Plan",
    "Policy",
    "Positions",
    "Reader",
    "Rope",
    "RopeFacts",
    "Step",
    "Store",
    "Temper",
    "UserError",
    "View",
    "from_base",
    "group_mean",
    "minus_inf",
    "stable_top",
    "unscaled",
]
