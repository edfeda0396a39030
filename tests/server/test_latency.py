"""Modelled latency, and what happens when the client does not wait for the end."""

import math
import statistics
import time

import httpx

from labkit import registry

MODEL = registry.model("openai", "sampling")
BODY = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Explain recursion in three sentences."}],
    "stream": True,
}


def test_pace_scales_the_modelled_latency(tenant):
    row = registry.find(MODEL)
    tenant.lab("tenant", {"pace": 0.2})
    began = time.perf_counter()
    answer = tenant.chat(temperature=0)
    took = time.perf_counter() - began
    modelled = (
        row.ttft_ms / 1000
        + answer.usage.prompt_tokens / row.prefill_tps
        + answer.usage.completion_tokens / row.output_tps
    )
    waited = tenant.last()["timing"]["wait_ms"] / 1000
    assert took >= waited
    assert 0.6 < waited / (0.2 * modelled) < 1.7, "jitter spreads it by some 12 percent"


def test_jitter_repeats_with_the_seed_and_spreads():
    from labkit.server.latency import SPREAD, Latency
    from labkit.server.tenants import Tenant

    drawn = [Latency(Tenant("lab-j", seed=4)).jitter() for _ in range(2)]
    assert drawn[0] == drawn[1]
    latency = Latency(Tenant("lab-j", seed=4))
    logs = [math.log(latency.jitter()) for _ in range(2_000)]
    assert abs(statistics.mean(logs)) < 0.02 and abs(statistics.stdev(logs) - SPREAD) < 0.02


def test_load_stretches_the_first_token():
    from labkit.server.latency import LOAD, Latency
    from labkit.server.tenants import Tenant

    model, latency = registry.find(MODEL), Latency(Tenant("lab-load"))
    alone = latency.first_token_s(model, 1_000)
    latency.in_flight = 11
    assert latency.first_token_s(model, 1_000) == alone * (1 + 10 * LOAD)
    assert latency.first_token_s(model, 50_000) > latency.first_token_s(model, 1_000)


def test_without_pace_nothing_waits(tenant):
    tenant.chat(temperature=0)
    assert "wait_ms" not in tenant.last()["timing"]


def test_paced_stream_arrives_in_pieces(tenant):
    tenant.lab("tenant", {"pace": 0.1})
    arrivals = [time.perf_counter() for _ in tenant.chat(temperature=0, stream=True)]
    assert arrivals[-1] - arrivals[0] > 0.3 * (len(arrivals) - 2) * 0.1 / registry.find(MODEL).output_tps


def test_disconnect_stops_the_generation_and_the_journal_says_where(tenant):
    tenant.lab("tenant", {"pace": 1.0})
    headers = {"authorization": f"Bearer {tenant.key}"}
    with httpx.stream("POST", f"{tenant.url}/v1/chat/completions", json=BODY, headers=headers) as stream:
        seen = sum(1 for _, line in zip(range(8), stream.iter_lines(), strict=False) if line)
    entries = []
    while not entries:  # the entry is written as soon as the server notices
        entries = tenant.lab("journal?path=/v1/chat/completions")["entries"]
    assert entries[0]["disconnected"] and entries[0]["error"] == "client_disconnected"
    tenant.lab("tenant", {"pace": 0.0})
    whole = tenant.chat("Explain recursion in three sentences.").usage.completion_tokens
    assert 0 < entries[0]["tokens_sent"] <= seen + 10 < whole


def test_jumping_the_clock_ends_a_wait(tenant):
    from concurrent.futures import ThreadPoolExecutor

    tenant.lab("tenant", {"pace": 100.0})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(tenant.chat)
        while not waiting.done():
            tenant.lab("tenant", {"clock": {"advance_s": 3_600}})
    assert waiting.result().choices
