"""Killed at random moments, a run ends as one that was left in peace, and asks nothing twice that it had written down."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadline.runs import journal, records

CONNECTIONS = 4
SAMPLES = 60
PARENT = """
import logging, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it otherwise
logging.raiseExceptions = False  # as the command line has it: a log that cannot be written is no reason to shout
import inspect_ai, openai
from inspect_ai.model import get_model
from leadline.runs import provider
from leadline.runs.execute import run
from leadline.runs.plan import Plan, cells, parse_tasks
provider.FIRST_WAIT = 0.01
def plan(url, samples):
    return Plan(models=("openai-api/toy/m",), tasks=parse_tasks("needle"), lengths=(512,), base=(256,), samples=samples,
                tokenizer="minnow", base_url=url, max_connections={connections})
cells(plan("", 1))
for line in sys.stdin:
    url, folder, samples, *limit = line.split()
    pid = os.fork()
    if not pid:
        if limit:
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), int(limit[0])))
        run(plan(url, int(samples)), folder)
        sys.exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Runs:
    """Runs in processes of their own, forked from one that has imported everything, so that a start takes no time."""

    def __init__(self, errors: Path) -> None:
        code = PARENT.format(connections=CONNECTIONS)
        trace = {"INSPECT_TRACE_FILE": str(errors.with_suffix(".trace")), "INSPECT_TRACE_LEVEL": "critical"}
        env = os.environ | trace | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.errors = errors
        with errors.open("w") as log:
            self.parent = subprocess.Popen(
                [sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def start(self, url: str, folder: Path, samples: int = SAMPLES, limit: str = "") -> int:
        """Begin a run; its process id."""
        assert self.parent.stdin and self.parent.stdout
        self.parent.stdin.write(f"{url} {folder} {samples} {limit}\n")
        self.parent.stdin.flush()
        return int(self.parent.stdout.readline())

    def wait(self) -> int:
        """The exit code of the run that was started last."""
        assert self.parent.stdout
        return int(self.parent.stdout.readline())

    def said(self) -> str:
        """What the runs wrote to standard error so far."""
        return self.errors.read_text()


@pytest.fixture
def runs(tmp_path) -> Iterator[Runs]:
    """A process that starts runs."""
    one = Runs(tmp_path / "errors")
    with one.parent:
        yield one
        assert one.parent.stdin and one.parent.stdout
        one.parent.stdin.close()
        assert one.parent.stdout.read() == "", "a run prints nothing"


def table(folder: Path) -> list[tuple[object, ...]]:
    """What must not depend on when it was asked."""
    still = {"date", "seconds"}
    return [tuple(v for k, v in dataclasses.asdict(r).items() if k not in still) for r in records.load(folder)]


def prompts(folder: Path) -> set[tuple[str, str]]:
    """What the journal holds: prompt and hash."""
    return {(r.prompt, r.sha) for r in journal.read(folder / journal.FILE)[0].values()}


@pytest.mark.parametrize("kills", [pytest.param(5), pytest.param(30, marks=pytest.mark.slow)])
def test_kills(kills, serve, runs, tmp_path):
    rng = random.Random(kills)
    server = serve(delay=0.1)
    samples = 8 * kills
    begun = time.perf_counter()
    finished: set[tuple[str, str]] = set()
    landed = 0
    folder = tmp_path / "killed"
    for _ in range(kills):
        size = journal_size(folder)
        process = runs.start(server.url, folder, samples)
        # Most moments are drawn once the run is at work, some before.
        if rng.random() < 0.8:
            wait_for(lambda size=size: journal_size(folder) > size, runs)
            time.sleep(rng.uniform(0, 0.5))
        else:
            time.sleep(rng.uniform(0, 1.0))
        os.kill(process, signal.SIGKILL)
        landed += runs.wait() == -signal.SIGKILL
        time.sleep(0.15)
        held = prompts(folder)
        assert finished <= held, "what was written down is lost"
        finished = held
    before = server.asked.total()
    runs.start(server.url, folder, samples)
    assert runs.wait() == 0, runs.said()
    requests = server.asked.total()
    took = time.perf_counter() - begun
    print(
        f"{landed} kills in flight, {requests} requests for {2 * samples} samples, {len(finished)} before the end, {took:.0f} s"
    )
    assert requests <= 2 * samples + kills * CONNECTIONS
    assert requests - before == 2 * samples - len(finished), "the last run asked what was in the journal"
    server.delay = 0.0
    runs.start(server.url, tmp_path / "calm", samples)
    assert runs.wait() == 0, runs.said()
    assert table(folder) == table(tmp_path / "calm")
    assert len(table(folder)) == 2 * samples and landed == kills and runs.said() == ""


def wait_for(what: Callable[[], bool], runs: Runs) -> None:
    """Wait until something is so, or fail with what the runs said."""
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, runs.said()
        time.sleep(0.005)


def journal_size(folder: Path) -> int:
    """Bytes in the journal."""
    path = folder / journal.FILE
    return path.stat().st_size if path.is_file() else 0


def test_a_full_disk_ends_the_run_with_a_clear_error_and_it_goes_on(serve, runs, tmp_path):
    server = serve()
    folder = tmp_path / "run"
    runs.start(server.url, folder, 30, limit="40000")
    assert runs.wait() == 1 and "make room and run the same command again" in runs.said(), runs.said()
    held, notes, size = journal.read(folder / journal.FILE)
    assert 0 < len(held) < 60 and notes == [] and size <= 40_000
    before = server.asked.total()
    runs.start(server.url, folder, 30)
    assert runs.wait() == 0, runs.said()
    assert server.asked.total() - before == 60 - len(held)
    assert len(records.load(folder)) == 60


def test_interrupted_by_the_user(serve, runs, tmp_path):
    server = serve(delay=0.1)
    process = runs.start(server.url, tmp_path / "run")
    wait_for(lambda: journal_size(tmp_path / "run") > 0, runs)
    os.kill(process, signal.SIGINT)
    assert runs.wait() != 0
    before = len(prompts(tmp_path / "run"))
    assert 0 < before < 2 * SAMPLES
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "interrupted"
    runs.start(server.url, tmp_path / "run")
    assert runs.wait() == 0 and server.asked.total() <= 2 * SAMPLES + CONNECTIONS
