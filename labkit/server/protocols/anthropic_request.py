"""What a message may ask under each API version, and Anthropic's words for what it may not.

The table first, then the sentences, then the reading of one body into a `GenerationRequest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from labkit.engine.base import Call, Prompt, Role, Tool, Turn
from labkit.registry import Model
from labkit.sampling import SamplingParams
from labkit.server.errors import ApiError
from labkit.server.generation import GenerationRequest, thinking_steps
from labkit.server.http import dump
from labkit.server.images import BadImage, anthropic_tokens, read_base64
from labkit.server.prompt import Block, Rendered, render
from labkit.server.protocols.base import refuse_unserved, retirement, served
from labkit.server.shapes import Field, Violation, check, check_value

OLD, NEW = "2023-06-01", "2026-10-21"
VERSIONS = ("2023-01-01", OLD, NEW)
PROVIDERS = ("anthropic",)

# --- fields ----------------------------------------------------------------------------------------------------------

SAMPLING_FIELDS = {
    "temperature": Field("number", low=0, high=1),
    "top_p": Field("number", low=0, high=1),
    "top_k": Field("integer", low=0),
}
INPUT_FIELDS = {
    "model": Field("string", required=True, nullable=False),
    "messages": Field("array", required=True, low=1, high=100_000, nullable=False),
    "system": Field("string or array"),
    "thinking": Field("object"),
    "tools": Field("array"),
    "tool_choice": Field("object"),
    "cache_control": Field("object"),
    "output_config": Field("object"),
}
FIELDS = INPUT_FIELDS | {
    "max_tokens": Field("integer", required=True, low=0, nullable=False),  # 0 only warms the cache
    "stop_sequences": Field("array", high=8_191),
    "stream": Field("boolean"),
    "metadata": Field("object"),
    "service_tier": Field("string", choices=("auto", "standard_only")),
    "speed": Field("string", choices=("standard", "fast")),
    "inference_geo": Field("string"),
    "container": Field("any"),
    "context_management": Field("object"),
    "diagnostics": Field("object"),
    "mcp_servers": Field("array"),
    "thread": Field("object"),
}
CACHE_TTLS = {"5m": 300.0, "1h": 3_600.0}
CACHE_CONTROL = {
    "type": Field("string", required=True, choices=("ephemeral",)),
    "ttl": Field("string", choices=tuple(CACHE_TTLS)),
}
MOST_BREAKPOINTS = 4
TOOL = {
    "name": Field("string", required=True),
    "description": Field("string"),
    "input_schema": Field("object", required=True),
}
TOOL_USE = {
    "id": Field("string", required=True),
    "name": Field("string", required=True),
    "input": Field("object", required=True),
}
TOOL_RESULT = {"tool_use_id": Field("string", required=True), "content": Field("string or array")}
IMAGE_SOURCE = {
    "type": Field("string"),
    "media_type": Field("string", required=True),
    "data": Field("string", required=True),
}
OUTPUT_FORMAT = {
    "type": Field("string", required=True, choices=("json_schema",)),
    "schema": Field("object", required=True),
    "name": Field("string"),
}
CHOICES = {"auto": "auto", "any": "required", "tool": "", "none": "none"}
TEXT = Field("string", required=True, nullable=False)
ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
JOURNALED = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "thinking", "output_config", "metadata")

# --- errors ----------------------------------------------------------------------------------------------------------

TYPES = {"number": "number", "integer": "integer", "string": "string", "boolean": "boolean", "array": "list"}
TYPES |= {"object": "dictionary", "string or array": "string or list"}
ERROR_TYPES = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "method_not_allowed": "invalid_request_error",
    "too_large": "request_too_large",
    "timeout": "timeout_error",
    "rate_limit": "rate_limit_error",
    "quota": "rate_limit_error",
    "server": "api_error",
    "bad_gateway": "api_error",
    "unavailable": "api_error",
    "gateway_timeout": "timeout_error",
    "overloaded": "overloaded_error",
}


def phrase(v: Violation) -> ApiError:
    """Anthropic's sentences for a bad field: a dotted path, a colon, what is wrong with it."""
    path = v.path.replace("[", ".").replace("]", "")
    sentence = {
        "missing": "Field required",
        "unknown": "Extra inputs are not permitted",
        "type": f"Input should be a valid {TYPES.get(v.kind, v.kind)}",
        "below": f"Input should be greater than or equal to {v.limit}",
        "above": f"Input should be less than or equal to {v.limit}",
        "empty": f"at least {v.limit} item is required",
        "too_many": f"List should have at most {v.limit} items after validation",
        "choice": "Input should be " + " or ".join(repr(c) for c in v.choices),
    }[v.rule]
    if path == "messages" and v.rule == "empty":
        sentence = "at least one message is required"
    return ApiError("invalid_request", f"{path}: {sentence}", param=path)


