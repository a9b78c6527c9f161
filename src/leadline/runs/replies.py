"""What came back, as an answer: thinking apart from text, faults as one line without keys.

Knows nothing of how it was asked.
"""

from __future__ import annotations

import os
import re

from inspect_ai.model import ModelOutput, ModelUsage
from tenacity import RetryError

from leadline.nouns import Answer

FIGURES = ("seconds", "ttft_s", "token_s", "peak_bytes", "cache_bytes", "cached_tokens", "error")
"""Fields of an answer that Inspect's output has no place for; they travel in its metadata."""
STOPS = {"length": "max_tokens", "window": "model_length", "filter": "content_filter", "error": "unknown", "stop": "stop"}


class Failed(Exception):
    """A call that failed: one line, without keys and without the prompt."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(one_line(error))
        self.error = error


def one_line(error: BaseException | str, most: int = 300) -> str:
    """An error as one short line without keys; of a call that was retried, what went wrong last."""
    if isinstance(error, RetryError):
        last = error.last_attempt.exception() or error
        tries = error.last_attempt.attempt_number
        return f"{one_line(last, most - 20)} ({tries} attempts)"
    if isinstance(error, Failed):
        return str(error)[:most]
    name = type(error).__name__ if isinstance(error, BaseException) else ""
    text = " ".join(str(error)[: 4 * most].split())
    return redact(f"{name}: {text}" if name and text else name or text)[:most]


def redact(text: str) -> str:
    """Text without the keys that are in the environment, and without what looks like one."""
    for name, value in os.environ.items():
        if len(value) >= 8 and re.search(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", name, re.I):
            text = text.replace(value, "***")
    return re.sub(r"(?i)\b(bearer\s+|sk-)[\w.*-]{6,}", r"\1***", text)


def output_of(model: str, answer: Answer) -> ModelOutput:
    """A local model's answer as Inspect has it."""
    output = ModelOutput.from_content(model, answer.text, stop_reason=STOPS[answer.stop])  # type: ignore[arg-type]
    read, written = answer.prompt_tokens or 0, answer.output_tokens or 0
    output.usage = ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
    figures = {name: value for name in FIGURES if (value := getattr(answer, name)) not in (None, "")}
    output.metadata = {"leadline": figures | {"stop": answer.stop}}
    return output


def answer_of(output: ModelOutput) -> Answer:
    """An answer from what Inspect got for a reference."""
    usage = output.usage
    figures = dict((output.metadata or {}).get("leadline", {}))
    cached = (usage.input_tokens_cache_read or 0) if usage else 0
    read = usage.input_tokens + cached + (usage.input_tokens_cache_write or 0) if usage else None
    counts = {
        "prompt_tokens": read,
        "output_tokens": usage.output_tokens if usage else None,
        "cached_tokens": usage.input_tokens_cache_read if usage else None,
        "seconds": output.time,
    }
    if figures:
        thinking, text = split_thinking(output.completion)
        return Answer(text=clean(text), thinking=clean(thinking), **counts | figures)
    message = output.choices[0].message
    blocks = message.content if isinstance(message.content, list) else []
    thought = "\n".join(b.reasoning or b.summary or "" for b in blocks if b.type == "reasoning")
    thinking, text = split_thinking(message.text)
    thinking = "\n".join(filter(None, (clean(thought), clean(thinking))))
    stop = {"max_tokens": "length", "model_length": "window", "content_filter": "filter"}.get(output.stop_reason, "stop")
    if stop in ("window", "filter"):
        # Without usage nothing was generated: the text is what the provider says of it.
        kept = clean(text) if usage else ""
        return Answer(text=kept, thinking=thinking, stop=stop, error=one_line(text) or stop, **counts)  # type: ignore[arg-type]
    return Answer(text=clean(text), thinking=thinking, stop=stop, **counts)  # type: ignore[arg-type]


def split_thinking(text: str) -> tuple[str, str]:
    """Thinking and answer of a reply that carries its thinking in tags, also where one of the two tags is missing."""
    head, closed, tail = text.rpartition("</think>")
    if closed:
        return head.replace("<think>", "").strip(), tail.lstrip()
    if text.lstrip().startswith("<think>"):
        return text.lstrip().removeprefix("<think>").strip(), ""
    return "", text


def clean(text: str) -> str:
    """Text that can be stored anywhere: half characters (lone surrogates) become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
