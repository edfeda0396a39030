"""Message batches through the Anthropic SDK."""

import anthropic
import httpx
import pytest

from labkit import prices, registry
from labkit.server.batches import MOST_BATCHES
from labkit.usage import Usage

MODEL = registry.model("anthropic", "small")
OLD = registry.model("anthropic", "sampling")
DAY = 86_400


def request(key, **params):
    ask = {"model": MODEL, "max_tokens": 30, "messages": [{"role": "user", "content": f"Say something about {key}."}]}
    return {"custom_id": key, "params": {**ask, **params}}


def submit(tenant, *requests):
    return tenant.anthropic.messages.batches.create(requests=list(requests))


def later(tenant, batch, seconds=DAY - 100):
    tenant.lab("tenant", {"clock": {"advance_s": seconds}})
    return tenant.anthropic.messages.batches.retrieve(batch.id)


def results(tenant, batch):
    return {line.custom_id: line.result for line in tenant.anthropic.messages.batches.results(batch.id)}


def test_a_batch_from_creation_to_results(tenant):
    batch = submit(tenant, request("rain"), request("snow"))
    assert (batch.processing_status, batch.request_counts.processing, batch.results_url) == ("in_progress", 2, None)
    done = later(tenant, batch)
    assert done.processing_status == "ended" and done.created_at < done.ended_at < done.expires_at
    assert done.results_url.startswith(tenant.url)
    found = results(tenant, batch)
    assert set(found) == {"rain", "snow"}
    assert found["rain"].type == "succeeded" and found["rain"].message.content[0].text


def test_counts_stay_in_processing_until_the_end(tenant):
    batch = submit(tenant, *(request(f"n{n}") for n in range(30)))
    half = later(tenant, batch, 133)
    assert half.processing_status == "in_progress" and half.request_counts.processing == 30
    assert half.request_counts.succeeded == 0
    lines = [e for e in tenant.lab("journal")["entries"] if "/lines/" in e["path"]]
    assert 14 <= len(lines) < 30, "half of them have been run all the same"


def test_an_error_in_params_is_that_requests_result(tenant):
    bad = [request("hot", temperature=0.5), request("none", model="no-such-model"), request("stream", stream=True)]
    done = later(tenant, submit(tenant, request("fine"), *bad))
    assert (done.request_counts.succeeded, done.request_counts.errored) == (1, 3)
    found = results(tenant, done)
    assert found["hot"].error.type == "error" and found["hot"].error.error.type == "invalid_request_error"
    assert found["hot"].error.error.message == "temperature: Extra inputs are not permitted"
    assert found["none"].error.error.type == "not_found_error"


def test_the_version_of_the_batch_holds_for_its_requests(tenant):
    headers = {"x-api-key": tenant.key, "anthropic-version": "2023-06-01"}
    body = {"requests": [request("warm", model=OLD, temperature=0.5)]}
    with httpx.Client(base_url=f"{tenant.url}/v1/messages", headers=headers) as http:
        id = http.post("/batches", json=body).json()["id"]
        later(tenant, tenant.anthropic.messages.batches.retrieve(id))
        assert http.get(f"/batches/{id}/results").json()["result"]["type"] == "succeeded"


def test_requests_cost_half(tenant):
    done = later(tenant, submit(tenant, request("rain")))
    usage = results(tenant, done)["rain"].message.usage
    entry = next(e for e in tenant.lab("journal")["entries"] if e["path"] == f"/v1/messages/batches/{done.id}/lines/0")
    whole = prices.cost(MODEL, Usage(input=usage.input_tokens, output=usage.output_tokens))
    assert entry["cost_usd"] == pytest.approx(whole / 2) and entry["params"]["line"] == "rain"


def test_cancel(tenant):
    batch = submit(tenant, *(request(f"n{n}") for n in range(50)))
    tenant.lab("tenant", {"clock": {"advance_s": 134}})
    cancelling = tenant.anthropic.messages.batches.cancel(batch.id)
    assert cancelling.processing_status == "canceling" and cancelling.cancel_initiated_at
    done = later(tenant, batch, 60)
    kinds = [result.type for result in results(tenant, done).values()]
    assert done.processing_status == "ended"
    assert kinds.count("succeeded") == done.request_counts.succeeded and 20 <= done.request_counts.succeeded < 50
    assert kinds.count("canceled") == done.request_counts.canceled == 50 - done.request_counts.succeeded


def test_expiry_and_the_end_of_results(tenant):
    tenant.lab("tenant", {"batches": {"lines_per_s": 0.0001}})
    done = later(tenant, submit(tenant, *(request(f"n{n}") for n in range(10))), DAY)
    assert (done.request_counts.succeeded, done.request_counts.expired) == (8, 2)
    gone = later(tenant, done, 29 * DAY)
    assert gone.archived_at and gone.results_url is None


def test_delete_only_what_has_ended(tenant):
    batch = submit(tenant, request("rain"))
    with pytest.raises(anthropic.BadRequestError, match="cancel it first"):
        tenant.anthropic.messages.batches.delete(batch.id)
    later(tenant, batch)
    assert tenant.anthropic.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        tenant.anthropic.messages.batches.retrieve(batch.id)


def test_list_pages_both_ways(tenant):
    made = [submit(tenant, request("a")).id for _ in range(5)][::-1]
    batches = tenant.anthropic.messages.batches
    assert [b.id for b in batches.list(limit=2)] == made
    assert [b.id for b in batches.list(limit=1, after_id=made[1]).data] == [made[2]]
    assert [b.id for b in batches.list(limit=2, before_id=made[3]).data] == made[1:3]


def test_the_oldest_batch_that_is_over_makes_room(tenant):
    first, *others = [submit(tenant, request("a")).id for _ in range(MOST_BATCHES)]
    with pytest.raises(anthropic.BadRequestError, match="One that has ended makes room"):
        submit(tenant, request("b"))
    later(tenant, tenant.anthropic.messages.batches.retrieve(first))
    newest = submit(tenant, request("b")).id
    assert {batch.id for batch in tenant.anthropic.messages.batches.list(limit=1000)} == {newest, *others}


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([], "requests: at least 1 item"),
        ([request("a"), request("a")], "requests.1.custom_id: `a` is not unique"),
        ([request("no spaces")], "requests.0.custom_id: String should match pattern"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
    ],
)
def test_create_refuses(tenant, requests, message):
    with pytest.raises(anthropic.BadRequestError, match=message):
        submit(tenant, *requests)
