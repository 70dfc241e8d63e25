"""The arithmetic of all-MiniLM-L6-v2 in NumPy: six layers of BERT, the mean of their outputs, unit length.

Equal to `sentence-transformers` to 2e-7 (the approximation of erf). Imports NumPy: only `minilm.py` imports this.
"""

from __future__ import annotations

import json
import math
import mmap
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zava.platform.embedders.embedder import Vector
from zava.platform.embedders.wordpiece import WordPiece

_Floats = NDArray[np.float32]

_DIMENSIONS, _LAYERS, _HEADS = 384, 6, 12
_PIECES_READ = 256
_TEXTS_A_PASS = 16  # wider passes gain nothing, and their attention takes memory with the square of the length


class MiniLMNetwork:
    def __init__(self, weights: Path, vocabulary: Path) -> None:
        self._tokenizer = WordPiece(vocabulary.read_text("utf-8"), _PIECES_READ)
        self._weights = _read_safetensors(weights)

    def vectors(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of length 1 a text."""
        ids = [self._tokenizer.ids(text) for text in texts]
        # Texts of similar length together: a pass is as wide as its longest text.
        order = sorted(range(len(ids)), key=lambda position: len(ids[position]))
        vectors: list[Vector] = [array("f")] * len(ids)
        for start in range(0, len(order), _TEXTS_A_PASS):
            positions = order[start : start + _TEXTS_A_PASS]
            outputs = self._mean_output([ids[position] for position in positions])
            for position, output in zip(positions, outputs, strict=True):
                vectors[position] = array("f", output.tobytes())
        return vectors

    def _mean_output(self, texts: Sequence[Sequence[int]]) -> _Floats:
        width = max(len(text) for text in texts)
        ids = np.zeros((len(texts), width), np.intp)
        present = np.zeros((len(texts), width), np.float32)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            present[row, : len(text)] = 1
        states = (
            self._weights["embeddings.word_embeddings.weight"][ids]
            + self._weights["embeddings.position_embeddings.weight"][:width]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._norm("embeddings.LayerNorm", states)
        padding = ((1 - present) * np.float32(-1e9))[:, None, None, :]
        for layer in range(_LAYERS):
            states = self._layer(f"encoder.layer.{layer}", states, padding)
        total = (states * present[:, :, None]).sum(axis=1)
        return total / np.linalg.norm(total, axis=1, keepdims=True)

    def _layer(self, name: str, states: _Floats, padding: _Floats) -> _Floats:
        """Self-attention and the feed-forward step (Vaswani et al., 2017), each added to its input and normalised."""
        texts, width, _ = states.shape
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", states)
            .reshape(texts, width, _HEADS, _DIMENSIONS // _HEADS)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(_DIMENSIONS // _HEADS)) + padding
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(texts, width, _DIMENSIONS)
        states = self._norm(
            f"{name}.attention.output.LayerNorm", self._linear(f"{name}.attention.output.dense", mixed) + states
        )
        inner = _gelu(self._linear(f"{name}.intermediate.dense", states))
        return self._norm(f"{name}.output.LayerNorm", self._linear(f"{name}.output.dense", inner) + states)

    def _linear(self, name: str, values: _Floats) -> _Floats:
        # One flat product: NumPy multiplies a stack of small matrices without BLAS.
        flat = values.reshape(-1, values.shape[-1]) @ self._weights[f"{name}.weight"].T
        return flat.reshape(*values.shape[:-1], -1) + self._weights[f"{name}.bias"]

    def _norm(self, name: str, values: _Floats) -> _Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        return centred / deviation * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(values: _Floats) -> _Floats:
    """x * (1 + erf(x / sqrt 2)) / 2, with erf by Abramowitz and Stegun 7.1.26 (error below 1.5e-7)."""
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    one = np.float32(1)
    step = one / (one + np.float32(0.3275911) * scaled)
    series = np.zeros_like(step)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(coefficient)) * step
    erf = one - series * np.exp(-scaled * scaled)
    return (np.float32(0.5) * values * (one + np.sign(values) * erf)).astype(np.float32, copy=False)


def _read_safetensors(file: Path) -> dict[str, _Floats]:
    """The tensors by name. Format: the length of a JSON header in 8 bytes, the header, the numbers."""
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(mapped[:8], "little")
    header: dict[str, Any] = json.loads(mapped[8 : 8 + length])
    tensors: dict[str, _Floats] = {}
    for name, entry in header.items():
        if entry.get("dtype") != "F32":
            continue  # the header's own remarks, and a table of positions that is not a weight
        start, stop = entry["data_offsets"]
        view = np.frombuffer(mapped, "<f4", (stop - start) // 4, 8 + length + start).reshape(entry["shape"])
        # The 47 MB of words stay in the file, of which few are ever read. The rest is copied: a view that does not
        # start at a multiple of 4 bytes keeps NumPy from BLAS and makes a text take 40 times as long.
        tensors[name] = view if "word_embeddings" in name else view.copy()
    return tensors
