"""What the model thinks before it answers: hidden or shown by the protocol, billed as output either way.

The lab's model does not reason. Its thoughts are a template like any answer, sampled token by token; `steps` says how
many sentences there are, and so what thinking costs. They are about the question and settle nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

from labkit.engine.template import Template, fill, parse

MOST_STEPS = 24
TOPIC_WORDS = 8

OPEN = "{The question is about|They ask about|This is about} $topic.{ Let me think.| One thing at a time.|}"
STEPS = (
    " {First|To begin with}, what is {given|known}: {the words of the question|only what this conversation holds}.",
    " {Next|Then}, what {form|shape} should the answer have? {A plain one|Something one can use|A short one}.",
    " {I could|One could} {start with the main point|begin with an example|say the short answer first}.",
    " {Is anything missing|What might be misread}? {Perhaps the words are used loosely|Not that I can see}.",
    " {A second look|Reading it again}: {the main thing stays the same|nothing changes}.",
    " {What would be wrong here|Where could this fail}? {Claiming too much|Leaving out the reason|Being vague}.",
    " {So keep it|It should stay} {concrete|short and concrete|close to the question}.",
    " {Another way to put it|Said differently}: {the reader wants to act on it|it must stand on its own}.",
)
CLOSE = " {That will do|That settles it|Enough}: {answer now|write it down|now the answer}."


def thought(question: str, steps: int) -> Template:
    """The template of what is thought about a question, `steps` sentences long between opening and close."""
    sentences = tuple(STEPS[n % len(STEPS)] for n in range(min(steps, MOST_STEPS)))
    return fill(_parsed((OPEN, *sentences, CLOSE)), {"topic": _topic(question)})


@lru_cache(maxsize=64)
def _parsed(sentences: tuple[str, ...]) -> Template:
    return parse("".join(sentences), frozenset({"topic"}))


def _topic(question: str) -> str:
    """The first words of the question, as something to be about."""
    words = re.findall(r"[\w'-]+", question)[:TOPIC_WORDS]
    return f"\u201c{' '.join(words)}\u201d" if words else "nothing in particular"
