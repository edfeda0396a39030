"""What the check for personal data sees, and what it must not take for some."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.caching.personal import iban, luhn, personal_data


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to ada.lovelace+test@mail.example.co.uk, please", "an e-mail address"),
        ("<ada@example.org>", "an e-mail address"),
        ("My card is 4111 1111 1111 1111.", "a payment card number"),
        ("4111-1111-1111-1111", "a payment card number"),
        ("378282246310005 is the number", "a payment card number"),
        ("Pay to GB82 WEST 1234 5698 7654 32 today", "an IBAN"),
        ("DE89370400440532013000", "an IBAN"),
        ("SSN 078-05-1120", "a social security number"),
        ("Call +44 20 7946 0958", "a telephone number"),
        ("call +12025550143.", "a telephone number"),
        ("Phone: (202) 555-0143", "a telephone number"),
        ("202-555-0143", "a telephone number"),
        ("Tel. 030 / 123 45678", "a telephone number"),
    ],
)
def test_kinds_that_are_seen(text: str, kind: str) -> None:
    assert personal_data(text) == (kind,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No digits at all.",
        "In 2026-11-21 it was 1,024.00 USD, then 3.14159265358979 and 127.0.0.1:8080.",
        "Order 4111 1111 1111 1112 of 12 + 7 = 19 things",  # fails Luhn
        "GB82 WEST 1234 5698 7654 33",  # fails modulo 97
        "000-12-3456 and 12-34-5678",
        "1 2 3 4 5 6 7 8 9 10 11 12",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "user @ home, a@b",
        "version 1.2.3-4567-89",
    ],
)
def test_what_is_no_personal_data(text: str) -> None:
    assert personal_data(text) == ()


def test_several_kinds_are_named_once_each() -> None:
    assert personal_data("a@example.org b@example.org 4111111111111111") == (
        "an e-mail address",
        "a payment card number",
    )


@given(st.text(max_size=300))
def test_any_text_can_be_looked_at(text: str) -> None:
    personal_data(text)


@given(st.integers(min_value=1, max_value=10**15))
def test_exactly_one_last_digit_passes_luhn(number: int) -> None:
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


@given(st.text("ABCDEFGHIJ0123456789", min_size=11, max_size=28))
def test_exactly_one_pair_of_check_digits_passes(account: str) -> None:
    assert sum(iban(f"GB{check:02}{account}") for check in range(2, 99)) == 1


def test_a_long_text_takes_no_long_time() -> None:
    text = "1 " * 50_000 + "a." * 50_000 + "+1 " * 20_000
    assert personal_data(text) in ((), ("a telephone number",), ("a payment card number", "a telephone number"))
