"""Stacks: several methods as one, read from and written as `yarn(factor=4) + snapkv(budget=1024)`.

Refuses what cannot compose when it is built, with the reason, and what does not fit a model before anything is
changed. Names no method: it goes by what each one changes and declares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from leadline import catalog
from leadline.methods.base import (
    Codec,
    Context,
    Drafter,
    Method,
    Plan,
    Positions,
    Rope,
    plan,
)
from leadline.models.local import LocalModel
from leadline.models.seams.drive import Driven, generate_with
from leadline.models.seams.hold import Hold
from leadline.nouns import UserError

ALONE: dict[type, str] = {
    Positions: "both say which positions the model sees",
    Rope: "both set the RoPE frequencies",
    Codec: "both say in what form the cache is kept",
    Context: "both choose what of the prompt is fed",
    Drafter: "both make the guesses",
}
"""Seams that only one method of a stack can have, and why."""


@dataclass(frozen=True)
class Stack:
    """Methods applied together.

    Raises:
        UserError: they cannot compose.
    """

    methods: tuple[Method, ...]
    plan: Plan = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for kind, why in ALONE.items():
            found = [m for m in self.methods if isinstance(m, kind)]
            if len(found) > 1:
                _refuse(found[0], found[1], f"{why}: choose one")
        names = [m.id() for m in self.methods]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"{self} has {name} twice: give it once")
        object.__setattr__(self, "plan", plan(self.methods))
        self._check()

    def _check(self) -> None:
        p = self.plan
        for i, a in enumerate(p.attention):
            for b in p.attention[i + 1 :]:
                if both := a.phases & b.phases:
                    _refuse(a, b, f"both say what is read in {' and '.join(sorted(both))}: choose one")
            if p.positions is not None and p.positions is not a:
                _refuse(p.positions, a, "reading in several views needs dense attention, whose parts can be merged")
        for part in (part for part in p.attention if part.shares):
            if p.policies:
                _refuse(part, p.policies[0], "an entry that rows share cannot be evicted for one of them")
            if p.raw:
                other = next(m for m in self.methods if m is not part)
                _refuse(part, other, "shared keys are rotated once, and unrotated ones would be at every step")
        for policy in p.policies:
            steady = policy.when == "always"
            if p.codec is not None and p.codec.joint:
                _refuse(policy, p.codec, "a code is of all heads of a token together, and heads drop different tokens")
            if p.codec is not None and steady:
                _refuse(policy, p.codec, "evicting at every step would take tokens out of groups that were coded together")
            if p.drafter is not None and steady and policy.looks:
                _refuse(policy, p.drafter, "what is evicted at a step would depend on guesses that are then taken back")

    @classmethod
    def read(cls, spec: str) -> Stack:
        """Read `a(x=1) + b`.

        Raises:
            UserError: it does not parse; unknown method or setting; a value out of range; methods that cannot compose.
        """
        specs = catalog.parse_list(spec, "+")
        if not specs:
            raise UserError(f"no method in {spec!r}; {catalog.nearest('', catalog.entries('methods'))}")
        return cls(tuple(catalog.make(one, "methods") for one in specs))

    def __str__(self) -> str:
        return " + ".join(map(str, self.methods))

    def reach(self, window: int | None) -> int | None:
        """How far a model of that window reads with the stack [tokens]; None for no limit."""
        for method in self.methods:
            window = None if window is None else method.reach(window)
        return window


def _refuse(a: Any, b: Any, why: str) -> None:
    raise UserError(f"{a.id()} and {b.id()} cannot be stacked: {why}")


@contextmanager
def applied(model: Any, methods: str | Method | Stack | Sequence[Method]) -> Iterator[Stack]:
    """Apply methods to a model inside a `with`; all is as before on leaving.

    Args:
        model: a `LocalModel`, whose `generate` then goes through the methods, or a transformers causal language
            model, whose `generate` and forward do.
        methods: `yarn(factor=4) + snapkv(budget=1024)`, or methods, or a stack.

    Yields:
        The stack.

    Raises:
        UserError: a stack that cannot be, or a model that it does not fit.
    """
    if isinstance(methods, str):
        stack = Stack.read(methods)
    elif isinstance(methods, Stack):
        stack = methods
    else:
        stack = Stack((methods,) if isinstance(methods, Method) else tuple(methods))
    module: Any = model.module if isinstance(model, LocalModel) else model
    hold = Hold(module, stack.plan, str(stack))
    for method in stack.methods:
        method.accept(hold.facts)
    hold.install()
    undo: list[Callable[[], None]] = [hold.remove]
    try:
        if stack.plan.drafter is not None:
            module.generate = generate_with(hold)
            undo.append(lambda: delattr(module, "generate"))
        if module is not model:
            undo.append(_drive(model, stack, hold))
        yield stack
    finally:
        for step in reversed(undo):
            step()


def _drive(model: LocalModel, stack: Stack, hold: Hold) -> Callable[[], None]:
    """Let a local model's own loop go through the methods; returns what puts it back."""
    before = model.make_cache, model.window, model.loop
    model.forget()
    model.window = stack.reach(model.window)
    if stack.plan.cached:
        model.make_cache = hold.cache
        model.loop = Driven(hold, model.loop)

    def back() -> None:
        before[2].fed = model.loop.fed
        model.make_cache, model.window, model.loop = before
        model.forget()

    return back
