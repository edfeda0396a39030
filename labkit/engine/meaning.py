"""A second opinion on what a prompt means, by sentence vectors: asked where words alone found nothing.

    labkit serve --engine sentences        or LABKIT_ENGINE=sentences, or lk.start(engine="sentences")

"Why is the second call with the same long prefix cheaper?" shares hardly a word with the examples of prompt caching,
but its vector is near theirs. The model is all-MiniLM-L6-v2 (`labkit.sentences`), installed apart. Prompts that the
finder knows are answered as without it, to the letter; only what would have been the fallback may change. It is an
engine of its own name because answers must not depend on what happens to be installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labkit.engine.conditions import without_manner
from labkit.engine.source import Example, Intent
from labkit.sentences import SentenceModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEXICAL = 0.3
"""How much the finder's own score counts beside the cosine."""
MEANT = 0.75
"""Sum of the two from which an intent was meant. Chosen on the prompts of the tests, never on those that measure it."""
AHEAD = 0.03
"""How far the best intent must be ahead of the next."""
LONGEST = 400
"""Characters of a prompt up to which it is asked: a document is no question."""


class SecondOpinion:
    """The plain examples of all intents as vectors; those that take words of the prompt are not among them."""

    def __init__(self, intents: Iterable[Intent], model: SentenceModel | None = None) -> None:
        """
        Raises:
            WeightsError: the model is not installed.
        """
        self._model = model or SentenceModel()
        self._known = [(intent, example) for intent in intents for example in _plain(intent)]
        self._matrix = _kept(self._model, [example.text for _, example in self._known])
        self._near = lru_cache(maxsize=1_024)(self._cosines)

    def meant(self, prompt: str, lexical: Mapping[str, float]) -> tuple[Intent, Example, float] | None:
        """The intent that a prompt means, the example nearest to it and the score; None when it is not sure.

        Args:
            lexical: the finder's scores by name of intent.
        """
        said = without_manner(prompt).strip()
        if not said or len(said) > LONGEST:
            return None
        best: dict[str, tuple[float, int]] = {}
        for n, cosine in enumerate(self._near(said)):
            intent = self._known[n][0]
            score = float(cosine) + LEXICAL * lexical.get(intent.name, 0.0)
            best[intent.name] = max(best.get(intent.name, (-1.0, 0)), (score, n))
        (first, n), (second, _) = sorted(best.values(), reverse=True)[:2]
        if first < MEANT or first - second < AHEAD:
            return None
        return (*self._known[n], min(first, 1.0))

    def _cosines(self, said: str) -> NDArray[np.float32]:
        return np.asarray(self._matrix @ self._model.vectors([said])[0], dtype=np.float32)


def _plain(intent: Intent) -> list[Example]:
    """Examples that need no words of the prompt."""
    if intent.skill or intent.table or intent.name.startswith(("manner-", "label-", "fallback")):
        return []
    return [example for example in intent.examples if "$" not in example.text]


def _kept(model: SentenceModel, texts: list[str]) -> NDArray[np.float32]:
    """The vectors of the examples: seconds of work, so they are kept in the user's cache folder, by their content."""
    from platformdirs import user_cache_path

    digest = hashlib.blake2b("\n".join(texts).encode(), digest_size=12).hexdigest()
    path: Path = user_cache_path("labkit") / f"examples-{digest}.npy"
    with suppress(OSError, ValueError):
        known = np.load(path, allow_pickle=False)
        if known.shape == (len(texts), 384):
            return np.asarray(known, dtype=np.float32)
    made = model.vectors(texts)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        np.save(part, made)
        part.replace(path)
    return made
