"""TOVA: at every step drop the token to which the newest query attends least."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.methods.base import Method, Policy, Step, Store, minus_inf, stable_top


@dataclass(frozen=True, kw_only=True)
class Tova(Method, Policy):
    """TOVA: at every step drop the token to which the newest query attends least.

    Paper: Oren, Hassid, Yarden, Adi, Schwartz, EMNLP 2024, arXiv:2401.06104, section 3; official code
      https://github.com/schwartz-lab-NLP/TOVA@9c7d09b, Apache-2.0.
    Claims: nearly the full model's quality with an eighth of the cache, and 4.8 times its throughput.
    Differs: a prompt is cut once, at its end, as in the code (the paper's definition goes token by token).
    Shapes: weights (batch, heads, 1, keys) -> scores (batch, 1, keys), one choice for all heads of a layer.
    Cost: O(budget) per token, one float per entry; phase: prefill and decode.
    """

    budget: int = 1024
    """Entries kept in each layer [tokens]."""

    when = "always"
    neutral = {"budget": 200}
    trial = {"budget": 12}
    excepts = {3: "what one turn evicts a later one cannot read"}

    def __post_init__(self) -> None:
        self.require(budget=self.budget >= 1)

    def observe(self, store: Store, step: Step) -> None:
        last = step.look.queries - 1
        store.notes["tova"] = step.weights(last, last + 1).mean(1)

    def settle(self, store: Store, decoding: bool) -> None:
        if store.length > self.budget:
            store.keep(stable_top(minus_inf(store.notes["tova"], store.valid[:, :1]), self.budget))

    def bound(self, tokens: int, generated: int, layer: int, layers: int) -> int:
        return self.budget
