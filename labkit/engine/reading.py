"""A conversation as material for structured answers: the request, its document, and what is known beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from labkit.engine.base import Prompt
from labkit.engine.template import Template

_FENCED = re.compile(r"```\w*\n(.*?)```|<(\w+)>\s*(.*?)\s*</\2>|\"\"\"(.*?)\"\"\"", re.DOTALL)
_AFTER_COLON = re.compile(
    r"\A(?P<request>[^\n]{0,300}?):\s*\n+(?P<document>\S.*)\Z|"
    r"\A(?P<request2>[^\n:]{3,200}): +(?P<document2>\S.{12,})\Z",
    re.DOTALL,
)
_HEADED = re.compile(
    r"\A(?:(?:customer|product|support|user|the|meeting|news) )?(?:reviews?|tickets?|messages?|e-?mails?|notes?|"
    r"minutes|comments?|feedback|article|tweets?|posts?|complaints?|input|document|story|transcript|description)\Z",
    re.IGNORECASE,
)
"""What stands before a text and its colon, and asks for nothing."""
_REQUEST = re.compile(
    r"\b(?:extract|classif\w+|parse|read|identify|summari[sz]e|analy[sz]e|label|fill|return|give|find|list|convert|detect|what|which|"
    r"json|text|following|from|rate|tag|translate|entities|structured?)\b",
    re.IGNORECASE,
)
_FOLLOWED_BY_BLANK = re.compile(r"\A(?P<request>[^\n]{3,300})\n\s*\n(?P<document>\S.*)\Z", re.DOTALL)
_DOCUMENT_FIRST = re.compile(r"\A(?P<document>.{40,}?)\n\s*\n(?P<request>[^\n]{3,300})\Z", re.DOTALL)
_LONG_QUOTE = re.compile(r"[\"“]([^\"“”]{24,})[\"”]", re.DOTALL)
_INVENT = re.compile(
    r"\b(?:generate|invent|make up|create|imagine|example|sample|random|fictional|fake|dummy|mock|write (?:me )?an?|"
    r"come up with|suggest)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a prompt. Equal readings fill a schema alike."""

    document: str
    """What values are read from."""
    request: str
    """What is asked, where it can be told from the document; else all of the prompt."""
    history: str
    """Earlier turns and results of tools: looked at when the document says nothing."""
    tier: str = "standard"
    told: tuple[tuple[str, str | float], ...] = ()
    """What the plain answer knows, by name: ("country", "France"), ("capital", "Paris")."""
    answer: Template | None = None
    """The plain answer; None if there is none for this prompt."""
    invent: bool = False
    """The prompt asks for made-up values."""


def read(prompt: Prompt, *, answer: Template | None = None, told: Mapping[str, str | float] | None = None) -> Reading:
    """Take a conversation apart."""
    said = prompt.last_user
    request, document = split(said)
    last = max((n for n, turn in enumerate(prompt.turns) if turn.role == "user"), default=0)
    earlier = [t.text for n, t in enumerate(prompt.turns) if n != last and t.role in ("user", "tool") and t.text]
    return Reading(
        document=document,
        request=request,
        history="\n".join(earlier),
        tier=prompt.tier,
        told=tuple((told or {}).items()),
        answer=answer,
        invent=bool(_INVENT.search(request)) and (document == request or len(document) < 40),
    )


def split(said: str) -> tuple[str, str]:
    """The request and the document it is about; both are the whole where they cannot be told apart.

    >>> split("Extract the name:\\n\\nDana Reed lives here.")
    ('Extract the name:', 'Dana Reed lives here.')
    """
    if (fenced := _FENCED.search(said)) and (inside := next((g for n in (1, 3, 4) if (g := fenced[n])), None)):
        return said.replace(fenced[0], " ").strip() or said, inside.strip()
    for pattern in (_AFTER_COLON, _FOLLOWED_BY_BLANK, _DOCUMENT_FIRST):
        if found := pattern.match(said):
            groups = found.groupdict()
            request = groups.get("request") or groups.get("request2") or ""
            document = groups.get("document") or groups.get("document2") or ""
            if _REQUEST.search(request) or _HEADED.match(request):
                return request + ":" * (pattern is _AFTER_COLON), document
    if (quoted := _LONG_QUOTE.search(said)) and _REQUEST.search(said.replace(quoted[0], " ")):
        return said.replace(quoted[0], " ").strip(), quoted[1].strip()
    return said, said
