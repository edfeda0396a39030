"""The short lists of names that the extractor knows: `gazetteer.md`."""

from __future__ import annotations

from functools import cache

from labkit.engine.wordlists import sections


@cache
def gazetteer() -> dict[str, frozenset[str]]:
    """The lists, by heading. Names of several words are parted by commas, others by blanks."""
    found = {heading: lines[""] for heading, lines in sections("gazetteer.md").items() if "" in lines}
    return {heading: frozenset(w.strip() for w in _parted(words)) for heading, words in found.items()}


def _parted(words: str) -> list[str]:
    return words.split(",") if "," in words else words.split()


@cache
def made_up() -> dict[str, tuple[str, ...]]:
    """Values for when the prompt asks to invent something, by kind."""
    lists = sections("gazetteer.md")["made up"]
    return {kind: tuple(value.strip() for value in values.split(",")) for kind, values in lists.items()}
