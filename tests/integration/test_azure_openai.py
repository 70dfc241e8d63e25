"""The real openai client against a stand-in of Azure OpenAI, over TLS and under the service's own host name."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azure_standins.http_server import Reply
from tests.azure_standins.identity_endpoint import IdentityEndpoint
from tests.azure_standins.openai_service import (
    DEPLOYMENT,
    ENDPOINT,
    TOKEN,
    Accepted,
    OpenAIService,
    error,
    running,
    throttled,
    vector,
)
from zava.platform.credential import SharedCredential, azure_credential
from zava.platform.embedders.azure_openai import SCOPE, AzureOpenAIEmbedder
from zava.platform.embedders.embedder import EmbedderUnavailableError, TextRefusedError


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIService]:
    with running(tmp_path, monkeypatch) as service:
        yield service


async def _token() -> str:
    return TOKEN


@pytest.fixture
def embedder(service: OpenAIService) -> AzureOpenAIEmbedder:
    return AzureOpenAIEmbedder(ENDPOINT, DEPLOYMENT, _token)


async def test_a_request_names_deployment_dimensions_and_encoding_and_its_vectors_come_back_in_order(
    service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    texts = ["claw hammer", "garden hose", "claw hammer"]
    embedded = await embedder.embed(texts, timeout=10)
    assert [list(found) for found in embedded.vectors] == [vector(text) for text in texts]
    assert embedded.tokens == 6
    assert service.accepted == [Accepted(tuple(texts), 6, DEPLOYMENT, 1536, "base64")]
    await embedder.close()


async def test_the_largest_request_the_limits_allow_is_accepted(
    service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    embedded = await embedder.embed([f"product {number}" for number in range(embedder.limits.texts)], timeout=30)
    assert (len(embedded.vectors), len(service.accepted)) == (2_048, 1)
    await embedder.close()


REFUSALS = {
    "an empty text": [""],
    "too many texts": ["a"] * 2_049,
    "a text beyond the model's context": ["word " * 10_000],
    "too many tokens together": ["word " * 6_000] * 41,
}


@pytest.mark.parametrize("texts", REFUSALS.values(), ids=REFUSALS)
async def test_what_the_service_will_not_take_is_a_refusal(
    texts: list[str], service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    with pytest.raises(TextRefusedError) as caught:
        await embedder.embed(texts, timeout=10)
    assert "word word" not in str(caught.value)
    assert service.attempts == 1
    await embedder.close()


FAULTS: dict[str, tuple[Reply | str, str, float | None, bool]] = {
    "throttled, seconds": (throttled(retry_after="7"), "429", 7.0, True),
    "throttled, milliseconds": (throttled(retry_after_ms="1500", retry_after="60"), "429", 1.5, True),
    "throttled, no wait said": (throttled(), "429", None, True),
    "throttled, nonsense": (throttled(retry_after="soon"), "429", None, True),
    "server error": (error(500, "500", "The server had an error"), "500", None, False),
    "unavailable": (error(503, "503", "busy", retry_after="2"), "503", 2.0, False),
    "wrong token": (error(401, "401", "Access denied"), "401", None, False),
    "no such deployment": (error(404, "DeploymentNotFound", "The deployment does not exist"), "404", None, False),
    "not JSON": (Reply(200, b"<html>gateway</html>"), "Azure OpenAI", None, False),
    "no vectors": (
        Reply(200, b'{"object":"list","data":[],"model":"m","usage":{"total_tokens":1}}'),
        "not one vector a text",
        None,
        False,
    ),
    "an empty object": (Reply(200, b"{}"), "not one vector a text", None, False),
    "numbers instead of base64": (
        Reply(200, b'{"data":[{"index":0,"embedding":[0.5]}],"usage":{"total_tokens":1}}'),
        "not one vector a text",
        None,
        False,
    ),
}


@pytest.mark.parametrize(("fault", "text", "retry_after", "is_throttled"), FAULTS.values(), ids=FAULTS)
async def test_a_service_that_fails_is_unavailable_and_says_for_how_long(
    fault: Reply | str,
    text: str,
    retry_after: float | None,
    is_throttled: bool,
    service: OpenAIService,
    embedder: AzureOpenAIEmbedder,
) -> None:
    service.faults.always = fault
    with pytest.raises(EmbedderUnavailableError, match=text) as caught:
        await embedder.embed(["secret plans"], timeout=10)
    assert (caught.value.retry_after, caught.value.throttled) == (retry_after, is_throttled)
    assert "secret plans" not in str(caught.value)
    assert service.attempts == 1
    await embedder.close()


async def test_a_date_to_wait_for_is_understood(service: OpenAIService, embedder: AzureOpenAIEmbedder) -> None:
    service.faults.always = throttled(retry_after="Wed, 21 Oct 2099 07:28:00 GMT")
    with pytest.raises(EmbedderUnavailableError) as caught:
        await embedder.embed(["a"], timeout=10)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 1e9
    await embedder.close()


@pytest.mark.parametrize("dimensions", [8, 1535, 3072])
async def test_vectors_of_another_size_are_no_answer(
    dimensions: int, service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    service.faults.dimensions = dimensions
    with pytest.raises(EmbedderUnavailableError, match=f"{dimensions} dimensions instead of 1536"):
        await embedder.embed(["a"], timeout=10)
    await embedder.close()


async def test_a_service_that_hangs_costs_the_deadline_and_no_more(
    service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    await embedder.embed(["warm"], timeout=10)
    service.faults.always = "hang"
    started = time.monotonic()
    with pytest.raises(EmbedderUnavailableError, match=r"within 0\.3 s"):
        await embedder.embed(["a"], timeout=0.3)
    assert time.monotonic() - started < 1
    await embedder.close()


async def test_a_token_that_never_comes_costs_the_deadline_too(service: OpenAIService) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return TOKEN

    embedder = AzureOpenAIEmbedder(ENDPOINT, DEPLOYMENT, never)
    with pytest.raises(EmbedderUnavailableError, match="did not answer"):
        await embedder.embed(["a"], timeout=1)
    assert service.attempts == 0
    await embedder.close()


async def test_a_kept_connection_that_the_service_closed_is_replaced_unnoticed(
    service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    await embedder.embed(["a"], timeout=10)
    service.server.drop_connections()
    assert len((await embedder.embed(["b"], timeout=10)).vectors) == 1
    await embedder.close()


@pytest.mark.parametrize("fault", ["cut", "half"])
async def test_a_connection_that_breaks_once_is_tried_again_and_one_that_keeps_breaking_is_unavailable(
    fault: str, service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    service.faults.script.append(fault)
    assert len((await embedder.embed(["a"], timeout=10)).vectors) == 1
    service.faults.always = fault
    with pytest.raises(EmbedderUnavailableError):
        await embedder.embed(["a"], timeout=10)
    assert service.attempts == 4
    await embedder.close()


async def test_concurrent_first_calls_open_one_client_and_a_caller_that_gives_up_disturbs_nobody(
    service: OpenAIService, embedder: AzureOpenAIEmbedder
) -> None:
    impatient = asyncio.ensure_future(embedder.embed(["a"], timeout=10))
    others = [asyncio.ensure_future(embedder.embed([str(number)], timeout=10)) for number in range(8)]
    await asyncio.sleep(0)
    impatient.cancel()
    assert [len(done.vectors) for done in await asyncio.gather(*others)] == [1] * 8
    await embedder.close()


@pytest.mark.filterwarnings("ignore:unclosed")  # the first loop's connection, which goes with its loop
def test_the_client_works_on_a_second_event_loop(service: OpenAIService) -> None:
    embedder = AzureOpenAIEmbedder(ENDPOINT, DEPLOYMENT, _token)

    async def vectors_of(embedder: AzureOpenAIEmbedder, text: str) -> int:
        return len((await embedder.embed([text], timeout=10)).vectors)

    assert asyncio.run(vectors_of(embedder, "a")) == 1
    assert asyncio.run(vectors_of(embedder, "b")) == 1
    del embedder
    gc.collect()


async def test_the_managed_identity_is_asked_once_for_many_requests(
    service: OpenAIService, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = IdentityEndpoint(TOKEN)
    with endpoint.server:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        credential = SharedCredential(lambda: azure_credential("11111111-2222-3333-4444-555555555555", on_azure=True))
        embedder = AzureOpenAIEmbedder(ENDPOINT, DEPLOYMENT, lambda: credential.token(SCOPE))
        await asyncio.gather(*(embedder.embed([str(number)], timeout=10) for number in range(12)))
        assert [(asked["resource"], asked["client_id"]) for asked in endpoint.requests] == [
            ("https://cognitiveservices.azure.com", "11111111-2222-3333-4444-555555555555")
        ]
        await embedder.close()


async def test_without_a_token_the_embedder_is_unavailable_at_once(
    service: OpenAIService, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = IdentityEndpoint(TOKEN)
    with endpoint.server:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        endpoint.status = 500
        credential = SharedCredential(lambda: azure_credential("", on_azure=True))
        embedder = AzureOpenAIEmbedder(ENDPOINT, DEPLOYMENT, lambda: credential.token(SCOPE))
        for _ in range(3):
            with pytest.raises(EmbedderUnavailableError):
                await embedder.embed(["a"], timeout=5)
        assert (len(endpoint.requests), service.attempts) == (1, 0)
        await embedder.close()
