"""The labelled sets of the course: what an accuracy is measured on.

    import labkit as lk
    tickets = lk.datasets.load("tickets")                        # held out: 294 rows, columns label and text
    known = lk.datasets.load("tickets", split="seen")            # 36 rows to write a prompt with

`sentiment` (reviews: positive, negative), `tickets` (six queues of a shop's support), `notices` (who, which
organisation, where, when, how much) and `queries` (a log of questions, `same_as` numbers those that want one answer).
All were written for this project. The lab's models hold none of them: write a prompt on the split `seen`, and look at
`held_out` once.

`handbook()` is the system prompt of a support desk, by heading: what sorts tickets is in `HANDBOOK_NEEDED`, the rest is
about other things, as such prompts are after some years.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FOLDER = Path(__file__).parent
_FILES = {path.stem: path for path in sorted(_FOLDER.glob("*.*")) if path.suffix in (".csv", ".jsonl")}

ENTITIES = ("person", "organisation", "place", "date", "amount", "currency")
"""Columns of `notices`. A date is written 2026-03-14, an amount is a number without its currency; what a notice does
not say is None."""
SPLITS = ("held_out", "seen", "hard")
"""Only `sentiment` has hard rows: irony, and complaints and praise without a word of mood."""
LABELS = {
    "sentiment": {"positive": "the customer is content", "negative": "the customer is not content"},
    "tickets": {
        "billing": "charges, invoices, prices and ways to pay",
        "technical": "a product or the app that does not work as it should",
        "shipping": "where a parcel is, when and where it is delivered",
        "returns": "sending goods back, exchanges, refunds and guarantee",
        "account": "login, password, profile, access rights and personal data",
        "cancellation": "ending an order, a subscription or a contract",
    },
}
"""What the labels mean, for a prompt."""
HANDBOOK_NEEDED = ("Queues", "Borderline cases")
"""Headings of `handbook()` that say how tickets are sorted."""


def names() -> list[str]:
    """The sets that there are."""
    return list(_FILES)


def records(name: str, *, split: str | None = "held_out") -> list[dict[str, Any]]:
    """The rows of a set as dictionaries; `split` is one of `SPLITS`, or None for all. `queries` has no splits.

    Raises:
        ValueError: there is no such set or split; the message lists those that there are.
    """
    if name not in _FILES:
        raise ValueError(f"no set {name!r}; there are {', '.join(_FILES)}")
    if split not in (None, *SPLITS):
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}, and None for all")
    rows = _read(_FILES[name])
    return [row for row in rows if split is None or row.get("split", split) == split]


def load(name: str, *, split: str | None = "held_out") -> pd.DataFrame:
    """The rows of a set as a DataFrame; see `records`."""
    import pandas as pd

    table = pd.DataFrame(records(name, split=split))
    return table.drop(columns="split") if split and "split" in table else table


def handbook() -> dict[str, str]:
    """The handbook of a support desk: its sections by heading, in order, each with its heading as Markdown."""
    text = (_FOLDER / "support_handbook.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return {section.partition("\n")[0].removeprefix("## "): section.strip() for section in sections}


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in file]
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        if "same_as" in row:
            row["same_as"] = int(row["same_as"])
    return rows
