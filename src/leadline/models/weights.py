"""Where a checkpoint's files are, and what they are: folders, hub snapshots, hashes.

Only safetensors count as weights. Knows nothing of torch; reads no tensor.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib import resources
from pathlib import Path

from leadline.nouns import UserError

HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
HUB_CODE = ["*.py"]
"""Fetched only where the user trusts remote code."""
HUB_OTHERS = ["*/*", "consolidated*"]
"""Other formats of the same weights, which transformers does not read."""


def locate(spec: str, *, code: bool = False) -> Path:
    """The folder of a checkpoint, fetched from the hub if it is none on this machine.

    Args:
        spec: `minnow`, or `local/<folder or hub id>`; a hub id may end in `@revision`.
        code: whether Python files are fetched too.

    Raises:
        UserError: not such a spec; no such folder or hub id; the hub cannot be reached; no safetensors there.
    """
    if spec == "minnow":
        folder = Path(str(resources.files("leadline.models") / "minnow_weights"))
        if not folder.is_dir():
            raise UserError("minnow's weights are not in this installation: reinstall leadline, or train them (recipes/minnow)")
    elif spec.startswith("local/") and len(spec) > len("local/"):
        name = spec.removeprefix("local/")
        folder = Path(name).expanduser()
        if folder.is_file():
            raise UserError(f"{name!r} is a file: name the folder that holds it with config.json and tokenizer.json")
        if not folder.is_dir():
            if name[0] in "./~" or name.count("/") > 1:
                raise UserError(f"there is no folder {name!r}: write local/<folder> or local/<organisation>/<model>")
            folder = _snapshot(name, code)
    else:
        raise UserError(f"cannot load {spec!r} here: write minnow, local/<folder> or local/<hub id>")
    if not (folder / "config.json").is_file():
        raise UserError(f"{spec!r} is no checkpoint: there is no config.json in {folder}")
    weight_files(folder)
    return folder


def _snapshot(name: str, code: bool) -> Path:
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, _, revision = name.partition("@")
    wanted = HUB_FILES + (HUB_CODE if code else [])
    try:
        return Path(snapshot_download(repo, revision=revision or None, allow_patterns=wanted, ignore_patterns=HUB_OTHERS))
    except GatedRepoError as error:
        raise UserError(f"{repo!r} is gated: accept its terms on the hub and log in with `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise UserError(f"{repo!r} has no revision {revision!r} on the hub") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"there is no folder and no model on the hub called {repo!r} (private ones need `hf auth login`)"
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, httpx.HTTPError) as error:
        raise UserError(
            f"there is no folder {repo!r}, and the hub cannot be reached to look for it "
            f"({type(error).__name__}): check the name or the connection, or give a folder"
        ) from error


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up a checkpoint, in order of their names.

    Raises:
        UserError: there are none, or one that the index names is missing.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        others = sorted(p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".gguf", ".safetensors"})
        raise UserError(
            f"there is no model.safetensors in {folder} (found: {', '.join(others) or 'no weights'}): only safetensors "
            "are loaded; convert with transformers' save_pretrained"
        )
    files = [folder / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))]
    for file in files:
        if not file.is_file():
            raise UserError(f"{file.name} is missing in {folder}: fetch the checkpoint again")
    return files


def fingerprint(folder: Path) -> str:
    """Hash of a checkpoint's weights and configuration, 16 hex digits."""
    total = hashlib.sha256()
    for file in weight_files(folder):
        total.update(f"{file.name} {file_hash(file)}\n".encode())
    for name in ("config.json", "generation_config.json"):
        if (folder / name).is_file():
            total.update((folder / name).read_bytes())
    return total.hexdigest()[:16]


def cache_folder() -> Path:
    """The user's cache folder for leadline (`$XDG_CACHE_HOME/leadline` or `~/.cache/leadline`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leadline"


def file_hash(file: Path) -> str:
    """SHA-256 of a file, kept in the user's cache by path, size and time of change."""
    file = file.resolve()
    stat = file.stat()
    key = hashlib.sha256(f"{file}\n{stat.st_size}\n{stat.st_mtime_ns}".encode()).hexdigest()
    known = cache_folder() / "hashes" / key
    if known.is_file():
        return known.read_text(encoding="ascii")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    part = known.with_name(f"{key}.{os.getpid()}")
    try:
        known.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(digest, encoding="ascii")
        part.replace(known)
    except OSError:
        # A read-only home costs the hashing again, nothing else.
        return digest
    return digest
