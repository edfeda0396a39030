"""A sweep written down in TOML, for `labkit sweep spec.toml` and `load_spec`.

    name = "temperature"                              # of the file with the finished cells; by default the spec's own
    models = ["openai:sampling", "anthropic:sampling"]  # "provider:tier", "provider/id" or an id; by default the first
    repeats = 5
    metrics = ["words", "distinct_2"]                 # names out of labkit.metrics
    seed = 0                                          # and epoch, stream, drop_unsupported, budget, concurrency

    [prompts]                                         # or prompts = ["What is an API?", ...], or prompts_file = "q.txt"
    api = "What is an API?"                           # a name and a text,
    chat = [{ role = "user", content = "Hi" }]        # or messages

    [parameters]                                      # system, temperature, top_p, top_k, max_tokens, effort: a list is
    temperature = [0.0, 0.5, 1.0]                     # an axis of the grid; stop and extra are the same in every cell
    max_tokens = 100

    [[judge]]                                         # a model that scores each answer, as labkit.metrics.Judge
    rubric = "Is the answer correct and short?"
    model = "openai:sampling"

`prompts_file` lies beside the spec: a text file has one prompt a line, a JSON file what `prompts` would say.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.errors import UserError
from labkit.experiments.grid import AXES
from labkit.experiments.sweeping import Sweep

ANY_NUMBER = (int, float)
TOP: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "models": (str, list),
    "prompts": (str, list, dict),
    "prompts_file": (str,),
    "repeats": (int,),
    "seed": (int,),
    "epoch": (int,),
    "stream": (bool,),
    "drop_unsupported": (bool,),
    "budget": ANY_NUMBER,
    "concurrency": (int,),
    "metrics": (str, list),
    "parameters": (dict,),
    "judge": (list,),
}
"""Field: what it may hold."""
PARAMETERS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("temperature", "top_p"), (*ANY_NUMBER, list)),
    **dict.fromkeys(("top_k", "max_tokens"), (int, list)),
    **dict.fromkeys(("system", "effort"), (str, list)),
    "stop": (str, list),
    "extra": (dict,),
}
JUDGE: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("rubric", "model", "name"), (str,)),
    **dict.fromkeys(("low", "high"), (int,)),
}
WORDS: Mapping[type, str] = {
    **{str: "a text", int: "a whole number", float: "a number"},
    **{bool: "true or false", list: "a list", dict: "a table"},
}


class SpecError(UserError):
    """A spec that cannot be run. The message names file, line and field."""

    def __init__(self, path: Path, problem: str, *, line: int | None = None) -> None:
        super().__init__(f"{path.name}{f', line {line}' if line else ''}: {problem}")
        self.line = line


def load_spec(path: str | Path, *, folder: str | Path | None = None) -> Sweep:
    """The sweep that a file describes. Nothing is sent.

    Raises:
        SpecError: the file is not there, is no TOML, or says something that cannot be asked.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        fields = tomllib.loads(text)
    except OSError as error:
        raise SpecError(path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SpecError(path, "is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))  # else "(at end of document)"
        line = int(found[1]) if found else len(text.splitlines())
        raise SpecError(path, f"is no TOML: {str(error).split(' (at')[0]}", line=line) from None
    reader = _Reader(path, text.splitlines())
    given = reader.sweep(fields)
    try:
        return Sweep(folder=folder, **given)
    except (UserError, KeyError, ValueError) as error:  # an unknown model is a KeyError
        raise SpecError(path, str(error), line=reader.line_about(str(error))) from None


class _Reader:
    """What a spec says, as `Sweep` takes it."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path, self.lines = path, lines

    def sweep(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.check(fields, TOP, "")
        parameters, judges = fields.pop("parameters", {}), fields.pop("judge", [])
        self.check(parameters, PARAMETERS, "parameters.")
        for judge in judges:
            self.check(judge, JUDGE, "judge.")
        if isinstance(parameters.get("stop"), list):
            parameters["stop"] = tuple(parameters["stop"])
        fields["prompts"] = self.prompts(fields)
        fields.setdefault("name", self.path.stem)
        if metrics := self.metrics(fields.pop("metrics", []), judges):
            fields["metrics"] = metrics
        return {**fields, **parameters}

    def check(self, fields: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], where: str) -> None:
        for name, value in fields.items():
            if name not in known:
                raise self.error(where + name, f"{where}{name} is no field of a sweep{_meant(name, known)}")
            if not _holds(value, known[name]):
                wanted = " or ".join(WORDS[kind] for kind in known[name] if kind is not int or float not in known[name])
                raise self.error(where + name, f"{where}{name} must be {wanted}, and is {value!r}")

    def prompts(self, fields: dict[str, Any]) -> Any:
        file = fields.pop("prompts_file", None)
        if (file is None) == ("prompts" not in fields):
            raise self.error("prompts", "give either prompts or prompts_file")
        if file is None:
            return fields["prompts"]
        try:
            text = (self.path.parent / file).read_text(encoding="utf-8")
            return json.loads(text) if file.endswith(".json") else [line for line in text.splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise self.error("prompts_file", f"prompts_file {file} cannot be read ({error})") from None

    def metrics(self, named: str | list[Any], judges: list[dict[str, Any]]) -> list[Any]:
        from labkit.metrics import ROW_METRICS, SET_METRICS, Judge

        names = [named] if isinstance(named, str) else named
        for name in names:
            if name not in {**ROW_METRICS, **SET_METRICS}:
                known = ", ".join((*ROW_METRICS, *SET_METRICS))
                raise self.error("metrics", f"{name!r} is no metric: use {known}")
        if lacking := [judge for judge in judges if "rubric" not in judge]:
            raise self.error("judge", f"a judge needs a rubric, and this one has {sorted(lacking[0])}")
        return [*names, *(Judge(**judge) for judge in judges)]

    def error(self, field: str, problem: str) -> SpecError:
        return SpecError(self.path, problem, line=self.line_of(field))

    def line_of(self, field: str) -> int | None:
        """Where a field such as "parameters.top_p" stands: as a key or as the name of a table."""
        mark = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(field.rpartition('.')[2])}[\"']?\s*(=|\]|\.)")
        return next((number for number, line in enumerate(self.lines, 1) if mark.match(line)), None)

    def line_about(self, sentence: str) -> int | None:
        """The line with a value that a sentence quotes, or a field that it names."""
        for value in re.findall(r"'([^']+)'", sentence):
            if found := next((number for number, line in enumerate(self.lines, 1) if value in line), None):
                return found
        fields = (word for word in re.findall(r"\w+", sentence) if word in (*TOP, *PARAMETERS))
        return next((found for field in fields if (found := self.line_of(field))), None)


def _holds(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _meant(name: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    if name in AXES and name not in known:
        return f"; it stands under [parameters]: parameters.{name}"
    close = [other for other in known if other.startswith(name)] or get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f": use {', '.join(known)}"
