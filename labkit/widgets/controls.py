"""Which sampling parameters a model takes, and the reason where it does not: what the lens greys out.

Reads the registry row only, so a test can ask about any model and a widget shows the same words as a lesson.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit import registry

TOP_K_TAKERS = ("anthropic", "gemini", "bedrock", "self-hosted")


@dataclass(frozen=True, slots=True)
class Control:
    """One parameter of one model."""

    name: str
    enabled: bool = True
    most: float = 1.0
    """The highest value that the model accepts."""
    reason: str = ""
    """Why it is off, or under which condition it is on; "" if there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What the three sliders may do for one model."""

    temperature: Control
    top_p: Control
    top_k: Control
    together: bool
    """False: temperature or top_p, not both in one request."""

    def __iter__(self) -> Iterator[Control]:
        return iter((self.temperature, self.top_p, self.top_k))


def controls(model: registry.Model) -> Controls:
    """What the sliders may do, from the model's capability row.

    >>> controls(registry.find(registry.model("openai", "reasoning"))).temperature.enabled
    False
    """
    enabled, reason = _sampling(model)
    top_p_reason, top_k_reason = reason, reason
    if enabled and not model.temperature_with_top_p:
        top_p_reason = "temperature or top_p, not both: moving one locks the other"
    if enabled and model.provider not in TOP_K_TAKERS:
        top_k_reason = "no parameter of OpenAI's API: computed here on the same distribution"
    return Controls(
        temperature=Control("temperature", enabled, model.max_temperature, reason),
        top_p=Control("top_p", enabled, 1.0, top_p_reason),
        top_k=Control("top_k", enabled, 50, top_k_reason),
        together=model.temperature_with_top_p,
    )


def _sampling(model: registry.Model) -> tuple[bool, str]:
    match model.sampling:
        case "yes":
            return True, ""
        case "effort-none":
            asked = f'taken by {model.id} only with reasoning effort "none"'
            return True, "" if model.samples_by_default else asked
        case "ignored":
            return False, f"accepted by {model.id}, and ignored"
        case "no":
            return False, f"refused by {model.id} with a 400"
        case version:
            return True, f"taken by {model.id} only under anthropic-version: {version}"
