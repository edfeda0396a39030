"""Words that the engine knows, kept in Markdown: sections of lines `- key: words`, or of one line `- words`."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def sections(name: str) -> dict[str, dict[str, str]]:
    """heading -> key -> the words behind it, as written. A line without a key stands under "".

    A word that contains a colon is not possible; several lines of one key are not either.
    """
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    for part in text.split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        found[heading] = dict(_keyed(line[2:]) for line in body.splitlines() if line.startswith("- "))
    return found


def _keyed(line: str) -> tuple[str, str]:
    key, colon, words = line.partition(": ")
    return (key, words) if colon else ("", line)
