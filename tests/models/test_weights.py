"""Finding checkpoints: what is not there, or not fit, is said in a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leadline.models import weights
from leadline.nouns import UserError

Checkpoint = Callable[..., Path]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("local/./nowhere", "no folder './nowhere'"),
        ("local//no/such/folder", "no folder '/no/such/folder'"),
        ("local/", "write minnow, local/"),
        ("gpt-5", "write minnow, local/"),
    ],
)
def test_what_is_not_there(spec: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        weights.locate(spec)


def test_minnow_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.resources, "files", lambda _: tmp_path)
    with pytest.raises(UserError, match="not in this installation"):
        weights.locate("minnow")


def test_hub_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="hub cannot be reached"):
        weights.locate("local/nobody/nothing")


def test_hub_name_that_cannot_be_one() -> None:
    with pytest.raises(UserError, match="no model on the hub called"):
        weights.locate("local/not a name!")


def test_only_safetensors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        weights.locate(f"local/{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no weights"):
        weights.locate(f"local/{tmp_path}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"pytorch_model\.bin.*only safetensors"):
        weights.locate(f"local/{tmp_path}")
    with pytest.raises(UserError, match="is a file"):
        weights.locate(f"local/{tmp_path}/config.json")


def test_shards(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-1.safetensors").write_bytes(b"1")
    with pytest.raises(UserError, match=r"model-2\.safetensors is missing"):
        weights.weight_files(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"2")
    assert [f.name for f in weights.weight_files(tmp_path)] == ["model-1.safetensors", "model-2.safetensors"]


@pytest.mark.parametrize("name", ["torch", "transformers"])
def test_missing_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from leadline.models.local import load

    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf'needs {name}.*pip install "\.\[local\]"'):
        load("minnow")


def test_settings_that_are_none(checkpoint: Checkpoint) -> None:
    pytest.importorskip("transformers")
    from leadline.models.local import load

    folder = checkpoint("llama")
    with pytest.raises(UserError, match="unknown dtype 'int3'"):
        load(f"local/{folder}", dtype="int3")
    with pytest.raises(UserError, match="cannot use device 'abacus'"):
        load(f"local/{folder}", device="abacus")


def test_broken_checkpoints(checkpoint: Checkpoint, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    import shutil

    from leadline.models.local import load

    def broken(name: str) -> Path:
        return Path(shutil.copytree(checkpoint("llama"), tmp_path / name))

    cut = broken("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot load"):
        load(f"local/{cut}")
    unknown = broken("unknown")
    (unknown / "config.json").write_text(json.dumps({"model_type": "coelacanth"}))
    with pytest.raises(UserError, match="coelacanth"):
        load(f"local/{unknown}")
    deeper = broken("deeper")
    config = json.loads((deeper / "config.json").read_text()) | {"num_hidden_layers": 4}
    (deeper / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="lacks 9 of its weights"):
        load(f"local/{deeper}")
    mixed_up = broken("mixed_up")
    tokens = json.loads((mixed_up / "tokenizer.json").read_text())
    tokens["added_tokens"].append(tokens["added_tokens"][0] | {"id": 900, "content": "<more>"})
    (mixed_up / "tokenizer.json").write_text(json.dumps(tokens))
    from leadline.models.batches import Request

    with pytest.raises(UserError, match="do not belong together"):
        load(f"local/{mixed_up}").generate([Request("ba <more>", 1)])
