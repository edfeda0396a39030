"""Prompts that the client has already put into a model's chat template, read back into turns.

Endpoints without messages (Llama on Bedrock, TGI's /generate) take one string. Llama 3's template and ChatML are
known; any other text is a user's turn as it stands.
"""

from __future__ import annotations

import re

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

    >>> read_template("<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n")
    (Turn(role='user', text='Hi'),)
    >>> read_template("Once upon a time")
    (Turn(role='user', text='Once upon a time'),)
    """
    for template in (LLAMA_3, CHATML):
        turns = tuple(Turn(ROLES.get(role, "user"), text) for role, text in template.findall(prompt) if text)
        if turns:
            return turns
    return (Turn("user", prompt),)
