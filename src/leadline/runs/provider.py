"""The provider through which Inspect asks: messages carry a reference, the prompt is put in just before the call.

So a log holds a reference where there were a million tokens, on success and on failure, and no key. For endpoints
it wraps Inspect's own provider of that name; for local models it collects what waits into batches. Knows nothing
of tasks, scores and runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    RetryDecision,
    get_model,
    modelapi,
)
from tenacity import wait_exponential, wait_random

from leadline.nouns import Answer, UserError
from leadline.runs.replies import Failed, one_line, output_of

if TYPE_CHECKING:
    from leadline.models.batches import Request

SCHEME = "ref://"
PLAIN = GenerateConfig()
WAIT = 0.03
"""How long a batch waits for one more request [s]."""
FIRST_WAIT = 1.0
"""Before the second attempt, and the spread of all waits [s]."""
REQUESTS = 256
"""Most requests in one call of a local model."""
OVER = re.compile(
    r"context[_ ]length|context[_ ]size|context window|maximum (context|length|sequence)|max_model_len|"
    r"prompt is too long|input (length|is too long)|too many (input )?tokens|exceeds? .{0,40}(tokens|context)",
    re.I,
)
"""What servers say of a prompt over the window, where they do not use OpenAI's code for it."""


@dataclass(frozen=True)
class Asked:
    """What a reference stands for."""

    messages: tuple[Mapping[str, str], ...]
    text: str
    prefill: str
    tokens: int
    """Of prompt and answer room."""
    max_tokens: int
    stop: tuple[str, ...] = ()
    shared_chars: int = 0
    turns: tuple[int, ...] = ()


references: dict[str, Asked] = {}
"""What each reference in flight stands for; whoever asks puts it in and takes it out."""
engines: dict[str, Callable[[Sequence[Request]], list[Answer]]] = {}
"""`LocalModel.generate` of the local models that are loaded, by the name they are asked under."""


address: str | None = None
"""Base URL of the next endpoint to be made, where its environment variable does not say."""


class Rejected(UserError):
    """The endpoint knows neither the key nor the model: asking on is of no use."""


def chat(messages: Sequence[Mapping[str, str]], prefill: str = "") -> list[ChatMessage]:
    """Messages as Inspect has them; a prefill is the beginning of the assistant's turn."""
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    made: list[ChatMessage] = [kinds[m["role"]](content=m["content"]) for m in messages]
    return [*made, ChatMessageAssistant(content=prefill)] if prefill else made


def referred(message: ChatMessage) -> Asked | None:
    """What a message refers to, None where it is plain text."""
    if not isinstance(message.content, str) or not message.content.startswith(SCHEME):
        return None
    if message.content not in references:
        raise UserError(f"nothing is known of {message.content!r}: a log can be read, not asked again; use the run's folder")
    return references[message.content]


class _Provider(ModelAPI):
    def max_tokens(self) -> int | None:
        return None

    def collapse_user_messages(self) -> bool:
        return False


@modelapi(name="leadline")
def leadline() -> type[ModelAPI]:
    """Inspect's name for this provider: `leadline/<model>`."""
    return _make  # type: ignore[return-value]


def _make(model_name: str, *args: Any, **kwargs: Any) -> ModelAPI:
    kind = Local if model_name in engines else Endpoint
    return kind(model_name, *args, **kwargs)


