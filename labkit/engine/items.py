"""Which texts a prompt wants labelled, which examples it shows, and what of it is instruction.

"Classify ... positive or negative: 'I love it'"            ->  one item, quoted
"Label each:\\n1. I love it\\n2. It broke"                    ->  two items
"Text: I love it\\nLabel: good\\n\\nText: It broke\\nLabel:"    ->  one example, one item
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

LONGEST_LABEL = 48
EDGE = 4_000
MOST = 60
"""Items that are read from one prompt."""
_QUOTED = re.compile(r"(?<!\w)[\"“'‘](\S.*?)[\"”'’](?!\w)", re.DOTALL)
_FENCED = re.compile(r"```\w*\n(.*?)```|<([a-z_]+)>\s*(.*?)\s*</\2>|\"\"\"(.*?)\"\"\"", re.DOTALL)
_AFTER_COLON = re.compile(r"(?::|\n)\s*(\S.*)\Z", re.DOTALL)
_AFTER_SENTENCE = re.compile(r"[^.?!\n]{8,160}[.?!]\s+(\S.{4,})\Z", re.DOTALL)
_FIELD = (
    r"(?:the )?(?:text|review|ticket|message|input|comment|tweet|item|e-?mail|sentence|request|"
    r"customer(?: message)?|question|document|"
    r"feedback|post|query|headline|headlines|note|reviews|tickets|messages|texts|items|comments|sentences|inputs)"
)
_MARKED = re.compile(rf"(?:^|\n|[.?!] )[ \t]*[*#]*{_FIELD}[*]*[ \t]*(?:\d+)?[ \t]*:[*]*[ \t]*\n?(?=\S)", re.IGNORECASE)
_ANSWER = (  # fmt: skip
    r"(?:label|sentiment|category|class|classification|queue|team|department|answer|output|topic|tag|result|rating|mood)"
)
_ASKED_AT_END = re.compile(rf"\s*\n[ \t]*[*#]*{_ANSWER}[*]*[ \t]*:?[*]*[ \t]*\Z", re.IGNORECASE)
_PAIR = re.compile(
    rf"(?:^|\n)[ \t]*{_FIELD}[ \t]*:[ \t]*(?P<text>\S[^\n]*(?:\n(?![ \t]*{_ANSWER}[ \t]*:)[^\n]+)*)"
    rf"\n[ \t]*{_ANSWER}[ \t]*:[ \t]*(?P<answer>[^\n]*)",
    re.IGNORECASE,
)
_ARROW = re.compile(
    r"^[ \t]*[\"“]?(?P<text>\S.*?)[\"”]?[ \t]*(?:->|=>|→|//)[ \t]*(?P<answer>[^\n]{0,48}?)[ \t]*$", re.MULTILINE
)
_OPTIONS = re.compile(
    r"(?<=\S)\s+(?:categories|labels|options|queues|choices|classes)\s*:[^\n]{3,300}\Z", re.IGNORECASE
)
_ORDER = re.compile(
    r"\A(?:please )?(?:for each|say|tell|answer|reply|respond|return|output|use|give|write|only|just|no |do not|don't|"
    r"label|classify|is (?:it|this|the)|what is|what's|which|"
    r"choose|pick|in json|as json|one word|positive or negative)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"^[ \t]*(?:\(?#?(?P<number>\d{1,3})[.):\]]|(?:item|text|review|ticket|message) (?P<second>\d{1,3})[.:)]|[-*•])"
    r"[ \t]*(?P<text>\S.*)$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shot:
    """An example: a text and how it was labelled."""

    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One prompt, taken apart."""

    instruction: str
    items: tuple[str, ...]
    """Empty if the prompt gives nothing to label."""
    numbers: tuple[str, ...] = ()
    """What stands before each of several items; empty for one."""
    shots: tuple[Shot, ...] = ()


def split(said: str) -> Asked:
    """A prompt that instructs and gives the text in one."""
    if examples := shown(said):
        return examples
    found = _given(said)
    if not found:
        return Asked(said, ())
    start, end, item = found
    instruction = f"{said[:start]}: {said[end:]}"
    item, after = _cut_order(item)
    numbers, items = several(item)
    return Asked(f"{instruction}\n{after}", items, numbers)


