"""What every method is: settings, what it declares of itself, and one or more seams that it takes hold of.

A method is one frozen dataclass in one file of this folder. It derives from `Method` and from the seams that it
changes (`Rope`, `Positions`, `Temper`, `Attention`, `Policy`, `Codec`, `Context`, `Drafter`); those say what to
write. Knows nothing of any single method, nor of how a stack is applied.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from sys import modules
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from leadline.catalog import Spec
from leadline.models.seams.hold import Facts, Reader
from leadline.models.seams.layer import Layer, Look, Step, merged, part
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
from leadline.models.weights import cache_folder
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
    exact: ClassVar[bool] = False
    """Whether it gives what the plain model gives, whatever its settings: then it only saves time or memory."""

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

    def accept(self, model: Facts) -> None:  # noqa: B027
        """Refuse a model that the method does not fit.

        Raises:
            UserError: why, and what to do.
        """

    learns: ClassVar[tuple[str, ...]] = ()
    """Settings that what it learns depends on; empty for methods that learn nothing. Learnt things are in the file that its
    setting `learnt` names."""

    def fit(self, model: Any, batches: Iterable[Any], seed: int = 0) -> Fitted:
        """Learn what the method needs for a model; the model stays as it is.

        Args:
            model: a causal language model of transformers.
            batches: what to learn from; a method's own `fit` says in which form.
            seed: of all that is drawn.

        Raises:
            UserError: a method that learns nothing.
        """
        raise UserError(f"{self.id()} learns nothing: apply it as it is")

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


@dataclass(frozen=True)
class Fitted:
    """What came of learning."""

    method: Method
    """With `learnt` set."""
    figures: Mapping[str, Any]
    """How well it went."""


def keep(method: Method, model: Any, tensors: Mapping[str, Tensor], batches: Any, seed: int, **told: str) -> Method:
    """Write what a method learnt into the user's cache, under a name that says for which weights, settings and data.

    Args:
        method: what learnt.
        model: for which.
        tensors: what was learnt.
        batches: token ids that it was learnt from, for the name.
        seed: of all that was drawn.
        told: further words that are kept with it.

    Returns:
        The method with the file as `learnt`.
    """
    base = _base(method, model)
    data = hashlib.sha256(repr([np.asarray(b).tolist() if isinstance(b, Tensor) else b for b in batches]).encode()).hexdigest()[
        :16
    ]
    key = hashlib.sha256(repr((base, data, seed)).encode()).hexdigest()[:12]
    path = cache_folder() / "learnt" / f"{method.id().rpartition('/')[2]}-{key}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    save_file(
        {name: x.detach().cpu().contiguous() for name, x in tensors.items()},
        part,
        base | {"data": data, "seed": str(seed)} | told,
    )
    part.replace(path)
    return dataclasses.replace(method, learnt=str(path))  # pyright: ignore[reportCallIssue]


def learnt(method: Method, model: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What a method learnt for a model: tensors, and what was kept with them.

    Raises:
        UserError: no such file; learnt for other weights or with other settings.
    """
    path = Path(method.learnt).expanduser()  # pyright: ignore[reportAttributeAccessIssue]
    tensors, told = _read(path) if path.is_file() else ({}, {})
    if not told:
        raise UserError(f"{method}: there is no file {str(path)!r}: give the one that `leadline.fit` wrote")
    for name, value in _base(method, model).items():
        if told.get(name) != value:
            what = "other weights" if name == "weights" else f"{name} {told.get(name)!r}, not {value!r}"
            raise UserError(f"{method}: {path.name} was learnt for {what}: learn it for these")
    return tensors, told


@cache
def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def _base(method: Method, model: Any) -> dict[str, str]:
    """What the learnt depends on: method, settings and weights."""
    settings = ", ".join(f"{name}={getattr(method, name)!r}" for name in type(method).learns)
    return {"method": type(method).__name__, "settings": settings, "weights": weights_key(model)}


def weights_key(model: Any) -> str:
    """Hash of a few values of each weight of a decoder, 16 hex digits."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
    values = torch.cat([p.detach().flatten()[:16].float().cpu() for p in decoder.parameters()])
    return hashlib.sha256(values.numpy().tobytes()).hexdigest()[:16]


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
    "Fitted",
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
    "keep",
    "learnt",
    "merged",
    "minus_inf",
    "part",
    "stable_top",
    "unscaled",
    "weights_key",
]
