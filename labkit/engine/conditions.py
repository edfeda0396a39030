"""What a system prompt, or the prompt itself, says about how to answer: in one word, as JSON, for a child, as a pirate.

A condition is a short name that a source file can ask for with `### when:`. Only the wording decides; nothing is
guessed from the topic.
"""

from __future__ import annotations

import re

_ONE = r"(?:one|a single|1)"
_ORDER = r"\b(?:in|with|only|just|use|exactly|reply|answer)\b[^.!?\n]{0,30}"
_OUTPUT = r"\b(?:as|in|only|valid|return|reply|respond|answer|output|produce|use)\b[^.!?\n]{0,30}"
_AGE = r"(?:five|six|seven|eight|nine|ten|5|6|7|8|9|10)[- ]years?[- ]olds?"
_PATTERNS = {
    "word": rf"{_ORDER}\b{_ONE}[- ]word\b(?!s)|\bone[- ]word (?:answer|reply|response)",
    "terse": r"\b(?:terse|concise(?:ly)?|brief(?:ly)?|short(?:ly)? answers?|be short|tl;?dr|succinct\w*"
    r"|in (?:a )?few words"
    r"|keep (?:it|answers|your answers|replies) (?:very )?short|no more than (?:one|ten|10|a dozen|twenty|20)"
    rf"|{_ONE} (?:short |single |brief )?(?:sentence|line))\b",
    "child": rf"\b(?:child|children|kids?|toddler|{_AGE}|like i'?m (?:five|5)|eli5|primary school|young learner)\b",
    "json": rf"{_OUTPUT}\bjson\b(?! ?(?:file|schema|parser|module))|\bjson (?:object|only|format)",
    "steps": r"\bstep[- ]by[- ]step\b|\bshow (?:me )?(?:your |the |all )?(?:steps|work(?:ings?)?)\b",
    "pirate": r"\bpirates?\b",
    "bard": r"\b(?:shakespear\w*|the bard|elizabethan)\b",
    "robot": r"\b(?:a|as) robot\b|\brobot voice\b",
    "chatty": r"\b(?:chatty|friendly|enthusiastic|warm|talkative|cheerful)\b",
    "fr": r"\b(?:in|into|speak|use|only) french\b|\ben français\b",
    "de": r"\b(?:in|into|speak|use|only) german\b|\bauf deutsch\b",
    "es": r"\b(?:in|into|speak|use|only) spanish\b|\ben español\b",
    "ko": r"\b(?:in|into|speak|use|only) korean\b|한국어로",
}
_ASIDES = re.compile(
    rf"(?:,? (?:to|for|like i'?m) (?:a |an |my )?(?:child|kid|toddler|{_AGE}|five|5)|\beli5:?"
    r"|,? in (?:just |only |exactly )?(?:a|one|a single|two|three|four|a few|\d+) (?:short |simple )?"
    r"(?:sentences?|words?|lines?)"
    r"|[,.]? ?(?:and )?(?:think |explain |solve |answer |work )?(?:it |this )?(?:out )?step[- ]by[- ]step"
    r"|[,.]? ?(?:and )?show (?:me )?(?:your |the |all )?(?:steps|work(?:ings?)?)"
    r"|,? (?:in|as) (?:valid )?json|,? (?:as|like) (?:if you were )?an? (?:pirate|robot)|,? briefly"
    r"|\b(?:answer|reply|respond|speak) in (?:french|german|spanish|korean)\b[:.,]?)(?=\W|$)",
    re.IGNORECASE,
)
_COMPILED = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _PATTERNS.items()}
_IN_PROMPT = ("word", "terse", "child", "json", "steps")
"""What the user's own words may ask for; a persona or a language in a question is more often its topic."""

CONDITIONS = frozenset(_PATTERNS) | {"known", "unknown"}
"""Every name that `### when:` accepts. `known`/`unknown`: whether the skill found what it looked for in the history."""

LANGUAGES = ("fr", "de", "es", "ko")
PERSONAS = ("pirate", "bard", "robot")


def detect(system: str, prompt: str, *, json: bool = False) -> frozenset[str]:
    """The conditions that hold.

    >>> sorted(detect("You are a teacher. Answer in one short sentence for a ten-year-old.", "What is an API?"))
    ['child', 'terse']
    """
    found = {name for name, pattern in _COMPILED.items() if pattern.search(system)}
    found |= {name for name in _IN_PROMPT if _COMPILED[name].search(prompt)}
    found |= {name for name in (*PERSONAS, *LANGUAGES) if _asks_for(name, prompt)}
    if json:
        found.add("json")
    return frozenset(found)


def without_manner(prompt: str) -> str:
    """The prompt without the words about how to answer, so that what is asked can be found.

    >>> without_manner("Explain recursion to a five-year-old in one sentence")
    'Explain recursion'
    """
    return _ASIDES.sub("", prompt).strip() or prompt


def _asks_for(name: str, prompt: str) -> bool:
    """`Answer in French: ...`, `... as a pirate` or `... Talk like a pirate.` in the user's own words."""
    manner = r"\b(?:(?:answer|reply|respond|talk|speak|explain (?:it|this))\b[^.!?\n]{0,20}|(?:as|like) an? )"
    return bool(re.search(manner + "(?:" + _PATTERNS[name] + ")", prompt, re.IGNORECASE))
