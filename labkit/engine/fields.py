"""The keys that a prompt without a schema wants in its JSON.

'Extract the entities. Return JSON with the keys "name" and "city".'  ->  name, city
"Extract person, place and date as JSON: ..."                       ->  person, place, date
'Fill in {"who": null, "amount": 0}'                                ->  who, amount (a number)
"""

from __future__ import annotations

import json
import re

from labkit.engine.base import Prompt
from labkit.engine.items import edges
from labkit.engine.reading import split

MOST = 24
_EXTRACTS = re.compile(
    r"\b(?:extract|parse|pull out|pick out|identify|find|read|get|fill in|entities|fields)\b", re.IGNORECASE
)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_OBJECT = re.compile(r"\{\s*\"\w+\"\s*:[^{}]*\}", re.DOTALL)
_PAIR = re.compile(r"\"(\w+)\"\s*:\s*(\"[^\"]*\"|[^,}\s]+)")
_QUOTED = re.compile(r"[\"'`](\w{2,30})[\"'`]")
_KEYS = re.compile(
    r"\b(?:keys?|fields?|propert(?:y|ies))\b(?:\s+(?:are|is|called|named|of|for|the|following|only|exactly))*\s*:?\s*",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:extract|identify|find|pull out|pick out|parse|get)\s+"
    r"(?:the |all |its |following |these |fields? |entities |named |:|,)*",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:the |a |an |its )?([a-z][a-z_]*(?: (?:name|date|number|address))?)(?:\s*\([^()]{0,60}\))?", re.IGNORECASE
)
_SEPARATOR = re.compile(r"\s*(?:,\s*(?:and|or)\b|,|\band\b|&)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?|number|float")
_NUMBERS = frozenset(["amount", "price", "total", "sum", "quantity", "age", "cost", "fee", "salary", "count"])


def schema_of(prompt: Prompt) -> str | None:
    """A JSON schema with the keys that the prompt names; None if it does not want values read from a text as JSON."""
    said = prompt.last_user
    if not prompt.json and not _JSON.search(edges(said)) and not _JSON.search(edges(prompt.system)):
        return None
    shown = _OBJECT.search(said)
    request, document = split(said.replace(shown[0], "the object") if shown else said)
    request, own = f"{request} {shown[0] if shown else ''}", document != request
    asked = f"{prompt.system}\n{request}" if own else prompt.system or request
    named = shown is not None or _EXTRACTS.search(asked) or _KEYS.search(asked)
    if not (prompt.json or _JSON.search(asked)) or not named or (not own and not prompt.system):
        return None
    keys = _shown(asked) or {name: _type_of(name) for name in _listed(asked)}
    if len(keys) < 2:
        return None
    properties = {key: {"type": [kind, "null"]} for key, kind in list(keys.items())[:MOST]}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return json.dumps(schema)


def _shown(asked: str) -> dict[str, str]:
    """Keys of an object that the prompt shows, typed like the values that stand there."""
    found = _OBJECT.search(asked)
    pairs = _PAIR.findall(found[0]) if found else []
    return {key: "number" if _NUMBER.fullmatch(value.strip('"')) else _type_of(key) for key, value in pairs}


def _listed(asked: str) -> list[str]:
    """Names behind "keys" or behind "extract"."""
    for cue in (_KEYS, _VERB):
        for found in cue.finditer(asked):
            sentence = re.split(r"[.;\n]", asked[found.end() :], maxsplit=1)[0]
            names = _QUOTED.findall(sentence) or _names(sentence)
            if len(names) >= 2:
                return names
    return []


def _names(sentence: str) -> list[str]:
    found, at = list[str](), 0
    while name := _NAME.match(sentence, at):
        found.append(name[1].strip().lower().replace(" ", "_"))
        separator = _SEPARATOR.match(sentence, name.end())
        if not separator:
            break
        at = separator.end()
    return found


def _type_of(name: str) -> str:
    return "number" if _NUMBERS & set(name.lower().split("_")) else "string"
