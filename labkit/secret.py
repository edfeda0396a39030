"""A key that does not show itself: not in a repr, an f-string, a log, a traceback that prints locals, or a pickle."""

from __future__ import annotations

from typing import NoReturn

SHOWN = 4
SHORTEST_SHOWN = 12


def mask(key: str) -> str:
    """Enough of a key to tell two apart, not enough to use it.

    >>> mask("lab-0123456789ab3f2a"), mask("sk-proj-aaaaaaaaaaaa9XyZ"), mask("hunter2")
    ('lab-…3f2a', 'sk-…9XyZ', '…')
    """
    if len(key) < SHORTEST_SHOWN:
        return "…"
    head, dash, _ = key.partition("-")
    return f"{head}{dash}…{key[-SHOWN:]}" if dash and len(head) <= 4 else f"…{key[-SHOWN:]}"


class Secret:
    """Holds a key; only `reveal()` gives it back."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return mask(self._value)

    def __repr__(self) -> str:
        return f"Secret({mask(self._value)!r})"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: a pickle would hold the key in clear text")
