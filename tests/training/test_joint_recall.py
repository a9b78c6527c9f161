"""Joint recall learnt from nothing: two models of one size, the same sequences, and none of those held out."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from leadline.nouns import UserError
from leadline.training.recipes import joint_recall as study
from leadline.training.recipes.joint_recall import PROFILES, JointRecall


def test_the_smallest_training_writes_what_it_found(tmp_path: Any) -> None:
    folder = JointRecall(out=str(tmp_path), profile="smoke").run()
    found = json.loads((folder / "results.json").read_text())["models"]
    assert set(found) == set(study.KINDS)
    for kind, one in found.items():
        assert (folder / kind / "model.safetensors").is_file()
        assert set(one["accuracy"]) == {"1x2", "2x2"} and one["steps"] == 12
        assert all(0 <= share["low"] <= share["value"] <= share["high"] <= 1 for share in one["accuracy"].values())
    # Keys and values grow with the table, a state does not.
    assert found["attention"]["state"]["2x2"] > found["attention"]["state"]["1x2"]
    assert found["state-space"]["state"]["2x2"] == found["state-space"]["state"]["1x2"]


@pytest.mark.parametrize("profile", ["smoke", "cpu"])
def test_the_models_are_of_one_size(profile: str) -> None:
    sizes = [sum(p.numel() for p in study.model(kind, PROFILES[profile], 0).parameters()) for kind in study.KINDS]
    assert abs(sizes[0] - sizes[1]) < 0.05 * sizes[0]


def test_what_is_held_out_is_never_learnt_from() -> None:
    """A known sequence is drawn again; without that the same stream gives it."""
    (first,) = study._drawn((1, 2), 1, "a", set())
    (again,) = study._drawn((1, 2), 1, "a", {tuple(first[0])})
    assert first == next(study._drawn((1, 2), 1, "a", set())) != again


def test_training_learns() -> None:
    """After a hundred steps what is said is a value of the table, two of sixteen; the whole comes in the recipe's check."""
    profile = study.Profile(hidden=64, layers=4, state=4, sizes=((1, 2),), steps=100, tokens=2048, warmup=50)
    made, rows = study.model("attention", profile, 0), list(study._drawn((1, 2), 64, "test", set()))
    before = study.accuracy(made, rows)
    study._train(made, profile, 0, set())
    assert before["high"] < 0.2 and study.accuracy(made, rows)["low"] > 0.3


def test_hidden_contexts_bear_one_name() -> None:
    ids, mask = study._tensors(list(study._drawn((3, 2), 4, "test", set())), "cpu")
    seen: list[Any] = []
    fake: Any = lambda input_ids, use_cache: seen.append(input_ids) or SimpleNamespace(logits=torch.zeros(*input_ids.shape, 64))  # noqa: E731
    fake.device = "cpu"
    study.accuracy(fake, list(study._drawn((3, 2), 4, "test", set())), contexts=False)
    names = seen[0][(seen[0] >= study.CONTEXTS.start) & (seen[0] < study.CONTEXTS.stop)]
    assert len(names) == 4 * 2 * 3 and len(set(names.tolist())) == 1
    assert (seen[0] != ids).sum() == sum(int(i) in study.CONTEXTS[1:] for i in ids.flatten()) and mask.sum() == 4 * 6


@pytest.mark.parametrize(("settings", "says"), [({"profile": "cpuu"}, "did you mean 'cpu'"), ({}, "name a folder with out=")])
def test_what_is_wrong_is_said(settings: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        JointRecall(**settings).run()
