"""String formats of JSON schema: what is well formed, and an example where the prompt holds none."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _like(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
_HOST = r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
_URI = r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+"
_CHECKS: dict[str, Callable[[str], bool]] = {
    "date": lambda s: _like(_DATE)(s) and _parses(date.fromisoformat)(s),
    "time": _like(_TIME),
    "date-time": lambda s: _like(_DATE + "T" + _TIME)(s) and _parses(datetime.fromisoformat)(s),
    "duration": _like(r"P(?=[\dT])(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?"),
    "email": _like(r"[A-Za-z0-9._%+-]+@" + _HOST),
    "hostname": _like(_HOST),
    "ipv4": _parses(IPv4Address),
    "ipv6": _parses(IPv6Address),
    "uri": _like(_URI),
    "uuid": lambda s: _like(r"[0-9a-fA-F-]{36}")(s) and _parses(UUID)(s),
}
_CHECKS |= {"idn-email": _CHECKS["email"], "idn-hostname": _CHECKS["hostname"], "iri": _CHECKS["uri"]}
_CHECKS |= {"url": _CHECKS["uri"], "uri-reference": _CHECKS["uri"], "iri-reference": _CHECKS["uri"]}

EXAMPLES: dict[str, tuple[str, ...]] = {
    "date": ("2026-01-15", "2026-03-02", "2026-06-30"),
    "time": ("09:00:00Z", "14:30:00Z", "18:15:00Z"),
    "date-time": ("2026-01-15T09:00:00Z", "2026-03-02T14:30:00Z", "2026-06-30T18:15:00Z"),
    "duration": ("PT30M", "P1D", "PT2H"),
    "email": ("name@example.com", "info@example.org", "hello@example.net"),
    "hostname": ("example.com", "www.example.org"),
    "ipv4": ("192.0.2.1", "198.51.100.7"),
    "ipv6": ("2001:db8::1", "2001:db8::7"),
    "uri": ("https://example.com", "https://www.example.org/page"),
    "uuid": ("3f2b1c9e-8d47-4a6b-9c15-0e7d2a4f6b81", "b7e4d210-5c3a-4f98-8e62-1a9d0c7b5f34"),
}
EXAMPLES |= {"idn-email": EXAMPLES["email"], "idn-hostname": EXAMPLES["hostname"], "iri": EXAMPLES["uri"]}
EXAMPLES |= {"url": EXAMPLES["uri"], "uri-reference": EXAMPLES["uri"], "iri-reference": EXAMPLES["uri"]}
"""By format, in the addresses that RFC 2606, 5737 and 3849 set aside for examples."""


def well_formed(name: object, text: str) -> bool:
    """Whether a text is written in a format. A format that nobody knows says nothing, as the specification has it."""
    check = _CHECKS.get(name) if isinstance(name, str) else None
    return check is None or check(text)