# --- reading a request -----------------------------------------------------------------------------------------------


def read_message(body: dict[str, Any], version: str, model: Model | None = None) -> GenerationRequest:
    """A message's body, checked against the table of its API version, then against the model's capability row.

    Args:
        model: the row to use; None finds it by the body's `model`. Bedrock brings its own.
    """
    check(body, FIELDS if version == NEW else FIELDS | SAMPLING_FIELDS)
    if body.get("thread") is not None:  # a refusal in these words makes the SDK's tool runner go on without a thread
        message = "thread: The lab server holds no message threads: send the whole conversation without `thread`."
        raise ApiError("invalid_request", message, code="thread_unsupported_request", param="thread")
    model = model or find_model(body["model"])
    check_capabilities(body, model)
    turns, rendered = read_prompt(body, model)
    tools = read_tools(body.get("tools") or [])
    choice, parallel = read_choice(body.get("tool_choice") or {}, tools, model)
    prompt_tokens = len(rendered)
    cap = int(body["max_tokens"])
    if cap > model.max_output:
        raise ApiError(
            "invalid_request",
            f"max_tokens: {cap} > {model.max_output}, "
            f"which is the maximum allowed number of output tokens for {model.id}",
        )
    if prompt_tokens + cap > model.context:
        raise ApiError("invalid_request", f"prompt is too long: {prompt_tokens + cap} tokens > {model.context} maximum")
    return GenerationRequest(
        model=model,
        prompt=Prompt(
            turns,
            tier=model.tier or "standard",
            schema=read_output_format(body.get("output_config") or {}),
            tools=tools,
            tool_choice=choice,
            parallel_calls=parallel,
        ),
        prompt_tokens=prompt_tokens,
        rendered=rendered,
        sampling=SamplingParams(
            temperature=_or(body.get("temperature"), 1.0),
            top_p=_or(body.get("top_p"), 1.0),
            top_k=int(_or(body.get("top_k"), 0)),
        ),
        max_tokens=cap,
        stop=read_stop(body.get("stop_sequences") or []),
        thinking_steps=read_thinking(body, model),
        show_thoughts=(body.get("thinking") or {}).get("display") != "omitted",
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def find_model(model_id: str) -> Model:
    model = served(model_id, PROVIDERS)
    if model is None:
        raise ApiError("not_found", f"model: {model_id}")
    if gone := retirement(model):
        raise ApiError("not_found", f"model: {model_id}. {gone}")
    return model


def check_capabilities(body: dict[str, Any], model: Model) -> None:
    """What this model refuses, and what this server does not serve."""
    sampled = [name for name in SAMPLING_FIELDS if body.get(name) is not None]
    if sampled and model.sampling == "no":
        raise ApiError("invalid_request", f"{sampled[0]}: {model.id} does not support sampling parameters")
    if not model.temperature_with_top_p and {"temperature", "top_p"} <= set(sampled):
        message = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        raise ApiError("invalid_request", message)
    if (effort := (body.get("output_config") or {}).get("effort")) is not None:
        check_effort(effort, model)
    check_thinking(body.get("thinking") or {}, model, int(body.get("max_tokens") or 0))


def check_effort(effort: Any, model: Model) -> None:
    if not model.efforts:
        raise ApiError("invalid_request", f"output_config.effort: {model.id} does not support the effort parameter")
    check_value(effort, Field("string", choices=model.efforts), "output_config.effort")


def read_thinking(body: dict[str, Any], model: Model) -> int:
    """How long to think: always for the models that always do, else when asked; by effort, within the budget."""
    thinking = body.get("thinking") or {}
    kind = thinking.get("type") or ("adaptive" if model.thinking == "always" else "disabled")
    if kind == "disabled":
        return 0
    effort = (body.get("output_config") or {}).get("effort") or model.default_effort or "medium"
    return max(1, thinking_steps(effort, thinking.get("budget_tokens")))


def check_thinking(thinking: dict[str, Any], model: Model, max_tokens: int) -> None:
    kind = thinking.get("type")
    if not thinking:
        return
    if kind not in ("enabled", "adaptive", "disabled", "between_tools"):
        raise Violation(
            "thinking.type", "choice", got=kind, choices=("enabled", "adaptive", "disabled", "between_tools")
        )
    if kind != "disabled" and model.thinking == "no":
        raise ApiError("invalid_request", f"thinking: {model.id} does not support thinking")
    if kind == "disabled" and model.thinking == "always":
        raise ApiError("invalid_request", f"thinking.type: {model.id} does not support disabling thinking")
    if kind == "enabled":
        budget = Field("integer", required=True, low=1024, nullable=False)
        check({"budget_tokens": thinking.get("budget_tokens")}, {"budget_tokens": budget}, at="thinking.enabled.")
        if thinking["budget_tokens"] >= max_tokens:
            raise ApiError("invalid_request", "`max_tokens` must be greater than `thinking.budget_tokens`.")


def read_prompt(body: dict[str, Any], model: Model) -> tuple[tuple[Turn, ...], Rendered]:
    """The conversation for the engine; and tools, system, messages in that order for the tokenizer and the cache."""
    blocks = list(_tool_blocks(body.get("tools") or []))
    system = list(read_blocks(body["system"], "system", "system")) if body.get("system") else []
    turns = [Turn("system", _text(system))] if _text(system) else []
    blocks += system
    called: dict[str, Call] = {}
    for n, message in enumerate(body["messages"]):
        at = f"messages.{n}"
        check_value(message, Field("object"), at)
        check(message, {"role": TEXT, "content": Field("string or array", required=True)}, at=f"{at}.")
        check_value(message["role"], Field("string", choices=tuple(ROLES)), f"{at}.role")
        parts = list(read_blocks(message["content"], ROLES[message["role"]], f"{at}.content"))
        blocks += parts
        turns += _turns_of(message, parts, called, at)
    check_answered(body["messages"])
    if turns[-1].role == "assistant" and not model.prefill:
        text = "This model does not support assistant message prefill. The conversation must end with a user message."
        raise ApiError("invalid_request", text)
    return tuple(turns), render(_with_automatic_breakpoint(blocks, body.get("cache_control")), model)


def check_answered(messages: list[dict[str, Any]]) -> None:
    """Every call has its result in the message right after it."""
    for n, message in enumerate(messages):
        asked = _ids(message, "tool_use", "id")
        after = _ids(messages[n + 1], "tool_result", "tool_use_id") if n + 1 < len(messages) else []
        if missing := [call for call in asked if call not in after]:
            text = (
                f"messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
            raise ApiError("invalid_request", text)


def _ids(message: dict[str, Any], kind: str, name: str) -> list[str]:
    blocks = message["content"] if isinstance(message["content"], list) else []
    return [block[name] for block in blocks if block["type"] == kind]


def _text(blocks: list[Block]) -> str:
    return "\n".join(block.said for block in blocks)


def _turns_of(message: dict[str, Any], parts: list[Block], called: dict[str, Call], at: str) -> Iterator[Turn]:
    """A message as turns: tool results come first and are turns of their own, calls belong to the assistant's text."""
    blocks = message["content"] if isinstance(message["content"], list) else [{"type": "text"}]
    role, said, calls = ROLES[message["role"]], [], []
    for n, (block, part) in enumerate(zip(blocks, parts, strict=True)):
        if block["type"] == "tool_use":
            called[block["id"]] = Call(block["name"], dump(block["input"]).decode())
            calls.append(called[block["id"]])
        elif block["type"] == "tool_result":
            if block["tool_use_id"] not in called:
                text = f"unexpected `tool_use_id` found in `tool_result` blocks: {block['tool_use_id']}."
                raise ApiError("invalid_request", f"{at}.content.{n}: {text}")
            yield Turn("tool", part.said, tool=called[block["tool_use_id"]].name)
        else:
            said.append(part.said)
    if said or calls:
        yield Turn(role, "\n".join(said), calls=tuple(calls))


def _tool_blocks(tools: list[Any]) -> Iterator[Block]:
    """Tools come first in the prompt. The lab counts the tokens of their JSON: an estimate of the real framing."""
    for n, tool in enumerate(tools):
        check_value(tool, Field("object"), f"tools.{n}")
        shown = {key: value for key, value in tool.items() if key != "cache_control"}
        yield Block("tools", dump(shown).decode(), opens=n == 0, ttl=read_breakpoint(tool, f"tools.{n}"))


def read_blocks(content: str | list[Any], role: str, at: str) -> Iterator[Block]:
    """A string, or content blocks."""
    if isinstance(content, str):
        if not content.strip() and at != "system":
            raise ApiError("invalid_request", f"{at.rsplit('.', 1)[0]}: text content blocks must be non-empty")
        yield Block(role, content)
        return
    for n, block in enumerate(content):
        yield replace(_read_block(block, role, f"{at}.{n}"), opens=n == 0, ttl=read_breakpoint(block, f"{at}.{n}"))


def _read_block(block: Any, role: str, at: str) -> Block:
    check_value(block, Field("object"), at)
    kind = block.get("type")
    if kind is None:
        raise Violation(f"{at}.type", "missing")
    reader = _BLOCKS.get(kind)
    if reader is None:
        raise refuse_unserved(f"content blocks of type {str(kind)[:40]!r}")
    return reader(block, role, at)


def _text_block(block: dict[str, Any], role: str, at: str) -> Block:
    check({"text": block.get("text")}, {"text": TEXT}, at=f"{at}.text.")
    return Block(role, block["text"])


def _thinking_block(block: dict[str, Any], role: str, at: str) -> Block:
    return Block(role, "")  # earlier thinking is dropped from the prompt, and not billed again


def _image_block(block: dict[str, Any], role: str, at: str) -> Block:
    source = block.get("source") or {}
    check_value(source, Field("object"), f"{at}.image.source")
    if source.get("type") != "base64":
        raise refuse_unserved(f"image sources of type {str(source.get('type'))[:40]!r}")
    check(source, IMAGE_SOURCE, at=f"{at}.image.source.base64.")
    try:
        image = read_base64(source["media_type"], source["data"])
    except BadImage as bad:
        raise ApiError("invalid_request", f"{at}.image.source.base64: {bad}") from None
    return Block(role, "", extra_tokens=anthropic_tokens(image), alt=image.alt)


def _use_block(block: dict[str, Any], role: str, at: str) -> Block:
    check(block, TOOL_USE, at=f"{at}.tool_use.", unknown_ok=True)
    return Block(role, dump({"name": block["name"], "input": block["input"]}).decode())


def _result_block(block: dict[str, Any], role: str, at: str) -> Block:
    check(block, TOOL_RESULT, at=f"{at}.tool_result.", unknown_ok=True)
    inner = list(read_blocks(block.get("content") or [], "tool", f"{at}.content"))
    return Block(role, ("Error: " if block.get("is_error") else "") + _text(inner))


_BLOCKS: dict[str, Callable[[dict[str, Any], str, str], Block]] = {
    "text": _text_block,
    "image": _image_block,
    "thinking": _thinking_block,
    "redacted_thinking": _thinking_block,
    "tool_use": _use_block,
    "tool_result": _result_block,
}


def read_breakpoint(block: dict[str, Any], at: str) -> float | None:
    """Lab seconds that the prefix ending with this block lives, None without `cache_control`."""
    control = block.get("cache_control")
    if control is None:
        return None
    check_value(control, Field("object"), f"{at}.cache_control")
    check(control, CACHE_CONTROL, at=f"{at}.cache_control.")
    return CACHE_TTLS[control.get("ttl") or "5m"]


def _with_automatic_breakpoint(blocks: list[Block], control: dict[str, Any] | None) -> list[Block]:
    """A top-level `cache_control` marks the last block."""
    if control is not None:
        blocks = [*blocks[:-1], replace(blocks[-1], ttl=read_breakpoint({"cache_control": control}, "body"))]
    marked = sum(block.ttl is not None for block in blocks)
    if marked > MOST_BREAKPOINTS:
        text = f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {marked}."
        raise ApiError("invalid_request", text)
    return blocks


def read_tools(tools: list[Any]) -> tuple[Tool, ...]:
    """Client tools. Anthropic's own server tools (a `type` other than custom) are refused."""
    found = []
    for n, tool in enumerate(tools):
        if tool.get("type") not in (None, "custom"):
            raise refuse_unserved(f"tools of type {str(tool['type'])[:40]!r}")
        check(tool, TOOL, at=f"tools.{n}.custom.", unknown_ok=True)
        found.append(Tool(tool["name"], tool.get("description") or "", dump(tool["input_schema"]).decode()))
    return tuple(found)


def read_choice(choice: dict[str, Any], tools: tuple[Tool, ...], model: Model) -> tuple[str, bool]:
    """`tool_choice` as the engine takes it, and whether parallel calls are allowed."""
    kind = choice.get("type", "auto")
    if kind not in CHOICES:
        raise Violation("tool_choice.type", "choice", got=kind, choices=tuple(CHOICES))
    if kind in ("any", "tool") and model.thinking == "always":
        raise ApiError("invalid_request", "Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "tool" and choice.get("name") not in [tool.name for tool in tools]:
        raise ApiError("invalid_request", f"tool_choice.name: Tool '{choice.get('name')}' not found in provided tools")
    parallel = choice.get("disable_parallel_tool_use") is not True
    return (str(choice["name"]) if kind == "tool" else CHOICES[kind]), parallel


def read_output_format(config: dict[str, Any]) -> str | None:
    """The JSON schema of `output_config.format`."""
    form = config.get("format")
    if form is None:
        return None
    check_value(form, Field("object"), "output_config.format")
    check(form, OUTPUT_FORMAT, at="output_config.format.")
    return dump(form["schema"]).decode()


def read_stop(sequences: list[Any]) -> tuple[str, ...]:
    for n, sequence in enumerate(sequences):
        check_value(sequence, TEXT, f"stop_sequences.{n}")
        if not sequence.strip():
            raise ApiError("invalid_request", "stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(sequences)
