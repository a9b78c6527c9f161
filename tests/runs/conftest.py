"""Fixtures for runs: a server that misbehaves on purpose, and a plan that asks it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leadline.runs.plan import Plan, parse_tasks

from .server import Server

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key for the toy service, and no long waits between attempts."""
    monkeypatch.setenv("TOY_API_KEY", KEY)
    monkeypatch.setattr("leadline.runs.provider.FIRST_WAIT", 0.02)
    yield
    # Inspect leaves a stream open for every sample; what it warns of when they are collected belongs to this test.
    gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Inspect's unclosed streams are no fault of ours."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"))


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(Server(*args, **kwargs))


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """A small plan for a server."""

    def make(server: Server, **changes: Any) -> Plan:
        settings: dict[str, Any] = {
            "models": ("openai-api/toy/m",),
            "tasks": parse_tasks("needle"),
            "lengths": (512, 1024),
            "base": (256,),
            "samples": 4,
            "tokenizer": "minnow",
            "base_url": server.url,
            "max_connections": 4,
            "max_retries": 2,
            "timeout_s": 20,
        }
        return Plan(**settings | changes)

    return make
