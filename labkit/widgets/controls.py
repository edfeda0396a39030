"""Which sampling parameters a model takes, and the reason where it does not: what the lens greys out.

Reads the registry row only, so a test can ask about any model and a widget shows the same words as a lesson.
"""

from __future__ import annotations

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

    def reasons(self) -> list[str]:
        """The distinct reasons, in the order of the sliders."""
        said = [c.reason for c in (self.temperature, self.top_p, self.top_k)]
        return list(dict.fromkeys(r for r in said if r))


def controls(model: registry.Model) -> Controls:
    """What the sliders may do, from the model's capability row.

    >>> controls(registry.find(registry.model("openai", "reasoning"))).temperature.enabled
    False
    """
    enabled, reason = _sampling(model)
    top_k, top_k_reason = enabled, reason
    if enabled and model.provider not in TOP_K_TAKERS:
        top_k_reason = "OpenAI's API has no top_k: here it is computed on the same distribution."
    return Controls(
        temperature=Control("temperature", enabled, model.max_temperature, reason),
        top_p=Control("top_p", enabled, 1.0, reason),
        top_k=Control("top_k", top_k, 50, top_k_reason),
        together=model.temperature_with_top_p,
    )


def _sampling(model: registry.Model) -> tuple[bool, str]:
    match model.sampling:
        case "yes":
            return True, ""
        case "effort-none":
            asked = f'{model.id} takes sampling parameters only with reasoning effort "none".'
            return True, "" if model.samples_by_default else asked
        case "ignored":
            return False, f"{model.id} accepts sampling parameters and ignores them."
        case "no":
            return False, f"{model.id} refuses sampling parameters with a 400."
        case version:
            return True, f"{model.id} takes sampling parameters only with the header anthropic-version: {version}."
