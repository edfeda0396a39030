"""Engines by name: labkit's own, and those that installed packages bring.

    [project.entry-points."labkit.engines"]
    bigrams = "bigrams:Bigrams"

What stands behind the name is called without arguments and gives an `Engine` (see `base`). The README.md of this folder
shows a whole one.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import cast

from labkit.engine.base import Engine

GROUP = "labkit.engines"
DEFAULT = "embedded"
OWN = {
    DEFAULT: "labkit.engine.embedded:EmbeddedEngine",
    "sentences": "labkit.engine.embedded:with_sentences",
}
"""Cannot be replaced by a package that takes the same name."""
OFFERS = ("name", "vocabulary", "open", "think")
"""What an engine must have."""


class EngineError(ValueError):
    """There is no such engine, or it cannot be used. The message says which there are, or what is wrong with it."""


def names() -> list[str]:
    """All engines that can be asked for, labkit's own first."""
    return [*OWN, *sorted({point.name for point in entry_points(group=GROUP)} - set(OWN))]


def load(name: str) -> Engine:
    """The engine of a name, made anew.

    Raises:
        EngineError: nothing of that name is installed, or it cannot be loaded, or it is no engine.
    """
    point = _point(name)
    package = f" (package {point.dist.name} {point.dist.version})" if point.dist else ""
    try:
        made = point.load()()
    except Exception as error:  # code of somebody else: whatever it raises is told, and who raised it
        reason = f"{type(error).__name__}: {error}"
        raise EngineError(f"The engine {name!r}{package} cannot be loaded from {point.value}: {reason}") from error
    if missing := [part for part in OFFERS if not hasattr(made, part)]:
        raise EngineError(
            f"The engine {name!r}{package} from {point.value} has no {' and no '.join(missing)}: "
            "see Engine in labkit/engine/base.py."
        )
    return cast(Engine, made)


def _point(name: str) -> EntryPoint:
    if name in OWN:
        return EntryPoint(name, OWN[name], GROUP)
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise EngineError(
            f"No engine is called {name!r}. Installed: {', '.join(names())}. "
            f"Another one comes with a package that has an entry point of the group {GROUP}."
        )
    return next(iter(found))
