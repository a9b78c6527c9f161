"""Runs code that a model wrote, in a sandbox: bubblewrap or docker, without network and with limits, or not at all.

Knows nothing of tasks and of what the code should give.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from leadline.nouns import UserError

MEMORY = 1024
"""Most memory of what runs [MiB]."""
IMAGE = "gcc:14"
"""Image that docker runs, with a C++ compiler and Python."""


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    """Exit status; -1 where it ran out of time."""
    out: str
    err: str


@cache
def kind() -> str:
    """`bubblewrap` or `docker`, whichever really runs here; empty where neither does."""
    probes = {"bubblewrap": [*_bubblewrap(Path("/tmp")), "true"], "docker": ["docker", "info"]}
    for name, command in probes.items():
        if shutil.which(command[0]):
            try:
                if subprocess.run(command, capture_output=True, timeout=20).returncode == 0:
                    return name
            except (OSError, subprocess.TimeoutExpired):
                continue
    return ""


def require(who: str) -> None:
    """Refuse where there is no sandbox.

    Raises:
        UserError: neither bubblewrap nor docker runs here.
    """
    if not kind():
        raise UserError(
            f"{who} runs code that the model wrote, and that is done only in a sandbox: install bubblewrap (`bwrap`) or "
            "docker, or leave the task out"
        )


def run(command: Sequence[str], files: Mapping[str, str], stdin: str = "", seconds: float = 10.0) -> Ran:
    """Run a command in an empty folder that holds some files.

    Args:
        command: program and arguments; the working folder is that of the files.
        files: names and contents.
        stdin: what it reads.
        seconds: most time.

    Raises:
        UserError: there is no sandbox.
    """
    require("this")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, text in files.items():
            (place / name).write_text(text, encoding="utf-8")
        limits = ["prlimit", f"--as={MEMORY << 20}", f"--cpu={int(seconds) + 1}", "--nproc=256", "--fsize=67108864"]
        inner = [*(limits if shutil.which("prlimit") else []), *command]
        outer = _bubblewrap(place) if kind() == "bubblewrap" else _docker(place)
        try:
            done = subprocess.run(
                [*outer, *inner], input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return Ran(-1, "", f"ran longer than {seconds:g} s")
        return Ran(done.returncode, done.stdout, done.stderr)


def _bubblewrap(place: Path) -> list[str]:
    shown = [part for name in ("/usr", "/bin", "/lib", "/lib64", "/etc/alternatives") for part in ("--ro-bind-try", name, name)]
    return [
        "bwrap", *shown, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", str(place), "/work",
        "--chdir", "/work", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
        "--setenv", "PATH", "/usr/bin:/bin",
    ]  # fmt: skip


def _docker(place: Path) -> list[str]:
    return [
        "docker", "run", "--rm", "-i", "--network", "none", "--memory", f"{MEMORY}m", "--pids-limit", "256", "-v",
        f"{place}:/work", "-w", "/work", IMAGE,
    ]  # fmt: skip
