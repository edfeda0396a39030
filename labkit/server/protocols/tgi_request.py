"""What a TGI request may ask, and TGI's words for what it may not.

Source: TGI's `router/src/validation.rs`.
"""

from __future__ import annotations

from typing import Any

from labkit import registry, tokens
from labkit.engine.base import Prompt
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.generation import GenerationRequest
from labkit.server.protocols.base import refuse_unserved
from labkit.server.protocols.chat_template import read_template
from labkit.server.shapes import Field, check

MOST_STOPS, MOST_TOP_TOKENS = 4, 5
NEW_TOKENS = 100
"""When a request does not say."""

# --- fields ----------------------------------------------------------------------------------------------------------

FIELDS = {"inputs": Field("string", required=True), "parameters": Field("object"), "stream": Field("boolean")}
PARAMETERS = {
    "max_new_tokens": Field("integer"),
    "do_sample": Field("boolean"),
    "temperature": Field("number"),
    "top_k": Field("integer"),
    "top_p": Field("number"),
    "frequency_penalty": Field("number"),
    "seed": Field("integer", low=0, high=2**64 - 1),
    "stop": Field("array"),
    "return_full_text": Field("boolean"),
    "details": Field("boolean"),
    "top_n_tokens": Field("integer", low=0),
    "truncate": Field("integer"),
    "best_of": Field("integer"),
    "typical_p": Field("number"),
    "repetition_penalty": Field("number"),
    "decoder_input_details": Field("boolean"),
    "watermark": Field("boolean"),
    "grammar": Field("object"),
    "adapter_id": Field("string"),
}
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "typical_p": (),
    "repetition_penalty": (1,),
    "decoder_input_details": (False,),
    "watermark": (False,),
    "grammar": (),
    "adapter_id": (),
}
"""What the lab does not serve, with the values that change nothing."""
WARPERS = ("temperature", "top_k", "top_p")
"""Any of these makes the server sample, as `do_sample` does."""


# --- reading ---------------------------------------------------------------------------------------------------------


def served_model() -> Model:
    return registry.find(registry.model("self-hosted", "standard"))


def read_generate(body: dict[str, Any]) -> GenerationRequest:
    """A prompt and its parameters, checked in TGI's order and refused in its words."""
    check(body, FIELDS, unknown_ok=True)
    given = body.get("parameters") or {}
    check(given, PARAMETERS, at="parameters.", unknown_ok=True)
    for name, neutral in NEUTRAL.items():
        if given.get(name) is not None and given[name] not in neutral:
            raise refuse_unserved(name)
    check_parameters(given)
    if not body["inputs"]:
        raise invalid("`inputs` cannot be empty")
    model, inputs = served_model(), truncated(body["inputs"], given.get("truncate"))
    prompt_tokens, new = tokens.count(inputs, model.id), int(given.get("max_new_tokens") or NEW_TOKENS)
    if prompt_tokens + new > model.context:
        raise invalid(
            f"`inputs` tokens + `max_new_tokens` must be <= {model.context}. "
            f"Given: {prompt_tokens} `inputs` tokens and {new} `max_new_tokens`"
        )
    return GenerationRequest(
        model=model,
        prompt=Prompt(read_template(inputs), tier=model.tier or "standard"),
        prompt_tokens=prompt_tokens,
        sampling=read_sampling(given),
        max_tokens=new,
        stop=tuple(s for s in given.get("stop") or () if s),
        seed=None if given.get("seed") is None else int(given["seed"]),
        top_logprobs=int(given.get("top_n_tokens") or 0),
    )


def check_parameters(given: dict[str, Any]) -> None:
    """Bounds, one sentence each."""
    temperature, top_p, top_k, new = (given.get(n) for n in ("temperature", "top_p", "top_k", "max_new_tokens"))
    stops = given.get("stop") or []
    rules = (
        (temperature is not None and temperature <= 0, "`temperature` must be strictly positive"),
        (not -2 <= (given.get("frequency_penalty") or 0) <= 2, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        (top_p is not None and not 0 < top_p < 1, "`top_p` must be > 0.0 and < 1.0"),
        (top_k is not None and top_k <= 0, "`top_k` must be strictly positive"),
        (new is not None and new <= 0, "`max_new_tokens` must be strictly positive"),
        (len(stops) > MOST_STOPS, f"`stop` supports up to {MOST_STOPS} stop sequences. Given: {len(stops)}"),
        (not all(isinstance(stop, str) for stop in stops), "`stop` must be a list of strings"),
        ((given.get("top_n_tokens") or 0) > MOST_TOP_TOKENS, f"`top_n_tokens` must be >= 0 and <= {MOST_TOP_TOKENS}"),
        (given.get("truncate") is not None and given["truncate"] <= 0, "`truncate` must be strictly positive"),
    )
    for broken, sentence in rules:
        if broken:
            raise invalid(sentence)


def invalid(sentence: str) -> ApiError:
    return ApiError("invalid_request", f"Input validation error: {sentence}")


def truncated(inputs: str, limit: float | None) -> str:
    """The last `limit` tokens of a prompt."""
    ids = tokens.encode(inputs) if limit is not None else []
    return tokens.encoding().decode(ids[-int(limit) :]) if limit is not None and len(ids) > limit else inputs


def read_sampling(given: dict[str, Any]) -> SamplingParams:
    """Greedy, unless `do_sample` or a parameter of sampling says otherwise."""
    penalty = float(given.get("frequency_penalty") or 0)
    if not given.get("do_sample") and all(given.get(name) is None for name in WARPERS):
        return SamplingParams(temperature=0.0, frequency_penalty=penalty)
    return SamplingParams(
        temperature=float(given.get("temperature") or 1),
        top_p=float(given.get("top_p") or 1),
        top_k=int(given.get("top_k") or 0),
        frequency_penalty=penalty,
    )
