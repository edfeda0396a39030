"""Conversations with the engine to be read by people: `python -m labkit.engine.report --transcript`.

What is asked stands in `prompts.toml`. A table says how much answers vary; only reading says whether they are good
company.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from random import Random
from typing import Any

from labkit.engine.base import O200K, Prompt, Tool, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.engine.report import LONGEST, PROMPTS, generate
from labkit.engine.source import Table
from labkit.sampling import Sampler, SamplingParams
from labkit.tokens import encoding

SEEDS = {0.0: 1, 0.7: 3, 1.5: 2}
"""Temperature -> samples at it."""
A_PROMPT = 1_000
"""Seeds of a prompt begin so many after those of the one before: at the same seed, all would stray alike."""


def transcript(engine: EmbeddedEngine) -> Iterator[str]:
    """Each prompt with its answers."""
    given = tomllib.loads(PROMPTS.read_text(encoding="utf-8"))
    for n, case in enumerate(given["read"]):
        prompt = _prompt(case, given["tools"])
        yield f"\n## {n + 1}. {_heading(case)}"
        for temperature, seeds in SEEDS.items():
            for seed in range(seeds):
                params = SamplingParams(temperature=temperature)
                yield f"[T={temperature}] {said(engine, prompt, params, A_PROMPT * n + seed)}"


def said(engine: EmbeddedEngine, prompt: Prompt, params: SamplingParams, seed: int) -> str:
    """An answer as text, calls of tools as `name(arguments)`."""
    decoder, sampler = engine.open(prompt), Sampler(params, Random(seed))
    parts: list[tuple[str, list[int]]] = [("", [])]
    for _ in range(LONGEST):
        token = sampler.pick(decoder.distribution())
        if token == O200K.end:
            break
        decoder.advance(token)
        if (tool := O200K.called(token)) is None:
            parts[-1][1].append(token)
        else:
            parts.append((prompt.tools[tool].name, []))
    texts = [(name, encoding(O200K.encoding).decode(tokens)) for name, tokens in parts]
    return " ".join(f"{name}({text})" if name else text for name, text in texts if name or text)


def _prompt(case: dict[str, Any], tools: dict[str, Any]) -> Prompt:
    turns = [Turn("system", case["system"])] if "system" in case else []
    turns += [Turn("assistant" if n % 2 else "user", text) for n, text in enumerate(case["said"])]
    named = [(name, tools[name]) for name in case.get("tools", ())]
    offered = [Tool(name, tool["description"], _schema(tool["parameters"])) for name, tool in named]
    schema = _schema(case["schema"]) if "schema" in case else None
    return Prompt(tuple(turns), json=case.get("json", False), schema=schema, tools=tuple(offered))


def _schema(fields: dict[str, str]) -> str:
    """Plain fields as a JSON schema; a "list" is one of strings."""
    listed = {"type": "array", "items": {"type": "string"}}
    properties = {name: listed if kind == "list" else {"type": kind} for name, kind in fields.items()}
    return json.dumps(
        {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}
    )


def _heading(case: dict[str, Any]) -> str:
    notes = [f"[{case['system']}]"] if "system" in case else []
    notes += [" / ".join(case["said"])]
    notes += [f"({name}: {', '.join(case[name])})" for name in ("schema", "tools") if name in case]
    return " ".join([*notes, "(JSON mode)"] if case.get("json") else notes)


def examples(engine: EmbeddedEngine, temperatures: tuple[float, ...] = (0.0, 0.7, 1.2)) -> Iterator[str]:
    """What is said to the first example of every intent."""
    for intent in engine.library.intents.values():
        if intent.name.startswith(("manner-", "label-", "fallback")):
            continue
        prompt = Prompt((Turn("user", _spoken(intent.examples[0].text, intent.table)),))
        yield f"\n## {intent.name}: {prompt.last_user}  -> {engine.answer(prompt).intent}"
        for t in temperatures:
            yield f"[T={t}] " + generate(engine, prompt, SamplingParams(temperature=t), seed=5).text


def _spoken(example: str, table: Table | None) -> str:
    values = dict(zip(table.columns, table.rows[0], strict=True)) if table else {}
    stand_ins = {"topic": "old trees", "business": "a bakery", "name": "Dana", "text": "hello there", "last": "12"}
    for name, value in ({**stand_ins, **values}).items():
        example = example.replace(f"${name}", value.split(" / ")[0])
    return example.replace("$", "")
