"""A small check for personal data, so that a cache does not keep what somebody else might read.

Seen: e-mail addresses, telephone numbers (international, or with the separators that people write), payment card
numbers (checked by Luhn), IBANs (checked by ISO 13616, mod 97) and US social security numbers.

Not seen: names, street addresses, birth dates, health, other countries' numbers, anything in a picture, anything
spelled out ("ada at example dot org"). It is a net with known holes, not a guarantee: whoever must keep personal data
out of a cache also needs `cache=False` on those calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

# Every repetition has an upper bound: a long text takes time in proportion to its length, whatever is in it.
_EMAIL = re.compile(r"[\w+-]@[\w-]{1,63}\.\w")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]\d|\d)")
_PHONE = re.compile(
    r"(?<![\w.+])(?:\+\d(?:[ ./()-]{0,2}\d){7,14}"  # +44 20 7946 0958
    r"|\(\d{2,5}\)[ ./-]?\d{3,4}[ ./-]?\d{3,4}"  # (555) 010-4477
    r"|\d{3}-\d{3}-\d{4}"  # 555-010-4477
    r"|0\d{1,4}(?: ?/ ?|[ -])\d{3,4}[ -]?\d{3,5})(?![\w.]\d|\w)"  # 030 / 123 4567
)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_TELLTALE = re.compile(r"@|\d\D{0,3}\d\D{0,3}\d")
"""A text without either holds nothing that this module sees."""


def personal_data(text: str) -> tuple[str, ...]:
    """What kinds of personal data a text seems to hold.

    >>> personal_data("Write to ada@example.org or call +44 20 7946 0958.")
    ('an e-mail address', 'a telephone number')
    >>> personal_data("Version 3.11.2 costs 1,024.00 USD since 2026-11-21.")
    ()
    """
    if not _TELLTALE.search(text):
        return ()
    return tuple(kind for kind, holds in _KINDS.items() if holds(text))


def luhn(number: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1).

    >>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(c) for c in reversed(number) if c.isdigit()]
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[1::2]]
    return any(digits) and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """The check digits of an account number (ISO 13616): the rearranged number is 1 modulo 97.

    >>> iban("GB82 WEST 1234 5698 7654 32"), iban("GB82 WEST 1234 5698 7654 33")
    (True, False)
    """
    packed = text.replace(" ", "")
    return 15 <= len(packed) <= 34 and int("".join(str(int(c, 36)) for c in packed[4:] + packed[:4])) % 97 == 1


def _any(pattern: re.Pattern[str], check: Callable[[str], bool]) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        found: Iterable[re.Match[str]] = pattern.finditer(text)
        return any(check(match[0]) for match in found)

    return holds


_KINDS: dict[str, Callable[[str], bool]] = {
    "an e-mail address": _any(_EMAIL, bool),
    "a payment card number": _any(_CARD, luhn),
    "an IBAN": _any(_IBAN, iban),
    "a social security number": _any(_SSN, bool),
    "a telephone number": _any(_PHONE, bool),
}
