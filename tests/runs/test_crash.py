"""Killed at random moments, a run ends as one that was left in peace, and asks nothing twice that it had written down."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leadline.runs import journal, records

CONNECTIONS = 4
SAMPLES = 60
RUN = """
import sys
from leadline.runs import provider
from leadline.runs.execute import run
from leadline.runs.plan import Plan, parse_tasks
provider.FIRST_WAIT = 0.01
plan = Plan(models=("openai-api/toy/m",), tasks=parse_tasks("needle"), lengths=(512,), base=(256,), samples={samples},
            tokenizer="minnow", base_url={url!r}, max_connections={connections})
run(plan, {folder!r})
"""


def start(url: str, folder: Path, samples: int = SAMPLES) -> subprocess.Popen[bytes]:
    """The run in a process of its own."""
    code = RUN.format(url=url, folder=str(folder), samples=samples, connections=CONNECTIONS)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def table(folder: Path) -> list[tuple[object, ...]]:
    """What must not depend on when it was asked."""
    still = {"date", "seconds"}
    return [tuple(v for k, v in dataclasses.asdict(r).items() if k not in still) for r in records.load(folder)]


def prompts(folder: Path) -> set[tuple[str, str]]:
    """What the journal holds: prompt and hash."""
    return {(r.prompt, r.sha) for r in journal.read(folder / journal.FILE)[0].values()}


@pytest.mark.parametrize("kills", [pytest.param(4), pytest.param(30, marks=pytest.mark.slow)])
def test_kills(kills, serve, plan, tmp_path):
    rng = random.Random(kills)
    server = serve(delay=0.15)
    samples = SAMPLES if kills < 10 else 4 * SAMPLES
    begun = time.perf_counter()
    finished: set[tuple[str, str]] = set()
    landed = 0
    for _ in range(kills):
        size = journal_size(tmp_path / "killed")
        process = start(server.url, tmp_path / "killed", samples)
        # Most of the start is importing: the moment is drawn once the run is at work, for some kills before.
        if rng.random() < 0.9:
            while journal_size(tmp_path / "killed") == size and process.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.4))
        else:
            time.sleep(rng.uniform(0, 1.5))
        landed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.2)
        held = prompts(tmp_path / "killed")
        assert finished <= held
        finished = held
    total_then = server.asked.total()
    last = start(server.url, tmp_path / "killed", samples)
    out = last.communicate()[0].decode()
    assert last.returncode == 0, out
    assert out == "", "nothing is printed by a run"
    requests = server.asked.total()
    print(f"{kills} kills ({landed} in flight), {requests} requests for {2 * samples} samples, {time.perf_counter() - begun:.0f} s")
    assert requests <= 2 * samples + kills * CONNECTIONS
    assert requests - total_then == 2 * samples - len(finished), "the last run asked what was in the journal"
    server.delay = 0.0
    calm = start(server.url, tmp_path / "calm", samples)
    assert calm.wait() == 0
    assert table(tmp_path / "killed") == table(tmp_path / "calm")
    assert len(table(tmp_path / "calm")) == 2 * samples


def journal_size(folder: Path) -> int:
    """Bytes in the journal."""
    path = folder / journal.FILE
    return path.stat().st_size if path.is_file() else 0


def test_a_full_disk_ends_the_run_with_a_clear_error_and_it_goes_on(serve, plan, tmp_path):
    server = serve()
    code = RUN.format(url=server.url, folder=str(tmp_path / "run"), samples=30, connections=CONNECTIONS)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))\n"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    full = subprocess.run([sys.executable, "-c", limit + code], env=env, capture_output=True, text=True)
    assert full.returncode == 1 and "make room and run the same command again" in full.stderr, full.stderr
    held, notes, size = journal.read(tmp_path / "run" / journal.FILE)
    assert 0 < len(held) < 60 and notes == [] and size <= 12_000
    before = server.asked.total()
    again = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert server.asked.total() - before == 60 - len(held)
    assert len(records.load(tmp_path / "run")) == 60


def test_interrupted_by_the_user(serve, plan, tmp_path):
    server = serve(delay=0.1)
    process = start(server.url, tmp_path / "run")
    while journal_size(tmp_path / "run") == 0:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=20)[0].decode()
    assert process.returncode in (1, 130, -2) and "KeyboardInterrupt" in out, out
    before = len(prompts(tmp_path / "run"))
    assert start(server.url, tmp_path / "run").wait() == 0
    assert before and server.asked.total() <= 2 * SAMPLES + CONNECTIONS
