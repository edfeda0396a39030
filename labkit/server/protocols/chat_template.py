"""Prompts that the client has already put into a model's chat template, read back into turns.

Endpoints without messages (Llama on Bedrock, TGI's /generate) take one string. Llama 3's template and ChatML are
known; any other text is a user's turn as it stands.
"""

from __future__ import annotations

import re

from labkit import tokens
from labkit.engine.base import Role, Turn

LLAMA_3 = re.compile(
    r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n*(.*?)(?=<\|eot_id\|>|<\|start_header_id\|>|\Z)", re.S
)
CHATML = re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?=<\|im_end\|>|<\|im_start\|>|\Z)", re.S)
ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "ipython": "tool",
    "tool": "tool",
}


def read_template(prompt: str) -> tuple[Turn, ...]:
    """The turns of a templated prompt; of plain text, one.

    >>> [turn.text for turn in read_template("<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n")]
    ['Hi']
    >>> [turn.role for turn in read_template("Once upon a time")]
    ['user']
    """
    for template in (LLAMA_3, CHATML):
        turns = tuple(Turn(ROLES.get(role, "user"), text) for role, text in template.findall(prompt) if text)
        if turns:
            return turns
    return (Turn("user", prompt),)


# --- turns as token ids ----------------------------------------------------------------------------------------------

START, END, SEPARATOR = 200_264, 200_265, 200_266
SPECIAL = {START: b"<|im_start|>", END: b"<|im_end|>", SEPARATOR: b"<|im_sep|>"}
"""OpenAI's chat tokens above o200k_base: three of them and the role frame a turn, and are what the lab bills for it."""


def chat_ids(turns: tuple[Turn, ...], *, prime: bool = True) -> list[int]:
    """A conversation as token ids: `<|im_start|>role<|im_sep|>text<|im_end|>` a turn, and the reply's beginning.

    >>> turns = (Turn("user", "hello world"),)
    >>> len(chat_ids(turns)) == tokens.count_messages([("user", "hello world")])
    True
    >>> read_ids(chat_ids(turns)) == turns
    True
    """
    ids: list[int] = []
    for turn in turns:
        ids += [START, *tokens.encode(turn.role), SEPARATOR, *tokens.encode(turn.text), END]
    return ids + [START, *tokens.encode("assistant"), SEPARATOR] if prime else ids


def read_ids(ids: list[int]) -> tuple[Turn, ...]:
    """The turns of such a list; an empty last one is only the reply's beginning.

    Raises:
        KeyError: a number that is no token.
    """
    turns = []
    for part in text_of(ids).split(SPECIAL[START].decode()):
        role, _, text = part.removesuffix(SPECIAL[END].decode()).partition(SPECIAL[SEPARATOR].decode())
        if text:
            turns.append(Turn(ROLES.get(role, "user"), text))
    return tuple(turns)


def text_of(ids: list[int]) -> str:
    """The text that token ids spell, chat tokens included.

    Raises:
        KeyError: a number that is no token.
    """
    token_bytes = tokens.encoding().decode_single_token_bytes
    return b"".join(SPECIAL.get(i) or token_bytes(i) for i in ids).decode("utf-8", "replace")
