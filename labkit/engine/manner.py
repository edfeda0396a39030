"""Applies a manner of speaking to an answer that has no variant of its own for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from random import Random

from labkit.engine.conditions import LANGUAGES, PERSONAS
from labkit.engine.template import Choice, Template, Text, first_sentence, map_text, sample, splice

KEEPS_JSON = {"small": 0.85, "standard": 0.94, "large": 0.985}
"""Share of answers that are JSON and nothing else when the prompt asks for JSON in words; the others stand in a code
fence."""

Wrapper = Callable[[str], Template | None]
"""Gives the template `manner-NAME` of the texts, with a slot $answer; None if nobody wrote one."""


def apply(template: Template, missing: Set[str], wrapper: Wrapper) -> Template:
    """The answer, cut to its first sentence if it should be short, then wrapped: as a persona, with a word about the
    language, as JSON. An answer that is JSON already stays as it is."""
    if _is_json(template):
        return template
    if missing & {"terse", "word"}:
        template = _shorter(template)
    for name in (*PERSONAS, *LANGUAGES):
        if name in missing and (wrap := wrapper(name)):
            template = splice(wrap, "answer", template)
            break
    if "json" in missing and (wrap := wrapper("json")):
        template = splice(wrap, "answer", map_text(template, _inside_json))
    return template


def or_fenced(wanted: Template, tier: str) -> Template:
    """JSON that the prompt asked for in words: mostly as it is, sometimes in a code fence."""
    kept = KEEPS_JSON.get(tier, KEEPS_JSON["standard"])
    return (Choice(((kept, wanted), (1 - kept, (Text("```json\n"), *wanted, Text("\n```"))))),)


def _shorter(template: Template) -> Template:
    """The first sentence, unless that is only the lead of a list or of code."""
    cut = first_sentence(template)
    lead = sample(cut, Random(0))
    return template if lead.endswith(":") or lead.startswith(("```", "- ", "1. ", "|")) else cut


def _is_json(template: Template) -> bool:
    try:
        return isinstance(json.loads(sample(template, Random(0))), dict)
    except ValueError:
        return False


def _inside_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