def edges(said: str) -> str:
    """Beginning and end of a prompt: the middle of a book is no instruction."""
    return said if len(said) <= 2 * EDGE else f"{said[:EDGE]}\n{said[-EDGE:]}"


def looks_marked(said: str) -> bool:
    """Whether a prompt says of a part of it that it is the text: a name before it, a fence, examples before it."""
    return bool(_MARKED.search(said) or _FENCED.search(said) or shown(said))


def several(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Numbers and texts of a list of items; one text without a number if it is no list."""
    if texts := _json_list(text):
        return tuple(str(n) for n in range(1, len(texts) + 1)), texts
    entries = list(_NUMBERED.finditer(text))
    if len(entries) >= 2 and not text[: entries[0].start()].strip():
        ends = [e.start() for e in entries[1:]] + [len(text)]
        texts = tuple(text[e.start("text") : end].strip().strip('"“”') for e, end in zip(entries, ends, strict=True))
        numbers = tuple(e["number"] or e["second"] or str(n) for n, e in enumerate(entries, 1))
        return numbers[:MOST], texts[:MOST]
    return (), (text.strip(),)


def _json_list(text: str) -> tuple[str, ...]:
    """The texts of a JSON array of strings, or of objects that have a text."""
    if not text.lstrip().startswith("["):
        return ()
    try:
        entries = json.loads(text)
    except ValueError:
        return ()
    if not isinstance(entries, list):
        return ()
    texts = [
        max((str(v) for v in e.values() if isinstance(v, str)), key=len, default="") if isinstance(e, dict) else str(e)
        for e in entries
    ]
    return tuple(texts[:MOST]) if len(texts) > 1 else ()


def shown(said: str) -> Asked | None:
    """A prompt that shows its examples in its own text and ends with the text to be labelled."""
    for pattern in (_PAIR, _ARROW):
        pairs = list(pattern.finditer(said))
        open_ = pairs and not pairs[-1]["answer"].strip()
        if len(pairs) >= 2 and open_ and all(p["answer"].strip() for p in pairs[:-1]):
            shots = tuple(Shot(p["text"].strip(), p["answer"].strip()) for p in pairs[:-1])
            return Asked(said[: pairs[0].start()], (pairs[-1]["text"].strip(),), (), shots)
    return None


def _given(said: str) -> tuple[int, int, str] | None:
    """Where the text to be labelled stands, and it: fenced, marked by its name, in quotes, behind a "
    "colon or a line break."""
    if fenced := _FENCED.search(said):
        return fenced.start(), fenced.end(), next(g for n in (1, 3, 4) if (g := fenced[n]) is not None)
    listed = [m for m in _NUMBERED.finditer(said) if m["number"] or m["second"]]
    if len(listed) >= 2:
        return listed[0].start(), len(said), said[listed[0].start() :]
    if marked := _MARKED.search(said):
        whole = _QUOTED.match(said, marked.end())
        if whole and " " in whole[1]:
            return marked.start(), whole.end(), whole[1]
        return marked.start(), len(said), said[marked.end() :]
    quoted = _QUOTED.search(said)
    before = said[: quoted.start()].rstrip(" ") if quoted else ""
    if quoted and " " in quoted[1] and ("\n" not in before or before.endswith("\n")):
        return quoted.start(), quoted.end(), quoted[1]
    found = _AFTER_COLON.search(said) or quoted
    if not found and (sentence := _AFTER_SENTENCE.match(said)) and not _ORDER.match(sentence[1]):
        found = sentence
    return (found.start(), found.end(), found[1]) if found else None


def _cut_order(item: str) -> tuple[str, str]:
    """The item and what of its end is an order again: "... \\n\\nAnswer with one word."."""
    if options := _OPTIONS.search(item):
        return item[: options.start()].strip(), options[0]
    ended = _ASKED_AT_END.search(item)
    if ended:
        item = item[: ended.start()]
    body, gap, last = item.rstrip().rpartition("\n")
    if gap and _ORDER.match(last.strip().strip("*")) and len(last) < 240 and body.strip():
        return body.strip(), last.strip()
    return item.strip(), ""
