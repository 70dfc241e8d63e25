"""The embeddings of Azure OpenAI as its wire protocol has them, with the faults it is known for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from azure.core.credentials import AccessTokenInfo, TokenRequestOptions

from tests import network_guard
from tests.azure_standins.http_server import ConnectionCut, HttpServer, Reply, Request
from zava.platform.credential import SharedCredential
from zava.platform.embedders.choice import Embedders
from zava.platform.settings import Settings

HOST = "zava-tests.openai.azure.com"
ENDPOINT = f"https://{HOST}"
DEPLOYMENT = "text-embedding-3-small"
TOKEN = "a-token-for-cognitive-services"
MOST_TEXTS, MOST_TOKENS, MOST_TOKENS_OF_ONE = 2_048, 300_000, 8_192


@dataclass(slots=True)
class Faults:
    """What goes wrong. `script` is worked off first, a request each; `always` lasts until it is unset.

    Either is a reply, or one of: `ok`, `hang`, `cut` (the connection, before an answer), `half` (an answer that ends in
    the middle), `swallow` (the request is carried out and paid for, and its answer never comes).
    """

    script: deque[Reply | str] = field(default_factory=deque["Reply | str"])
    always: Reply | str | None = None
    dimensions: int | None = None
    refused_word: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was answered with vectors."""

    texts: tuple[str, ...]
    tokens: int
    model: str
    dimensions: int
    encoding: str


class OpenAIService:
    """`server` is to be entered; `accepted` and `attempts` say what was asked of it."""

    def __init__(self, deployments: frozenset[str] = frozenset({DEPLOYMENT})) -> None:
        self.server = HttpServer(self._handle, HOST)
        self.faults = Faults()
        self.accepted: list[Accepted] = []
        self.attempts = 0
        self._deployments = deployments

    async def _handle(self, request: Request) -> Reply:
        self.attempts += 1
        fault = self.faults.script.popleft() if self.faults.script else self.faults.always
        if isinstance(fault, Reply):
            return fault
        if fault == "cut":
            raise ConnectionCut
        if fault == "hang":
            await asyncio.Event().wait()
        reply = self._embeddings(request, half=fault == "half")
        if fault == "swallow":
            await asyncio.Event().wait()
        return reply

    def _embeddings(self, request: Request, *, half: bool) -> Reply:
        if request.path != "/openai/v1/embeddings" or request.method != "POST":
            return error(404, "404", "Resource not found")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")
        asked: dict[str, Any] = json.loads(request.body)
        if asked["model"] not in self._deployments:
            return error(404, "DeploymentNotFound", "The API deployment for this resource does not exist.")
        texts: list[str] = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        tokens = [max(1, len(text) // 4) for text in texts]
        if not texts or len(texts) > MOST_TEXTS:
            return error(400, None, "'$.input' is invalid. Please check the API reference.")
        if any(not text for text in texts):
            return error(400, None, "'$.input' is invalid. An empty string is not allowed.")
        if max(tokens) > MOST_TOKENS_OF_ONE:
            return error(400, None, "This model's maximum context length is 8192 tokens.")
        if sum(tokens) > MOST_TOKENS:
            return error(400, "max_tokens_per_request", "Requested more than max 300000 tokens per request")
        if self.faults.refused_word and any(self.faults.refused_word in text for text in texts):
            return error(400, "content_filter", "The input was refused.")
        dimensions = self.faults.dimensions or asked.get("dimensions") or 1536
        encoding = asked.get("encoding_format", "float")
        self.accepted.append(Accepted(tuple(texts), sum(tokens), asked["model"], dimensions, encoding))
        data = [
            {"object": "embedding", "index": index, "embedding": _embedding(text, dimensions, encoding)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": sum(tokens), "total_tokens": sum(tokens)}
        answer = {"object": "list", "data": data, "model": asked["model"], "usage": usage}
        return Reply(200, json.dumps(answer).encode(), cut=half)


def error(status: int, code: str | None, message: str, **headers: str) -> Reply:
    body = {"error": {"code": code, "message": message, "type": "invalid_request_error", "param": None}}
    return Reply(status, json.dumps(body).encode(), {name.replace("_", "-"): value for name, value in headers.items()})


def throttled(**headers: str) -> Reply:
    """429; `retry_after="7"` or `retry_after_ms="50"`."""
    return error(429, "429", "Requests have exceeded the call rate limit of your current tier.", **headers)


def vector(text: str, dimensions: int = 1536) -> list[float]:
    """Numbers that belong to a text: the same ones for the same text, and to other texts at right angles, nearly."""
    return [byte - 127.5 for byte in hashlib.shake_128(text.encode()).digest(dimensions)]


def _embedding(text: str, dimensions: int, encoding: str) -> str | list[float]:
    values = vector(text, dimensions)
    return base64.b64encode(struct.pack(f"<{dimensions}f", *values)).decode() if encoding == "base64" else values


@contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch, *deployments: str) -> Generator[OpenAIService]:
    """The service under its own name, trusted by this process, while the block runs."""
    service = OpenAIService(frozenset(deployments or {DEPLOYMENT}))
    with service.server as server:
        network_guard.route(HOST, server.port)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.trust_file(folder)))
        yield service


class FixedCredential:
    """A managed identity that always has the token the service accepts."""

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        return AccessTokenInfo(TOKEN, int(time.time()) + 3_600)

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *arguments: object) -> None: ...


def azure_embedders(settings: Settings) -> Embedders:
    """What an app with these settings and EMBEDDER=azure has, signed in to the service."""
    update = {"embedder": "azure", "azure_openai_endpoint": ENDPOINT}
    return Embedders(settings.model_copy(update=update), SharedCredential(FixedCredential))
