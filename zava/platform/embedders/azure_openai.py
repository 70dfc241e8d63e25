"""Embeddings of Azure OpenAI, through its version-less address `/openai/v1/` and with Entra ID tokens, never a key."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import math
import sys
import time
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from zava.errors import ServiceUnavailableError
from zava.platform.embedders.embedder import (
    Embedded,
    EmbedderNotReadyError,
    EmbedderUnavailableError,
    RequestLimits,
    TextRefusedError,
    Vector,
)
from zava.platform.shared_task import begin, is_under_way
from zava.platform.tracing import outgoing_headers

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SCOPE = "https://cognitiveservices.azure.com/.default"
DIMENSIONS = 1536


class AzureOpenAIEmbedder:
    """One deployment; its name is the model's, so a deployment must never be given another model (make a new one).

    The client's own retries are off: what is worth repeating, and how long, differs between a search, which would
    rather answer from full text, and the refresh, which has time. Only a connection that turns out to be dead, as one
    kept open since the last call may be, is replaced at once.

    Args:
        endpoint: `https://<resource>.openai.azure.com`, without a path.
        token: an Entra ID token for `SCOPE`; asked for every request, so it should keep it.
    """

    knows_meaning = True
    # The service's own: 2048 texts, 8192 tokens each, 300 000 together. The rest is left for a poor estimate.
    limits = RequestLimits(texts=2_048, tokens=250_000, tokens_of_one=8_192)

    def __init__(self, endpoint: str, deployment: str, token: Callable[[], Awaitable[str]]) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._token = token
        self._opening: asyncio.Task[AsyncOpenAI] | None = None

    @property
    def model(self) -> str:
        return self._deployment

    async def embed(self, texts: Sequence[str], *, timeout: float) -> Embedded:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                client = await self._client()
                return await self._ask(client, texts)
        except TimeoutError:
            if is_under_way(self._opening):
                raise EmbedderNotReadyError(f"the client was not loaded within {timeout:g} s") from None
            raise EmbedderUnavailableError(f"Azure OpenAI did not answer within {timeout:g} s") from None

    async def _ask(self, client: AsyncOpenAI, texts: Sequence[str]) -> Embedded:
        import openai

        try:
            try:
                answer = await self._request(client, texts)
            except openai.APITimeoutError:
                raise
            except openai.APIConnectionError:
                answer = await self._request(client, texts)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as problem:
            raise TextRefusedError(_reason(problem.body)) from problem
        except openai.APIStatusError as problem:
            if problem.status_code == 413:
                raise TextRefusedError("the request is too large") from problem
            raise EmbedderUnavailableError(
                f"Azure OpenAI answered {problem.status_code}: {_reason(problem.body)}",
                retry_after=_retry_after(problem.response.headers),
                throttled=problem.status_code == 429,
            ) from problem
        except (openai.OpenAIError, ServiceUnavailableError, ValueError) as problem:
            raise EmbedderUnavailableError(f"Azure OpenAI: {type(problem).__name__}: {str(problem)[:200]}") from problem
        return answer

    async def _request(self, client: AsyncOpenAI, texts: Sequence[str]) -> Embedded:
        response = await client.embeddings.create(
            model=self._deployment,
            input=list(texts),
            dimensions=DIMENSIONS,
            encoding_format="base64",
            extra_headers=outgoing_headers(),
        )
        try:
            by_index = {item.index: _decoded(item.embedding) for item in response.data}
            return Embedded([by_index[index] for index in range(len(texts))], response.usage.total_tokens)
        except (AttributeError, KeyError, TypeError) as problem:  # the client does not check what it is sent
            raise ValueError("the answer is not one vector a text") from problem

    async def _client(self) -> AsyncOpenAI:
        """The client of the running loop: its connections do not outlive the loop they were made in."""
        loop = asyncio.get_running_loop()
        opening = self._opening
        if opening is None or opening.get_loop() is not loop or (opening.done() and opening.exception() is not None):
            opening = self._opening = begin(asyncio.to_thread(self._open))
        return await asyncio.shield(opening)  # a caller that gives up must not stop what others wait for

    def _open(self) -> AsyncOpenAI:
        # In a thread: the import takes half a second, and reading the machine's certificates a tenth.
        from openai import AsyncOpenAI, DefaultAsyncHttpx2Client

        return AsyncOpenAI(
            base_url=f"{self._endpoint}/openai/v1/",
            api_key=self._current_token,
            max_retries=0,
            # Given, because the client's own closes itself when it is collected, on whatever loop happens to run then.
            http_client=DefaultAsyncHttpx2Client(timeout=600),
        )

    async def _current_token(self) -> str:
        return await self._token()

    async def close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None and opening.get_loop() is asyncio.get_running_loop():
            await (await opening).close()


def _decoded(embedding: Any) -> Vector:
    """Base64 of little-endian single precision, as asked for: a fifth of the bytes and of the work of JSON numbers."""
    vector: Vector = array("f")
    vector.frombytes(base64.b64decode(cast("str", embedding), validate=True))
    if sys.byteorder == "big":
        vector.byteswap()
    if len(vector) != DIMENSIONS:
        raise ValueError(f"a vector has {len(vector)} dimensions instead of {DIMENSIONS}")
    if not (math.isfinite(sum(vector)) and any(vector)):
        raise ValueError("a vector is zero or not finite")
    return vector


def _reason(body: object) -> str:
    """What the service says of itself, without quoting what it was sent."""
    error = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    text = error.get("message") or error.get("code") or "no reason given"
    return str(text)[:200]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms` (Azure's) or `retry-after` (RFC 9110, section 10.2.3: seconds or a date)."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / divisor
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    moment = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return max(0.0, email.utils.mktime_tz(moment) - time.time()) if moment else None
