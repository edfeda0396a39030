"""Applies a manner of speaking to an answer that has no variant of its own for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Set

from labkit.engine.conditions import LANGUAGES, PERSONAS
from labkit.engine.template import Template, first_sentence, map_text, splice

Wrapper = Callable[[str], Template | None]
"""Gives the template `manner-NAME` of the texts, with a slot $answer; None if nobody wrote one."""


def apply(template: Template, missing: Set[str], wrapper: Wrapper) -> Template:
    """The answer, cut to its first sentence if it should be short, then wrapped: as a persona, with a word about the
    language, as JSON."""
    if missing & {"terse", "word", "json"}:
        template = first_sentence(template)
    for name in (*PERSONAS, *LANGUAGES):
        if name in missing and (wrap := wrapper(name)):
            template = splice(wrap, "answer", template)
            break
    if "json" in missing and (wrap := wrapper("json")):
        template = splice(wrap, "answer", map_text(template, _inside_json))
    return template


def _inside_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
