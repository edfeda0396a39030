"""A JSON schema that stands in the words of a prompt, as callers without structured output write it.

    system: "... parsed objects in json that match the following json_schema: {"type": "object", "properties": ...}"
    ->  the schema, and the prompt without it
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from labkit.engine.base import Prompt

MOST_TRIES = 8
"""Opening braces that are looked at in one turn, so that a prompt full of them costs no time."""
_BEGINNING = re.compile(
    r"\{\s*\"(?:\$defs|\$schema|additionalProperties|definitions|description|properties|required|title|type)\"\s*:"
)
_ASKED = re.compile(r"\bschema\b|_schema\b|\bjson\b", re.IGNORECASE)
_DECODER = json.JSONDecoder()


def taken_out(prompt: Prompt) -> tuple[Prompt, str] | None:
    """The prompt without the schema, and the schema as JSON text; None if no turn of caller or user shows one."""
    for n, turn in enumerate(prompt.turns):
        if turn.role not in ("system", "user") or not (prompt.json or _ASKED.search(turn.text)):
            continue
        for found in list(_BEGINNING.finditer(turn.text))[:MOST_TRIES]:
            if end := _end_of_schema(turn.text, found.start()):
                text = turn.text[: found.start()].rstrip() + "\n" + turn.text[end:].lstrip()
                turns = (*prompt.turns[:n], replace(turn, text=text.strip()), *prompt.turns[n + 1 :])
                return replace(prompt, turns=turns), turn.text[found.start() : end]
    return None


def _end_of_schema(text: str, start: int) -> int:
    """Where the schema of an object ends that begins here; 0 if none does."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return 0
    shows_object = isinstance(value.get("properties"), dict) and value.get("type", "object") == "object"
    return end if shows_object or value.keys() >= {"$ref", "$defs"} else 0