class Endpoint(_Provider):
    """Inspect's own provider, given the text that a reference stands for."""

    def __init__(
        self, model_name: str, base_url: str | None = None, api_key: str | None = None, config: GenerateConfig = PLAIN
    ) -> None:
        self.inner = get_model(model_name, base_url=base_url or address, api_key=api_key, config=config, memoize=False).api
        super().__init__(model_name, base_url, api_key, [], config)
        self._one_retry_loop()

    def _one_retry_loop(self) -> None:
        # The SDKs retry by themselves, unseen and unbounded by Inspect's limits.
        client = getattr(self.inner, "client", None)
        if client is not None and hasattr(client, "max_retries"):
            client.max_retries = 0

    async def generate(self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        """Put the prompt in and call; whatever goes wrong comes out as `Failed`, without the prompt."""
        messages: list[ChatMessage] = []
        for message in input:
            asked = referred(message)
            messages += chat(asked.messages, asked.prefill) if asked else [message]
        # An empty context: in its own, the inner provider finds the event of this call and logs the request in it.
        call = asyncio.get_running_loop().create_task(
            self.inner.generate(messages, tools, tool_choice, config), context=contextvars.Context()
        )
        try:
            result = await call
        # Whatever a provider or its SDK can raise is the provider's fault, told from ours by this boundary.
        except Exception as error:
            return self._refused(error)
        output = result[0] if isinstance(result, tuple) else result
        if isinstance(output, Exception):
            return self._refused(output)
        if not output.choices:
            raise Failed(ValueError("the endpoint's reply holds no answer"))
        return output

    def _refused(self, error: Exception) -> ModelOutput:
        status = getattr(error, "status_code", None)
        if status == 413 or (status in (400, 422) and OVER.search(one_line(error))):
            return ModelOutput.from_content(self.model_name, one_line(error), stop_reason="model_length")
        raise self._failed(error) from None

    def _failed(self, error: Exception) -> Exception:
        status = getattr(error, "status_code", None)
        if status == 401 or status == 404:
            what = "the key was not accepted" if status == 401 else "there is no such model or address"
            return Rejected(f"{self.model_name}: {what} ({one_line(error)}); check the name, the key and the base URL")
        return Failed(error)

    def should_retry(self, ex: BaseException) -> bool | RetryDecision:  # type: ignore[override]
        """As the inner provider says; beyond that, all that is not a refusal by status (cut connections, garbage)."""
        if not isinstance(ex, Failed):
            return False
        error = ex.error
        decision = self.inner.should_retry(error) if isinstance(error, Exception) else False
        if decision.retry if isinstance(decision, RetryDecision) else decision:
            return decision
        status = getattr(error, "status_code", None)
        return not (isinstance(status, int) and 400 <= status < 500)

    def retry_wait(self) -> Any:
        """1 s or a little more, then twice as long each time, up to a minute."""
        return wait_exponential(multiplier=FIRST_WAIT, max=60) + wait_random(0, FIRST_WAIT)

    def initialize(self) -> None:
        """Take over what a hook did to the keys."""
        super().initialize()
        self.inner.initialize()
        self._one_retry_loop()

    async def aclose(self) -> None:
        """Close the inner provider's client."""
        await self.inner.aclose()

    def canonical_name(self) -> str:
        """The inner provider's."""
        return self.inner.canonical_name()

    def connection_key(self) -> str:
        """The inner provider's."""
        return self.inner.connection_key()

    def is_auth_failure(self, ex: Exception) -> bool:
        """The inner provider's."""
        return isinstance(ex, Failed) and isinstance(ex.error, Exception) and self.inner.is_auth_failure(ex.error)

    def max_tokens(self) -> int | None:
        """The inner provider's."""
        return self.inner.max_tokens()

    def force_reasoning_history(self) -> Any:
        """The inner provider's."""
        return self.inner.force_reasoning_history()


class Local(_Provider):
    """A model of this process: requests wait a moment for one another and are answered in batches, in a thread."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = PLAIN,
        batch_tokens: int = 131_072,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self.batch_tokens = batch_tokens
        self._waiting: list[tuple[Asked, Request, asyncio.Future[Answer]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def generate(self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        """Ask the local model; only by reference."""
        from leadline.models.batches import Request

        asked = referred(input[-1])
        if asked is None or len(input) != 1:
            raise UserError(f"{self.model_name} is asked by leadline only: use `leadline measure`")
        request = Request(
            text=asked.text,
            max_tokens=asked.max_tokens,
            stop=asked.stop,
            temperature=config.temperature or 0.0,
            seed=config.seed or 0,
            shared_chars=asked.shared_chars,
            turns=asked.turns,
        )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
        return output_of(self.model_name, await future)

    async def _work(self) -> None:
        while self._waiting:
            # Prompts are built one after the other: a batch goes when it is full, or nothing has come for a while.
            seen = 0
            while seen < len(self._waiting) and sum(asked.tokens for asked, _, _ in self._waiting) < self.batch_tokens:
                seen = len(self._waiting)
                await asyncio.sleep(WAIT)
            batch, tokens = [], 0
            while self._waiting and len(batch) < REQUESTS:
                if batch and tokens + self._waiting[0][0].tokens > self.batch_tokens:
                    break
                tokens += self._waiting[0][0].tokens
                batch.append(self._waiting.pop(0))
            try:
                answers = await asyncio.to_thread(engines[self.model_name], [request for _, request, _ in batch])
            # Raised again in the samples that wait for it.
            except Exception as error:
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, _, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def connection_key(self) -> str:
        """One model, one queue."""
        return self.model_name

    def max_connections(self) -> int:
        """As many as a batch may hold."""
        return 2 * REQUESTS
