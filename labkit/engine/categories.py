"""The labels that an instruction names, with what it says about each.

"Route to billing (charges), technical or account."        ->  billing: charges | technical | account
"Labels:\\n- zoo: animals and keepers\\n- garden: plants"    ->  zoo: animals and keepers | garden: plants
"Answer with the number. 1 = good, 2 = bad"                ->  good | bad, answered as 1 and 2
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labkit.engine.routing import Topic

MOST = 40
"""Labels that are read from one instruction."""
_NAME = (
    r"(?:not |non-)?[^\W_][\w-]{1,30}(?<=spam)|\"[^\"\n]{1,40}\"|'[^'\n]{1,40}'(?!\w)|"
    r"[\"'“‘`*]{0,2}[^\W_](?:[\w+&-]|/(?=\w)){0,30}[\"'”’`*]{0,2}"
)
_WORDS = r"[\"'“‘`*]{0,2}[^\W_][\w+& -]{0,30}?[\"'”’`*]{0,2}"
_ASIDE = re.compile(r"\s*\(([^()\n]{2,160})\)")
_SEPARATOR = re.compile(r"\s*(?:[,;]\s*(?:or|and)\b|[,;|]|/(?=\S)|\bor\b|\band\b)\s*", re.IGNORECASE)
_NEXT_LINE = re.compile(r"[ \t]*\n[ \t]*(?=\w)")
_ENTRY = re.compile(r"^[ \t]*(?:[-*•]|\(?(?P<number>\d{1,2}|[A-Za-z])[.):=])[ \t]*(?P<rest>\S.*)$", re.MULTILINE)
_ENTRY_NAME = re.compile(
    r"[\"'“‘`*]{0,2}(?P<name>[^\W_][^:=—–\n]{0,40}?)[\"'”’`*]{0,2}"
    r"\s*(?:(?::|=|—|–| - )[*]{0,2}\s*(?P<about>.*)|\((?P<aside>[^)]*)\))?\.?$"
)
_CUE = re.compile(
    r"\b(?:as|into|to|one of|labels?|categor(?:y|ies)|queues?|teams?|departments?|class(?:es)?|"
    r"options?|choices?|topics?|tags?|values?|either|with|"
    r"answer|reply|respond|output|say|return|choose(?: from)?|choose|pick|between|from|among|is(?: it|"
    r" this| the \w+)?|sentiment|exactly|whether(?: it is| it's)?)\b"
    r"(?:\s+(?:are|is|only|exactly|either|one|of|from|the|these|those|following|possible|allowed|"
    r"label|labels|categories|category|queues|teams|"
    r"departments|classes|options|values|topics|just|word|words|it|its|sentiment|tone|mood|a|an|as|"
    r"being|review|ticket|text|message|comment)\b)*\s*(?P<colon>[:=(\[{]*)\s*,?\s*",
    re.IGNORECASE,
)
_NOT_LABELS = frozenset([
    "one", "word", "only", "nothing", "else", "just", "exactly", "a", "single", "the", "lowercase", "uppercase",
    "json", "other", "words", "explanation", "label", "labels", "answer", "it", "text", "is", "are", "was", "does",
    "fits", "fit", "applies", "apply", "suits", "matches", "describes", "best", "right", "should", "belongs",
    "goes", "following", "review", "ticket", "message", "reply", "respond", "classify", "return", "in", "with",
    "by", "them", "this", "that", "lower", "upper", "case", "sentence", "list", "array", "object",
])  # fmt: skip
_NUMBERED = re.compile(r"\b(\d{1,2}|[A-Z]) ?(?:=|:|\)|-)\s*([^\W\d_][\w -]{1,30}?)(?=\s*(?:[,;.\n)]|$|\bor\b|\band\b))")
_SCALE = re.compile(
    r"\b(?:from |scale of |between )?([01])\s*(?:to|-|–|and|\()\s*(?:\w+\)?,? ?(?:to )?)?([3579]|10)\b", re.IGNORECASE
)
_RATES = re.compile(r"\b(?:rate|rating|stars?|score|scale)\b", re.IGNORECASE)
_BY_NUMBER = re.compile(r"\b(?:only |just )?(?:the |its |a )?(?:number|digit|letter|index)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Category:
    """One label."""

    topic: Topic
    written: str
    """How the answer writes it: its name, or the number that the instruction gave it."""


def categories(instruction: str) -> tuple[Category, ...]:
    """The labels an instruction names, in its order; empty if it names none."""
    listed = _listed(instruction)
    if len(listed) >= 2:
        return listed
    if _RATES.search(instruction) and (scale := _SCALE.search(instruction)):
        return tuple(Category(Topic(str(n)), str(n)) for n in range(int(scale[1]), int(scale[2]) + 1))
    if _BY_NUMBER.search(instruction) or " = " in instruction:
        numbered = [Category(Topic(m[2].strip()), m[1]) for m in _NUMBERED.finditer(instruction)]
        if len(numbered) >= 2:
            return tuple(numbered)
    return _in_line(instruction) or _anywhere(instruction)


def without_list(text: str) -> str:
    """The text without lines that list labels, so that what is to be labelled can be found.

    >>> without_list("Labels:\\n- cat: purrs\\n- dog: barks\\n\\nIt purrs.")
    'Labels:\\n\\nIt purrs.'
    """
    block = _block(text)
    return text[: block[0][0].start()] + text[block[-1][0].end() + 1 :] if len(block) >= 2 else text


def _listed(instruction: str) -> tuple[Category, ...]:
    by_number = bool(_BY_NUMBER.search(instruction))
    found = []
    for entry, named in _block(instruction):
        written = entry["number"] if by_number and entry["number"] else named["name"].strip()
        found.append(Category(Topic(named["name"].strip(), (named["about"] or named["aside"] or "").strip()), written))
    return tuple(found[:MOST])


def _block(text: str) -> list[tuple[re.Match[str], re.Match[str]]]:
    """Neighbouring lines that are entries of a list of labels: short names, all of them alike."""
    run: list[tuple[re.Match[str], re.Match[str]]] = []
    for entry in _ENTRY.finditer(text):
        named = _ENTRY_NAME.match(entry["rest"].strip())
        if run and entry.start() - run[-1][0].end() > 2:
            if len(run) >= 2:
                return run
            run = []
        told = named and (named["about"] or named["aside"])
        if named and len(named["name"].split()) <= 4 and (told or not entry["rest"].rstrip().endswith((".", "!", "?"))):
            run.append((entry, named))
    described = sum(bool(n["about"] or n["aside"]) for _, n in run)
    short = all(len(n["name"].split()) <= 3 for _, n in run)
    return run if len(run) >= 2 and short and (described in (0, len(run)) or described > 1) else []


def _in_line(instruction: str) -> tuple[Category, ...]:
    """`as billing, technical or account`: the longest such list."""
    best: tuple[Category, ...] = ()
    for cue in _CUE.finditer(instruction):
        found = _names_at(instruction, cue.end(), loose=bool(cue["colon"]))
        if len(found) > len(best) and len(found) >= 2:
            best = found
    return best


def _anywhere(instruction: str) -> tuple[Category, ...]:
    """Lists that no word announces: `(billing/shipping)`, `which team: Hardware (screens), People (salaries)`."""
    starts = [m.end() for m in re.finditer(r"[:(\[]\s*|^", instruction)]
    lists = [_names_at(instruction, at, loose=True) for at in starts]
    clear = [found for found in lists if len(found) > 2 or sum(bool(c.topic.description) for c in found) > 1]
    slashed = re.search(r"(?<![\w/])[\w-]+(?:\s?[/|]\s?[\w-]+)+(?![\w/])", instruction)
    if not clear and slashed and "//" not in slashed[0]:
        clear = [tuple(Category(Topic(name), name) for name in re.split(r"\s?[/|]\s?", slashed[0]))]
    return max(clear, key=len, default=())


def _names_at(text: str, at: int, *, loose: bool) -> tuple[Category, ...]:
    """Names from a place on, as long as separators follow; `loose`: a name may have several words."""
    name = re.compile(
        (_WORDS if loose else _NAME) + r"(?=\s*(?:[,;|.:)\]}?!\n(/]|\bor\b|\band\b|$))" if loose else _NAME
    )
    found: list[Category] = []
    while (here := name.match(text, at)) and len(found) < MOST:
        plain = here[0].strip("\"'“”‘’`* ")
        if not plain or set(plain.lower().split()) <= _NOT_LABELS or (loose and len(plain.split()) > 3):
            if found or not (skipped := _SEPARATOR.match(text, here.end())):
                break
            at = skipped.end()  # "which label fits, good or bad"
            continue
        at = here.end()
        told = _ASIDE.match(text, at)
        found.append(Category(Topic(plain, told[1] if told else ""), plain))
        at = told.end() if told else at
        separator = _SEPARATOR.match(text, at) or (_NEXT_LINE.match(text, at) if loose else None)
        if not separator:
            break
        at = separator.end()
    return tuple({c.written.lower(): c for c in found}.values())
