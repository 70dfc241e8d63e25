"""The shared credential: one request for many callers, renewed in time, and usable while the endpoint is away."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError

from zava.errors import ServiceUnavailableError
from zava.platform.credential import SharedCredential

SCOPE = "https://example.test/.default"


class Away(ClientAuthenticationError):  # noqa: N818
    """The endpoint gives no token."""


class Endpoint:
    """A credential whose tokens are numbered and live an hour; calls wait for `gate` when it is set."""

    def __init__(self, clock: list[float]) -> None:
        self.requests: list[str] = []
        self.away = False
        self.gate: threading.Event | None = None
        self._clock = clock

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        self.requests.append(scopes[0])
        if self.gate is not None:
            assert self.gate.wait(5)
        if self.away:
            raise Away
        return AccessTokenInfo(f"token {len(self.requests)}", int(self._clock[0]) + 3_600)

    def close(self) -> None: ...

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *arguments: object) -> None: ...


@pytest.fixture
def clock() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def endpoint(clock: list[float]) -> Endpoint:
    return Endpoint(clock)


@pytest.fixture
def credential(endpoint: Endpoint, clock: list[float]) -> SharedCredential:
    return SharedCredential(lambda: endpoint, clock=lambda: clock[0])


async def test_concurrent_callers_share_one_request_a_scope(credential: SharedCredential, endpoint: Endpoint) -> None:
    tokens = await asyncio.gather(
        *(credential.token(SCOPE) for _ in range(20)), *(credential.token("b") for _ in range(5))
    )
    assert sorted(endpoint.requests) == ["b", SCOPE]
    assert len(set(tokens)) == 2


async def test_a_token_is_renewed_five_minutes_before_its_end(
    credential: SharedCredential, endpoint: Endpoint, clock: list[float]
) -> None:
    assert await credential.token(SCOPE) == "token 1"
    clock[0] += 3_299
    assert await credential.token(SCOPE) == "token 1"
    clock[0] += 1
    assert await credential.token(SCOPE) == "token 2"


async def test_while_the_endpoint_is_away_the_old_token_serves_as_long_as_it_is_valid(
    credential: SharedCredential, endpoint: Endpoint, clock: list[float]
) -> None:
    await credential.token(SCOPE)
    endpoint.away = True
    clock[0] += 3_400
    assert await credential.token(SCOPE) == "token 1"
    clock[0] += 175
    with pytest.raises(ServiceUnavailableError):
        await credential.token(SCOPE)


async def test_a_failure_is_remembered_for_two_seconds(
    credential: SharedCredential, endpoint: Endpoint, clock: list[float]
) -> None:
    endpoint.away = True
    for _ in range(10):
        with pytest.raises(ServiceUnavailableError):
            await credential.token(SCOPE)
    assert len(endpoint.requests) == 1
    endpoint.away = False
    clock[0] += 2
    assert await credential.token(SCOPE) == "token 2"


async def test_a_caller_that_gives_up_does_not_stop_the_others(
    credential: SharedCredential, endpoint: Endpoint
) -> None:
    endpoint.gate = threading.Event()
    impatient = asyncio.ensure_future(credential.token(SCOPE))
    patient = asyncio.ensure_future(credential.token(SCOPE))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    endpoint.gate.set()
    assert await patient == "token 1"
    assert len(endpoint.requests) == 1
