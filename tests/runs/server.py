"""An OpenAI-compatible server on loopback that answers needle questions, and misbehaves when told to.

It runs in threads of the test's own process, or alone (`python server.py PORT LOGFILE`), and counts what it was asked.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CODE = re.compile(r"\b\d{6}\b")
COMMON = set("the a of is was what code secret in text find please note as everyone knows answer".split())


class Server:
    """Behaviours: ok, 429, 500, slow, hung, cut, garbage, notjson, empty, over, over-vllm, filter, thinking, think-tags, 401, 404."""

    def __init__(self, behave: Any = "ok", delay: float = 0.0) -> None:
        self.behave = behave
        self.delay = delay
        self.asked: Counter[str] = Counter()
        """Requests by prompt."""
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Server:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        prompt = "\n".join(m["content"] for m in body["messages"] if m["role"] == "user")
        with self.lock:
            self.asked[prompt] += 1
            times = self.asked[prompt]
            self.headers.append(dict(handler.headers.items()))
            self.bodies.append({k: v for k, v in body.items() if k != "messages"})
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            how = self.behave(prompt, times) if callable(self.behave) else self.behave
            time.sleep(self.delay)
            getattr(self, "do_" + how.replace("-", "_"))(handler, body, prompt)
        finally:
            with self.lock:
                self.at_once -= 1

    def send(
        self, handler: BaseHTTPRequestHandler, status: int, text: str, kind: str = "application/json", **headers: str
    ) -> None:
        data = text.encode()
        handler.send_response(status)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    def complete(self, handler: BaseHTTPRequestHandler, body: Any, text: str | None, finish: str = "stop", **more: Any) -> None:
        message = {"role": "assistant", "content": text, **more}
        usage = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        reply = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }
        self.send(handler, 200, json.dumps(reply))

    def error(
        self, handler: BaseHTTPRequestHandler, status: int, message: str, code: str | None = None, **headers: str
    ) -> None:
        self.send(
            handler,
            status,
            json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": code}}),
            **headers,
        )

    def do_ok(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, find(prompt))

    def do_wrong(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, "000000")

    def do_429(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(handler, 429, "slow down", "rate_limit_exceeded")

    def do_500(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(handler, 500, "the server has a problem")

    def do_401(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(handler, 401, f"Incorrect API key provided: {handler.headers['authorization']}", "invalid_api_key")

    def do_404(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(handler, 404, f"The model {body['model']} does not exist", "model_not_found")

    def do_echo_500(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(handler, 500, f"failed for {handler.headers['authorization']}: {prompt}")

    def do_echo_400(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(handler, 400, f"cannot do this for {handler.headers['authorization']}: {prompt}")

    def do_slow(self, handler: Any, body: Any, prompt: str) -> None:
        time.sleep(0.3)
        self.do_ok(handler, body, prompt)

    def do_hung(self, handler: Any, body: Any, prompt: str) -> None:
        self.closing.wait(30)

    def do_cut(self, handler: Any, body: Any, prompt: str) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"id": "x", "choi')
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    def do_garbage(self, handler: Any, body: Any, prompt: str) -> None:
        self.send(handler, 200, '{"id": "x", "choi')

    def do_notjson(self, handler: Any, body: Any, prompt: str) -> None:
        self.send(handler, 200, "<html>It works!</html>", "text/html")

    def do_nochoices(self, handler: Any, body: Any, prompt: str) -> None:
        self.send(handler, 200, '{"detail": "queued"}')

    def do_empty(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, "")

    def do_none(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, None)

    def do_surrogate(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, "\ud83d half a character, then " + find(prompt))

    def do_over(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(
            handler, 400, "This model's maximum context length is 4096 tokens. However, you sent 9.", "context_length_exceeded"
        )

    def do_over_vllm(self, handler: Any, body: Any, prompt: str) -> None:
        text = (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens. Please reduce the length."
        )
        reply = {"object": "error", "message": text, "type": "BadRequestError", "param": None, "code": 400}
        self.send(handler, 400, json.dumps(reply))

    def do_over_llamacpp(self, handler: Any, body: Any, prompt: str) -> None:
        text = "the request exceeds the available context size. try increasing the context size or enable context shift"
        self.send(handler, 400, json.dumps({"error": {"code": 400, "message": text, "type": "exceed_context_size_error"}}))

    def do_filter(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, "", "content_filter")

    def do_filter_400(self, handler: Any, body: Any, prompt: str) -> None:
        self.error(handler, 400, "The response was filtered", "content_filter")

    def do_thinking(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, "", "length", reasoning_content=f"Let me think. Is it {find(prompt)}? " * 5)

    def do_think_tags(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, f"<think>\nLet me think. Is it {find(prompt)}?", "length")

    def do_thought(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, f"Perhaps 123456? No.\n</think>\n\n{find(prompt)}")

    def do_cut_off(self, handler: Any, body: Any, prompt: str) -> None:
        self.complete(handler, body, "The answer", "length")


def find(prompt: str) -> str:
    """The code that the question asks for: that of the sentence which shares the most words with it."""
    head, _, question = prompt.rstrip().rpartition("\n")
    asked = set(re.findall(r"[a-z]+", question.lower())) - COMMON
    best = max(
        (len(asked & set(re.findall(r"[a-z]+", s.lower()))), s) for s in re.split(r"(?<=[.!?])\s+", head) if CODE.search(s)
    )
    code = CODE.search(best[1])
    return code[0] if code and best[0] else "I do not know"


def main() -> None:
    """Serve until killed; every request appends the prompt's hash to LOGFILE before it is answered."""
    import hashlib
    import sys

    port_file, log, delay = sys.argv[1], sys.argv[2], float(sys.argv[3])
    stream = open(log, "a", buffering=1)  # noqa: SIM115

    def behave(prompt: str, times: int) -> str:
        stream.write(hashlib.sha256(prompt.encode()).hexdigest()[:16] + "\n")
        return "ok"

    server = Server(behave, delay)
    with server:
        with open(port_file, "w") as out:
            out.write(server.url)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
