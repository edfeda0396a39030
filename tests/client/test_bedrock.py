"""What only Bedrock does: signed calls, threads for `await`, words and errors of its own."""

from __future__ import annotations

import asyncio

import pytest
from botocore.exceptions import ClientError, EventStreamError

import labkit as lk
from labkit import LLMClient, adapters
from labkit import errors as e
from labkit.adapters.failures import as_call_error
from labkit.chat import Message

pytestmark = pytest.mark.usefixtures("session")

MAKERS = sorted({m.id.split(".")[0] for m in lk.models("bedrock")})


@pytest.mark.parametrize("maker", MAKERS)
def test_one_client_speaks_to_the_models_of_every_maker(maker: str) -> None:
    model = next(m.id for m in lk.models("bedrock") if m.id.startswith(maker))
    answer = LLMClient(model=model).chat("What is an API?")
    assert (answer.provider, answer.model, answer.finish_reason) == ("bedrock", model, "stop") and answer.cost_usd
    assert answer.request_id == lk.lab.last()["request_id"]


def test_a_regions_profile_is_the_same_model_at_its_own_price() -> None:
    answer = LLMClient("bedrock", f"us.{lk.model('bedrock')}").chat("Hi")
    assert lk.lab.last()["model"] == lk.model("bedrock")
    assert answer.cost_usd == pytest.approx(lk.price(f"us.{lk.model('bedrock')}").cost(answer.usage))


def test_a_repeated_call_says_so_and_the_sdk_repeats_nothing() -> None:
    lk.lab.faults("overloaded", next=1)
    assert LLMClient("bedrock", retry=2).chat("Hi").retries == 1
    assert [entry["retry"] for entry in lk.lab.entries()] == [0, 1]


async def test_calls_with_await_run_side_by_side() -> None:
    lk.lab.faults("slow_first_token", next=4, seconds=1000)  # 1 s each at this clock
    client, loop = LLMClient("bedrock"), asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(client.achat("Hi") for _ in range(4)))
    assert 0.99 < loop.time() - began < 3.5


def test_a_cached_prompt_is_counted_and_priced() -> None:
    system = [{"text": "You know every rule of the library. " * 800}, {"cachePoint": {"type": "default"}}]
    client = LLMClient("bedrock", extra={"system": system})
    first, second = client.chat("Hi"), client.chat("Hi")
    assert first.usage.cache_write == second.usage.cached > 5_000
    assert [first.cost_usd, second.cost_usd] == pytest.approx([row["cost_usd"] for row in lk.lab.entries()])


def test_top_k_goes_through_to_the_model() -> None:
    LLMClient("bedrock", tier="sampling").chat("Hi", top_k=1)
    assert lk.lab.last()["wire"]["request"]["body"]["additionalModelRequestFields"] == {"top_k": 1}


def test_effort_reasons_and_what_it_costs_is_output() -> None:
    answer = LLMClient("bedrock", tier="reasoning").chat("What is 17 * 23?", effort="high")
    assert answer.usage.output == lk.lab.last()["usage"]["output"] and answer.finish_reason == "stop"


def test_tools_that_may_not_be_used_are_left_out() -> None:
    def now() -> str:
        """The time"""
        return "noon"

    LLMClient("bedrock").chat("What time is it?", tools=[now], tool_choice="none")
    assert "toolConfig" not in lk.lab.last()["wire"]["request"]["body"]


def test_results_of_one_round_share_a_turn() -> None:
    turns = [Message("user", "Hi"), *(Message("tool", str(n), tool_call_id=f"c{n}", failed=n > 0) for n in range(2))]
    wire = adapters.adapter("bedrock").to_wire(LLMClient("bedrock")._call(turns, {})[0].request)
    results = [block["toolResult"] for block in wire["messages"][1]["content"]]
    assert [r.get("status") for r in results] == [None, "error"] and len(wire["messages"]) == 2


def test_the_providers_own_count_is_what_is_billed() -> None:
    client = LLMClient("bedrock")
    counted = client.count_tokens("What is an API?", system="Be brief.", ask=True)
    assert counted == client.chat("What is an API?", system="Be brief.").usage.prompt


def test_there_are_no_embeddings() -> None:
    with pytest.raises(e.UserError, match="bedrock has no embeddings"):
        LLMClient("bedrock").embed("Hi")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 429, e.RateLimited),
        ("ModelNotReadyException", 429, e.RateLimited),
        ("throttlingException", None, e.RateLimited),
        ("ServiceQuotaExceededException", 400, e.QuotaExceeded),
        ("ValidationException", 400, e.ProviderRefused),
        ("validationException", None, e.ProviderRefused),
        ("AccessDeniedException", 403, e.ProviderRefused),
        ("ModelErrorException", 424, e.Overloaded),
        ("modelStreamErrorException", None, e.Overloaded),
        ("serviceUnavailableException", None, e.Overloaded),
    ],
)
def test_every_exception_of_the_service_has_a_kind(code: str, status: int | None, kind: type[e.CallError]) -> None:
    said = {"Error": {"Code": code, "Message": "No."}}
    error = EventStreamError(said, "ConverseStream") if status is None else ClientError(
        {**said, "ResponseMetadata": {"HTTPStatusCode": status}}, "Converse"
    )
    ours = as_call_error(error, adapters.adapter("bedrock"), "m")
    assert type(ours) is kind and (ours.status, ours.code) == (status, code)
