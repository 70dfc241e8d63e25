"""Which embedder a model's name stands for, in this process."""

from __future__ import annotations

from zava.platform.credential import SharedCredential
from zava.platform.embedders import minilm
from zava.platform.embedders.azure_openai import SCOPE, AzureOpenAIEmbedder
from zava.platform.embedders.embedder import Embedder, EmbedderUnavailableError
from zava.platform.embedders.hashing import HashingEmbedder
from zava.platform.embedders.minilm import MiniLMEmbedder
from zava.platform.settings import Settings


class Embedders:
    """Embedders by the name of their model, each made once.

    Any model can be asked for, not only the one that the settings name: while the catalogue is embedded anew, search
    goes on with the old one.
    """

    def __init__(self, settings: Settings, credential: SharedCredential) -> None:
        self._endpoint = settings.azure_openai_endpoint
        self._credential = credential
        self._made: dict[str, Embedder] = {}
        self.configured_model = {
            "azure": settings.embedding_model_deployment_name,
            "minilm": MiniLMEmbedder.model,
            "hash": HashingEmbedder.model,
        }[settings.embedder]

    def of(self, model: str) -> Embedder:
        """The embedder that makes vectors of `model`.

        Raises:
            EmbedderUnavailableError: nothing in this process can.
        """
        if model not in self._made:
            self._made[model] = self._make(model)
        return self._made[model]

    async def close(self) -> None:
        """Close what holds connections; the next text opens it again."""
        for embedder in self._made.values():
            if isinstance(embedder, AzureOpenAIEmbedder):
                await embedder.close()

    def _make(self, model: str) -> Embedder:
        if model == HashingEmbedder.model:
            return HashingEmbedder()
        if model == MiniLMEmbedder.model:
            if not minilm.is_installed():
                raise EmbedderUnavailableError(f"{model} is not installed")
            return MiniLMEmbedder()
        if not self._endpoint:
            raise EmbedderUnavailableError(f"{model} needs AZURE_OPENAI_ENDPOINT")
        return AzureOpenAIEmbedder(self._endpoint, model, lambda: self._credential.token(SCOPE))
