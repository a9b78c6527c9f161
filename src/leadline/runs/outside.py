"""A run as users start one: the command line in a process of its own, and a program behind an address as an endpoint.

For checks that must see the whole way. Knows nothing of any plugin.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from leadline import catalog

SERVED = "openai-api/check/program"
"""The name of the program that `endpoint` serves."""


def measured(models: str, tasks: str, out: Path, *more: str) -> tuple[list[dict[str, Any]], str]:
    """What `leadline measure` prints of one sample a cell: its cells and '', or none and its last words.

    Args:
        models: as on the command line.
        tasks: the same.
        out: the run's folder.
        more: further words of the command.
    """
    words = ["measure", models, "--tasks", tasks, "--samples", "1", "--out", str(out), "--json", *more]
    command = [sys.executable, "-c", "from leadline.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CHECK_API_KEY": "none"}, check=False)
    if done.returncode or not done.stdout:
        return [], f"measure ended with {done.returncode}: {done.stderr.strip().rpartition(chr(10))[2]}"
    return json.loads(done.stdout)["cells"], ""


def widened(folder: Path, window: int) -> Path:
    """A copy of the embedded model's checkpoint that says another window; the folder it lies in."""
    for file in (catalog.ROOT / "models" / "minnow_weights").iterdir():
        shutil.copy(file, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"max_position_embeddings": window}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@contextmanager
def endpoint(program: Callable[[str], str]) -> Iterator[str]:
    """A program as an endpoint of OpenAI's form on loopback, asked with the user's last message; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            said = program(next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user"))
            choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            told = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
            data = json.dumps(told | {"usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
