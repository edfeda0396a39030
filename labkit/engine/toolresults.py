"""What is said about the results of tools: their values in a short sentence, an error as an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labkit.engine.base import Call, Prompt, Turn
from labkit.engine.properties import words_of
from labkit.engine.template import Choice, Template, Text

MOST_VALUES = 8
LONGEST = 400
_ERROR_KEYS = ("error", "exception", "error_message")
_PLACES = ("city", "location", "place")
_SUBJECTS = ("country", "name", "symbol", "ticker", "order_id", "id", "title", "product")
"""Keys that say what a result is about."""
_WRAPPERS = frozenset({"result", "results", "output", "data", "response", "value", "answer", "content"})
_UNITS = {"celsius": "°C", "fahrenheit": "°F", "c": "°C", "f": "°F", "kelvin": " K", "percent": "%"}
_ERROR = re.compile(r"^\s*(?:error|exception|traceback|failed|failure|\w*(?:error|exception))\b", re.IGNORECASE)


def told_by(prompt: Prompt, results: Sequence[Turn]) -> Template:
    """A sentence for each result, in order; nothing when the results are empty."""
    calls = list(_calls(prompt))
    nodes: list[Text | Choice] = []
    for n, result in enumerate(results):
        call = calls[n] if len(calls) == len(results) else None
        for value in map(_unwrapped, _values(result.text)):
            if nodes:
                nodes.append(Text(" "))
            nodes += _sentence(value, result, call)
    return tuple(nodes)


def _calls(prompt: Prompt) -> Iterable[Call]:
    last = max((n for n, turn in enumerate(prompt.turns) if turn.role == "user"), default=-1)
    return (call for turn in prompt.turns[last + 1 :] for call in turn.calls)


def _values(text: str) -> list[Any]:
    """The JSON values of a result; several in one turn stand on lines of their own. Else the text itself."""
    for parts in ([text], text.splitlines()):
        try:
            found = [json.loads(part) for part in parts if part.strip()]
        except ValueError:
            continue
        return found
    return [text.strip()]


def _unwrapped(value: Any) -> Any:
    """What stands in an object that only wraps it: {"result": 84} is 84."""
    while isinstance(value, dict) and len(value) == 1 and (key := next(iter(value))).lower() in _WRAPPERS:
        value = value[key]
    return value


def _sentence(value: Any, result: Turn, call: Call | None) -> list[Text | Choice]:
    if problem := _problem(value):
        tool = f" {result.tool}" if result.tool and "," not in result.tool else ""
        return [
            Choice(((1.0, (Text("I could not get that: "),)), (0.5, (Text("That did not work: "),)))),
            Text(f"the tool{tool} {'answered' if tool else 'said'} \"{problem}\"."),
            Choice(((1.0, (Text(""),)), (0.4, (Text(" Shall I try again?"),)))),
        ]
    if isinstance(value, dict) and value:
        return _of_object(value, call)
    if isinstance(value, list):
        return [Text(_of_list(value, result))]
    return [*_opening(result), Text(_ended(_shown(value)))]


def _problem(value: Any) -> str:
    """What went wrong, when a result says that something did."""
    if isinstance(value, str):
        return value.strip().rstrip(".")[:LONGEST] if _ERROR.match(value) else ""
    if not isinstance(value, dict):
        return ""
    for key in _ERROR_KEYS:
        if found := value.get(key):
            inner = found.get("message", found) if isinstance(found, dict) else found
            return str(value.get("message", inner) if found is True else inner).rstrip(".")[:LONGEST]
    failed = value.get("success") is False or value.get("ok") is False
    failed = failed or str(value.get("status", "")).lower() in ("error", "failed")
    return str(value.get("message", "it failed")).rstrip(".") if failed else ""


def _of_object(value: Mapping[str, Any], call: Call | None) -> list[Text | Choice]:
    """`In Paris, the temperature is 18 °C and the condition is cloudy.`"""
    flat = _flat(value)
    place = _taken(flat, _PLACES, call)
    about = _taken(flat, _SUBJECTS, call) if not place else ""
    unit = _UNITS.get(str(flat.pop("unit", flat.pop("units", ""))).lower(), "")
    shown = [(key, text) for key, text in flat.items() if text != ""][:MOST_VALUES]
    facts = [f"the {_spoken(key)} is {_with_unit(key, text, unit)}" for key, text in shown]
    if not facts:
        return [Text(_ended(place or about or "The tool is done"))]
    joined = facts[0] if len(facts) == 1 else ", ".join(facts[:-1]) + " and " + facts[-1]
    if place:
        return [Choice(((1.0, (Text(f"In {place}, {joined}."),)), (0.4, (Text(f"{place}: {joined}."),))))]
    if about:
        return [Choice(((1.0, (Text(f"For {about}, {joined}."),)), (0.4, (Text(f"{about}: {joined}."),))))]
    return [Text(joined[0].upper() + joined[1:] + ".")]


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Members by name, those of inner objects too; lists as words."""
    found: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            found |= _flat(item, f"{prefix}{key} ")
        elif isinstance(item, list):
            found[prefix + key] = ", ".join(_shown(part) for part in item[:MOST_VALUES]) or "empty"
        elif item is not None:
            found[prefix + key] = _shown(item)
    return found


def _taken(flat: dict[str, str], names: Sequence[str], call: Call | None) -> str:
    """Takes out what the result is about: from the result, else from the call's arguments."""
    for name in names:
        if name in flat and len(flat) > 1:
            return flat.pop(name)
    try:
        arguments = json.loads(call.arguments) if call else {}
    except ValueError:
        arguments = {}
    if isinstance(arguments, dict):
        return next((str(arguments[name]) for name in names if isinstance(arguments.get(name), str | int)), "")
    return ""


def _spoken(key: str) -> str:
    return " ".join(words_of(key)).replace(" c", "", 1) if key.endswith(("_c", "_f")) else " ".join(words_of(key))


def _with_unit(key: str, shown: str, unit: str) -> str:
    if key.endswith("_c"):
        return f"{shown} °C"
    if key.endswith("_f"):
        return f"{shown} °F"
    if "temp" in key.lower() and unit:
        return f"{shown} {unit}".replace("  ", " ")
    return shown


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{' '.join(words_of(key))} {_shown(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)[:LONGEST]


def _of_list(values: Sequence[Any], result: Turn) -> str:
    if not values:
        return "The tool found nothing."
    if len(values) == 1:
        return _ended(f"I found one: {_shown(values[0])}")
    separator = "; " if isinstance(values[0], dict) else ", "
    return _ended(f"I found {len(values)}: {separator.join(_shown(v) for v in values[:MOST_VALUES])}")


def _opening(result: Turn) -> list[Text | Choice]:
    if len(result.text) >= 40:
        return []
    openings = ((1.0, "The result is "), (0.5, "The answer is "), (0.25, "That gives "))
    return [Choice(tuple((weight, (Text(text),)) for weight, text in openings))]


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
