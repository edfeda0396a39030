"""The same question to every provider, through its own SDK and over a socket."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading

import pytest
import tenacity

import labkit as lk
from labkit import LLMClient, connections, prices
from labkit.errors import CallTimeout, ConnectionFailed, NotStarted, RateLimited, UserError
from labkit.registry import UnknownModel
from labkit.session import Session
from labkit.usage import Usage

PROVIDERS = ("openai", "anthropic", "gemini", "azure", "bedrock", "vllm", "ollama")
QUESTION = "What is an API?"

pytestmark = pytest.mark.usefixtures("session")


def on_the_server() -> Usage:
    usage = lk.lab.last()["usage"]
    return Usage(**{name: usage[name] for name in Usage.__dataclass_fields__})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_has_the_servers_figures(provider: str) -> None:
    answer = LLMClient(provider).chat(QUESTION, system="Be brief.")
    seen = lk.lab.last()
    assert (answer.finish_reason, answer.truncated) == ("stop", False)
    assert answer.text and str(answer) == answer.text
    assert answer.usage == on_the_server()
    assert answer.cost_usd == pytest.approx(seen["cost_usd"])
    assert 0 < answer.latency_s < 20 and answer.time_to_first_token_s is None


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_same_with_await(provider: str) -> None:
    answer = await LLMClient(provider).achat(QUESTION)
    assert (answer.finish_reason, answer.usage) == ("stop", on_the_server())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_cut_answer_is_visible(provider: str) -> None:
    answer = LLMClient(provider).chat(QUESTION, max_tokens=16)
    assert answer.truncated and answer.finish_reason == "length"
    assert "TRUNCATED" in repr(answer)
    assert answer.usage.output == 16


def test_the_request_id_is_the_one_in_the_journal() -> None:
    for provider in ("openai", "anthropic"):
        assert LLMClient(provider).chat("Hi").request_id == lk.lab.last()["request_id"]


def test_a_seed_and_temperature_zero_repeat() -> None:
    client = LLMClient("openai", tier="sampling", temperature=0)
    assert client.chat(QUESTION).text == client.chat(QUESTION).text


def test_messages_take_several_forms() -> None:
    client = LLMClient("openai", tier="sampling", temperature=0)
    as_text = client.chat(QUESTION).text
    assert client.chat([("user", QUESTION)]).text == as_text
    assert client.chat([{"role": "user", "content": QUESTION}]).text == as_text


def test_system_turns_reach_providers_that_keep_them_apart() -> None:
    LLMClient("anthropic").chat([("system", "Be brief."), ("user", "Hi")], system="Be kind.")
    assert lk.lab.last()["wire"]["request"]["body"]["system"] == "Be kind.\n\nBe brief."


@pytest.mark.parametrize("messages", [[], [("bard", "Hi")], [{"role": "user", "content": 3}], ["Hi"]])
def test_what_is_no_message_is_said_before_sending(messages: list[object]) -> None:
    with pytest.raises(UserError):
        LLMClient().chat(messages)  # type: ignore[arg-type]
    assert lk.lab.entries() == []


# --- Choosing a provider ---


def test_provider_and_model_by_one_string() -> None:
    client = LLMClient(f"anthropic/{lk.model('anthropic', 'standard')}")
    assert (client.provider, client.model) == ("anthropic", lk.model("anthropic", "standard"))


def test_the_registry_knows_whose_model_it_is() -> None:
    assert LLMClient(model=lk.model("gemini")).provider == "gemini"
    assert LLMClient().provider == "openai"


def test_a_slash_in_a_models_name_is_no_provider() -> None:
    client = LLMClient("compatible", model=lk.model("self-hosted", "standard"))
    assert "/" in client.model and client.chat("Hi").text


def test_any_address_that_speaks_openais_protocol(session: Session) -> None:
    client = LLMClient(base_url=f"{session.url}/vllm/v1", api_key=session.key, model=lk.model("self-hosted"))
    assert client.chat("Hi", top_k=1).usage.total > 0
    assert lk.lab.last()["provider"] == "vllm"
    assert session.key not in repr(vars(client.adapter))


def test_unknown_names_are_refused_with_near_ones() -> None:
    with pytest.raises(UserError, match="anthropic, azure"):
        LLMClient("nobody")
    with pytest.raises(UserError, match="did you mean 'temperature'"):
        LLMClient("openai", temprature=1)  # type: ignore[call-arg]
    with pytest.raises(UnknownModel):
        LLMClient(model="gpt-nobody")


def test_extra_goes_to_the_sdk_as_it_is() -> None:
    LLMClient("openai", extra={"user": "ada"}).chat("Hi")
    assert lk.lab.last()["wire"]["request"]["body"]["user"] == "ada"


def test_a_wrong_extra_is_the_sdks_own_type_error() -> None:
    with pytest.raises(TypeError, match="nobody"):
        LLMClient("openai").chat("Hi", extra={"nobody": 1})


# --- SDK clients are kept ---


def test_calls_share_one_sdk_client_until_the_session_changes(session: Session) -> None:
    first = connections.client(LLMClient("openai").adapter, 600.0)
    assert connections.client(LLMClient("openai").adapter, 600.0) is first
    with lk.start(quiet=True):
        assert connections.client(LLMClient("openai").adapter, 600.0) is not first


def test_threads_share_one_client() -> None:
    client, texts = LLMClient("openai", tier="sampling", temperature=0), []
    threads = [threading.Thread(target=lambda: texts.append(client.chat(QUESTION).text)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 8 and len(set(texts)) == 1


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "bedrock"])
def test_each_event_loop_has_a_client_and_leaves_none_open(provider: str) -> None:
    client = LLMClient(provider)
    for _ in range(2):
        assert asyncio.run(client.achat("Hi")).text
    gc.collect()  # an open socket would warn here, and warnings fail tests
    assert not any(isinstance(owner, asyncio.AbstractEventLoop) and owner.is_closed() for owner in connections._clients)


def test_without_a_session_nothing_is_sent(session: Session) -> None:
    session.close()
    with pytest.raises(NotStarted):
        LLMClient("openai").chat("Hi")


# --- Repeating ---


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "bedrock"])
def test_passing_trouble_is_repeated_and_counted(provider: str) -> None:
    lk.lab.faults("overloaded", next=2)
    answer = LLMClient(provider, retry=quick(3)).chat(QUESTION)
    assert answer.retries == 2
    assert [e["retry"] for e in lk.lab.entries()] == [0, 1, 2]
    assert lk.ledger.entries()[-1]["retries"] == 2


def test_a_provider_that_says_how_long_is_obeyed() -> None:
    lk.lab.limits(requests_per_minute=1)
    lk.lab.clock(minute=0.5)
    client = LLMClient("openai")
    client.chat("Hi")
    assert client.chat("Hi").retries == 1
    first, refused, second = lk.lab.entries()
    wait = float(lk.lab.entry(refused["id"])["wire"]["response"]["headers"]["retry-after-ms"]) / 1000
    assert (refused["status"], second["status"]) == (429, 200)
    assert second["lab_time"] - refused["lab_time"] >= wait * 120 * 0.99


def test_too_long_a_wait_is_left_to_the_caller() -> None:
    lk.lab.faults("rate_limit", next=1, seconds=500_000)
    with pytest.raises(RateLimited) as refused:
        LLMClient("openai").chat("Hi")
    assert refused.value.retry_after and refused.value.retry_after > 120
    assert (refused.value.retries, len(lk.lab.entries())) == (0, 1)


def test_what_cannot_succeed_is_not_repeated() -> None:
    lk.lab.faults("quota", next=3)
    with pytest.raises(lk.errors.QuotaExceeded) as refused:
        LLMClient("openai").chat("Hi")
    assert refused.value.retries == 0 and refused.value.status == 429


async def test_repeating_with_await_does_not_block_the_loop() -> None:
    lk.lab.faults("overloaded", next=1)
    ticks = asyncio.create_task(count_ticks())
    answer = await LLMClient("openai", retry=quick(2, wait=0.2)).achat("Hi")
    ticks.cancel()
    assert answer.retries == 1 and (await asyncio.gather(ticks, return_exceptions=True)) and TICKS[0] >= 5


TICKS = [0]


async def count_ticks() -> None:
    while True:
        await asyncio.sleep(0.01)
        TICKS[0] += 1


def quick(attempts: int, wait: float = 0.0) -> tenacity.Retrying:
    """A policy of tenacity's in place of the client's own."""
    return tenacity.Retrying(stop=tenacity.stop_after_attempt(attempts), wait=tenacity.wait_fixed(wait), reraise=True)


def test_nobody_listens() -> None:
    with pytest.raises(ConnectionFailed) as failed:
        LLMClient(base_url="http://127.0.0.1:9/v1", model="any", retry=1).chat("Hi")
    assert failed.value.__cause__ is not None and failed.value.retryable


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_a_silent_server_times_out(provider: str) -> None:
    lk.lab.clock(minute=60)
    lk.lab.faults("slow_first_token", next=1, seconds=3)
    with pytest.raises(CallTimeout):
        LLMClient(provider, timeout=0.3, retry=1).chat("Hi")


# --- Embeddings and counting ---


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_embeddings_come_in_order_with_their_price(provider: str) -> None:
    client = LLMClient(provider)
    both = client.embed(["a cat", "a dog"], dimensions=256)
    assert [len(vector) for vector in both] == [256, 256]
    assert both[1] == pytest.approx(client.embed("a dog", dimensions=256)[0], abs=1e-6)
    assert lk.lab.entries()[0]["usage"]["input"] == both.usage.input
    assert both.cost_usd == pytest.approx(prices.cost(both.model, both.usage))


async def test_embeddings_with_await() -> None:
    assert len(await LLMClient("gemini").aembed(["a", "b", "c"])) == 3


def test_embeddings_that_cannot_be() -> None:
    with pytest.raises(UserError, match="no embeddings"):
        LLMClient("anthropic").embed("a")
    with pytest.raises(UserError, match="no text"):
        LLMClient("openai").embed([])


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "bedrock"])
def test_counted_here_and_asked_for_agree_with_the_bill(provider: str) -> None:
    client = LLMClient(provider)
    counted = client.count_tokens(QUESTION, system="Be brief.")
    assert counted == client.chat(QUESTION, system="Be brief.").usage.prompt
    assert abs(client.count_tokens(QUESTION, system="Be brief.", ask=True) - counted) <= 4


def test_an_estimate_is_never_passed() -> None:
    client = LLMClient("openai", max_tokens=200)
    assert client.chat(QUESTION).cost_usd <= client.estimate(QUESTION)  # type: ignore[operator]
    assert client.estimate(QUESTION, calls=10) == pytest.approx(10 * client.estimate(QUESTION))


def test_importing_the_client_imports_no_sdk() -> None:
    import subprocess

    script = "import labkit.client, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"openai", "anthropic", "google.genai", "litellm", "tiktoken", "pydantic", "pandas"} & set(loaded)
