"""OpenAI: moderations, by keyword.

No model reads the text here. A category is flagged when one of its word patterns occurs; its score is 1 - 0.2^n for n
occurrences, else a small constant. So the shape is the provider's and the judgement is a word list's: it misses what is
said politely and flags a news report. Images are accepted and never flagged. Moderation is free, as it is there.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from labkit.server.errors import ApiError
from labkit.server.exchange import Exchange
from labkit.server.http import Answer, Response, Route
from labkit.server.shapes import Field, Violation, check, check_value

MODELS = {
    "omni-moderation-latest": "omni-moderation-2024-09-26",
    "omni-moderation-2024-09-26": "omni-moderation-2024-09-26",
    "text-moderation-latest": "text-moderation-007",
    "text-moderation-stable": "text-moderation-007",
}
FIELDS = {
    "input": Field("string or array", required=True, nullable=False, low=1, high=1_024),
    "model": Field("string"),
}

_PEOPLE = r"(?:women|men|jews|muslims|christians|immigrants|foreigners|gays|blacks|whites|asians)"
_WEAPON = r"(?:bomb|explosives?|grenade|gun|rifle|nerve gas)"
_ASKS = r"\bhow (?:to|do i|can i)"
_WILL = r"\bi(?:'ll| will|'m going to| am going to)"
_INSULT = r"(?:idiots?|morons?|stupid|pathetic|worthless|losers?)"
_HARM = r"(?:kill|murder|stab|shoot|behead|strangle|massacre|beat(?:en)? (?:up|to death))"
PATTERNS = {
    "harassment": rf"\byou(?:'re| are)? (?:an? )?(?:\w+ )?{_INSULT}\b|\bshut up\b",
    "harassment/threatening": rf"{_WILL} (?:kill|hurt|beat|stab|shoot|find) (?:you|him|her|them)\b",
    "hate": rf"\b(?:hate|despise) (?:all )?{_PEOPLE}\b|\b{_PEOPLE} are (?:vermin|inferior|subhuman|animals)\b",
    "hate/threatening": rf"\b(?:kill|exterminate|get rid of) (?:all )?(?:the )?{_PEOPLE}\b",
    "illicit": rf"{_ASKS} (?:shoplift|steal|hotwire|launder money|forge|counterfeit|pick a lock|cook meth)\b",
    "illicit/violent": rf"{_ASKS} (?:build|make|buy) (?:an? )?(?:\w+ )?{_WEAPON}\b",
    "self-harm": r"\b(?:suicide|suicidal|self[- ]harm|cut(?:ting)? myself|kill(?:ing)? myself|end my life)\b",
    "self-harm/intent": r"\bi (?:want|am going|plan|intend) to (?:die|kill myself|hurt myself|end my life)\b",
    "self-harm/instructions": rf"{_ASKS} (?:kill|hurt|cut) myself\b|\bways to commit suicide\b",
    "sexual": r"\b(?:porn(?:ographic|ography)?|erotica?|explicit sex|nude pictures?)\b",
    "sexual/minors": r"\b(?:sexual\w*|nude|naked)\b.{0,40}\b(?:child|children|minor|underage)\b",
    "violence": rf"\b{_HARM}(?:s|ed|ing|bed|bing)?\b",
    "violence/graphic": r"\b(?:gore|gory|dismember\w*|mutilat\w+|decapitat\w+|disembowel\w*)\b",
}
_COMPILED = {category: re.compile(pattern, re.IGNORECASE) for category, pattern in PATTERNS.items()}
WITH_IMAGES = frozenset(
    {"self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "violence", "violence/graphic"}
)
"""Categories that the provider also applies to images."""
FLOOR = 0.0001


def score(text: str, category: str) -> float:
    """0 to 1: how often the words of a category occur.

    >>> score("a nice day", "violence") < 0.001 < 0.5 < score("He murdered them", "violence")
    True
    """
    found = sum(1 for _ in _COMPILED[category].finditer(text))
    return 1 - 0.2**found if found else FLOOR


async def moderations(exchange: Exchange) -> Answer:
    body = exchange.request.json()
    check(body, FIELDS)
    name = body.get("model") or "omni-moderation-latest"
    if name not in MODELS:
        message = f"Invalid value for 'model' = {name[:100]}. Supported values are: {', '.join(MODELS)}."
        raise ApiError("invalid_request", message, param="model")
    results = [_result(text, kinds) for text, kinds in _inputs(body["input"])]
    exchange.entry.params = {"model": name, "inputs": len(results)}
    return Response.json({"id": f"modr-{uuid4().hex[:24]}", "model": MODELS[name], "results": results})


def _inputs(given: str | list[Any]) -> list[tuple[str, list[str]]]:
    """Each input as its text and the kinds of its parts. A list of typed parts is one input."""
    if isinstance(given, str):
        return [(given, ["text"])]
    if all(isinstance(item, str) for item in given):
        return [(item, ["text"]) for item in given]
    texts, kinds = [], []
    for n, part in enumerate(given):
        check_value(part, Field("object"), f"input[{n}]")
        kind = part.get("type")
        if kind not in ("text", "image_url"):
            raise Violation(f"input[{n}].type", "choice", got=kind, choices=("text", "image_url"))
        check_value(part.get(kind), Field("string" if kind == "text" else "object"), f"input[{n}].{kind}")
        texts += [part["text"]] if kind == "text" else []
        kinds.append("text" if kind == "text" else "image")
    return [("\n".join(texts), sorted(set(kinds), reverse=True))]


def _result(text: str, kinds: list[str]) -> dict[str, Any]:
    scores = {category: score(text, category) for category in PATTERNS}
    flags = {category: value >= 0.5 for category, value in scores.items()}
    applied = {category: [kind for kind in kinds if kind == "text" or category in WITH_IMAGES] for category in PATTERNS}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": scores,
        "category_applied_input_types": applied,
    }


ROUTES = [Route("POST", "/v1/moderations", moderations)]
