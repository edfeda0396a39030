"""A result as the notebook shows it: one small block of HTML that reads well on light and dark pages.

Colours come from JupyterLab's own variables with mid-tone fallbacks; text keeps the page's colour. Every state is also
said in words and by a sign, so that nothing depends on seeing a colour.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape

from labkit.grading.results import CheckResult, TaskResult, Wire

GREEN = "var(--jp-success-color1, #2e9e4f)"
AMBER = "var(--jp-warn-color0, #c77700)"
LINES_SHOWN = 8
"""Requests listed in a card; a loop may have made hundreds."""


def card(result: TaskResult) -> str:
    """The HTML of one result."""
    colour = GREEN if result.passed else AMBER
    parts = [_head(result), _checks(result), _hint(result), _wire(result), _foot(result)]
    return (
        f'<div style="border-left:4px solid {colour};padding:.4em .9em;margin:.3em 0;line-height:1.45">'
        f"{''.join(parts)}</div>"
    )


def hint_card(task: str, number: int, text: str) -> str:
    """The HTML of a hint that was asked for."""
    return (
        f'<div style="border-left:4px solid {AMBER};padding:.4em .9em;margin:.3em 0;line-height:1.45">'
        f"<b>Hint {number} of 2 for task {escape(task)}.</b> {prose(text)}</div>"
    )


def prose(text: str) -> str:
    """Escaped text in which `backticks` are code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _head(result: TaskResult) -> str:
    sign, word = ("✓", "passed") if result.passed else ("✗", "not yet" if result.attempted else "not started")
    return (
        f"<div><b>{sign} Task {escape(result.task)}: {word}</b> · {escape(result.title)} · "
        f"{result.earned:g} of {result.offered:g} points</div>"
    )


def _checks(result: TaskResult) -> str:
    said: set[str] = set()
    rows = "".join(_check(check, said) for check in result.checks)
    return f'<ul style="list-style:none;margin:.3em 0;padding-left:0">{rows}</ul>'


def _check(check: CheckResult, said: set[str]) -> str:
    """One row; a sentence that an earlier row `said` already is not repeated."""
    sign, word = ("✓", "passed") if check.passed else ("✗", "failed")
    return (
        f'<li style="margin:0"><span role="img" aria-label="{word}">{sign}</span> {prose(check.title)} '
        f'<span style="opacity:.7">({check.earned:g}/{check.points:g})</span>{_sentence(check, said)}</li>'
    )


def _sentence(check: CheckResult, said: set[str]) -> str:
    if check.passed:
        return ""
    text = "For the same reason." if check.message in said else _capital(check.message)
    said.add(check.message)
    return f'<div style="margin:0 0 .3em 1.3em">{prose(text)}</div>'


def _hint(result: TaskResult) -> str:
    if not result.hint:
        return ""
    return f'<div style="margin:.3em 0"><b>Hint {result.hint_number} of 2.</b> {prose(result.hint)}</div>'


def _wire(result: TaskResult) -> str:
    """What was on the wire, and what the journal could not show of it."""
    evidence = result.evidence
    seen = {str(wire.status) for wire in evidence}
    unseen = dict.fromkeys(r for r in result.refusals if r.partition(":")[0] not in seen)
    refused = "".join(f'<div style="opacity:.75">Refused, so not listed: {prose(text)}</div>' for text in unseen)
    if not evidence:
        word = "admitted" if unseen else "saw"
        return f'<div style="opacity:.75">On the wire: the lab server {word} no request.</div>{refused}'
    tokens = sum(w.input_tokens + w.output_tokens for w in evidence)
    calls = "1 request" if len(evidence) == 1 else f"{len(evidence)} requests"
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(Counter(w.status for w in evidence).items()))
    rows = "".join(_row(wire) for wire in evidence[:LINES_SHOWN])
    more = len(evidence) - LINES_SHOWN
    rest = f"<div>… and {more} more</div>" if more > 0 else ""
    names = "".join(f"<th>{name}</th>" for name in ("request", "status", "tokens in", "out", "finish reason"))
    return (
        f'<details style="opacity:.85"><summary>On the wire: {calls} (status {statuses}), {tokens:,} tokens'
        f"{_calls(result.calls)}</summary>"
        f'<table style="font-size:.9em;color:inherit;text-align:left"><tr>{names}</tr>{rows}</table>{rest}</details>'
        f"{refused}"
    )


def _calls(count: int) -> str:
    """Why there are more requests than a check speaks of."""
    return f"; the checks called your code {count} times, each anew" if count > 1 else ""


def _row(wire: Wire) -> str:
    request = f"{wire.method} {wire.path}" + (f" (retry {wire.retry})" if wire.retry else "")
    cells = (request, wire.status, wire.input_tokens, wire.output_tokens, wire.finish_reason)
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"


def _foot(result: TaskResult) -> str:
    withheld = result.points - result.offered
    come = "point comes" if withheld == 1 else "points come"
    kept = f"{withheld:g} more {come} from checks that run at grading. " if withheld else ""
    return f'<div style="opacity:.7;font-size:.9em">{kept}Probe inputs drawn with seed {result.seed}.</div>'


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
