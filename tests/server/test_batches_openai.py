"""OpenAI batches through the SDK, from upload to output file, on a clock that jumps."""

import json

import openai
import pytest

from labkit import prices, registry
from labkit.server.schedule import BatchPace, Schedule
from labkit.usage import Usage

MODEL = registry.model("openai", "sampling")
EMBEDDING = registry.model("openai", "embedding")
DAY = 86_400


def chat_line(key, **body):
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"Say something about {key}."}], **body}
    return {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}


def submit(tenant, lines, endpoint="/v1/chat/completions", **more):
    text = lines if isinstance(lines, bytes) else "\n".join(json.dumps(line) for line in lines).encode()
    file = tenant.openai.files.create(file=("in.jsonl", text), purpose="batch")
    return tenant.openai.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def later(tenant, batch, seconds=DAY - 100):
    tenant.lab("tenant", {"clock": {"advance_s": seconds}})
    return tenant.openai.batches.retrieve(batch.id)


def output(tenant, file_id):
    return [json.loads(line) for line in tenant.openai.files.content(file_id).read().splitlines()]


def test_a_batch_goes_through_its_states(tenant):
    batch = submit(tenant, [chat_line(f"line-{n}") for n in range(50)], metadata={"lesson": "5"})
    seen = [batch.status] + [later(tenant, batch, s).status for s in (11, 125, 8, 10)]
    assert seen == ["validating", "in_progress", "in_progress", "finalizing", "completed"]
    done = tenant.openai.batches.retrieve(batch.id)
    assert done.metadata == {"lesson": "5"} and done.model == MODEL
    assert done.created_at < done.in_progress_at < done.finalizing_at < done.completed_at < done.expires_at


def test_counts_rise_while_it_is_in_progress(tenant):
    batch = submit(tenant, [chat_line(f"line-{n}") for n in range(40)])
    assert later(tenant, batch, 130 + 3.9).request_counts.completed in range(19, 30)
    assert later(tenant, batch).request_counts.completed == 40


def test_output_lines_are_chat_completions(tenant):
    done = later(tenant, submit(tenant, [chat_line("a", temperature=0), chat_line("b", n=2)]))
    lines = {line["custom_id"]: line for line in output(tenant, done.output_file_id)}
    assert set(lines) == {"a", "b"} and done.error_file_id is None
    assert lines["a"]["response"]["status_code"] == 200 and lines["a"]["error"] is None
    live = tenant.chat("Say something about a.", temperature=0)
    assert lines["a"]["response"]["body"]["choices"][0]["message"]["content"] == live.choices[0].message.content
    assert len(lines["b"]["response"]["body"]["choices"]) == 2


def test_a_bad_request_goes_to_the_error_file_with_the_live_body(tenant):
    bad = chat_line("hot", temperature=9)
    done = later(tenant, submit(tenant, [chat_line("fine"), bad, chat_line("streamed", stream=True)]))
    assert (done.status, done.request_counts.completed, done.request_counts.failed) == ("completed", 1, 2)
    errors = {line["custom_id"]: line["response"] for line in output(tenant, done.error_file_id)}
    with pytest.raises(openai.BadRequestError) as live:
        tenant.chat(temperature=9)
    assert errors["hot"]["status_code"] == 400 and errors["hot"]["body"]["error"] == live.value.body
    assert errors["streamed"]["body"]["error"]["param"] == "stream"


def test_the_output_is_in_another_order_than_the_input(tenant):
    keys = [f"line-{n}" for n in range(300)]
    done = later(tenant, submit(tenant, [chat_line(key, max_completion_tokens=1) for key in keys]))
    found = [line["custom_id"] for line in output(tenant, done.output_file_id)]
    assert sorted(found) == sorted(keys) and sum(a == b for a, b in zip(found, keys, strict=True)) < 20


def test_no_output_file_when_every_line_failed(tenant):
    done = later(tenant, submit(tenant, [chat_line("hot", temperature=9)]))
    assert done.status == "completed" and done.output_file_id is None and done.error_file_id


def test_lines_cost_half_and_are_journaled(tenant):
    done = later(tenant, submit(tenant, [chat_line("a"), chat_line("b")]))
    entries = [e for e in tenant.lab("journal")["entries"] if e["path"].startswith(f"/v1/batches/{done.id}/lines/")]
    usage = [Usage(input=e["usage"]["input"], output=e["usage"]["output"]) for e in entries]
    assert [e["params"]["line"] for e in entries] == ["a", "b"]
    assert [e["cost_usd"] for e in entries] == [pytest.approx(prices.cost(MODEL, u) / 2) for u in usage]
    assert done.usage.total_tokens == sum(u.total for u in usage)


def test_lines_take_nothing_from_the_live_limits(tenant):
    tenant.lab("tenant", {"limits": {"requests_per_minute": 1}, "pace": 1.0})
    done = later(tenant, submit(tenant, [chat_line(f"line-{n}") for n in range(5)]))
    assert done.request_counts.completed == 5
    tenant.lab("tenant", {"pace": 0.0})
    assert tenant.chat().choices


def test_embedding_batches(tenant):
    body = {"model": EMBEDDING, "input": ["one", "two"]}
    line = {"custom_id": "e", "method": "POST", "url": "/v1/embeddings", "body": body}
    done = later(tenant, submit(tenant, [line], "/v1/embeddings"))
    (result,) = output(tenant, done.output_file_id)
    live = tenant.openai.embeddings.create(**body, encoding_format="float")
    assert result["response"]["body"]["data"][1]["embedding"] == live.data[1].embedding
    assert done.usage.input_tokens == live.usage.prompt_tokens


BAD_FILES = [
    (b'{"custom_id": "a",\n', 1, "invalid_json_line"),
    (b"[1]\n", 1, "invalid_request"),
    (b"\n \n", None, "empty_file"),
    (b'{"method": "POST"}\n', 1, "missing_required_parameter"),
    ([chat_line("a"), chat_line("a")], 2, "duplicate_custom_id"),
    ([chat_line("a"), {**chat_line("b"), "url": "/v1/embeddings"}], 2, "url_mismatch"),
    ([{**chat_line("a"), "method": "GET"}], 1, "invalid_method"),
    ([chat_line("a"), chat_line("b", model="other")], 2, "model_mismatch"),
    ([{**chat_line("a"), "body": "text"}], 1, "invalid_type"),
]


@pytest.mark.parametrize(("lines", "number", "code"), BAD_FILES)
def test_a_bad_file_fails_the_batch_while_it_validates(tenant, lines, number, code):
    batch = submit(tenant, lines)
    assert batch.status == "validating" and batch.errors is None
    failed = later(tenant, batch, 11)
    assert failed.status == "failed" and failed.failed_at and failed.output_file_id is None
    assert [(e.line, e.code) for e in failed.errors.data] == [(number, code)]
    assert failed.request_counts.total == 0


def test_cancel_keeps_what_was_done(tenant):
    batch = submit(tenant, [chat_line(f"line-{n}") for n in range(100)])
    later(tenant, batch, 130 + 10)
    cancelling = tenant.openai.batches.cancel(batch.id)
    assert cancelling.status == "cancelling" and cancelling.cancelling_at
    done = later(tenant, batch, 60)
    assert done.status == "cancelled" and done.cancelled_at >= done.cancelling_at
    finished = len(output(tenant, done.output_file_id))
    assert finished == done.request_counts.completed and 50 <= finished < 60 and done.error_file_id is None
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a batch with status 'cancelled'"):
        tenant.openai.batches.cancel(batch.id)


def test_a_slow_batch_expires_with_a_line_for_each_that_was_not_run(tenant):
    tenant.lab("tenant", {"batches": {"lines_per_s": 0.0001}})
    done = later(tenant, submit(tenant, [chat_line(f"line-{n}") for n in range(20)]), DAY)
    errors = output(tenant, done.error_file_id)
    assert done.status == "expired" and done.expired_at == done.expires_at
    assert len(output(tenant, done.output_file_id)) == 8 and len(errors) == 12
    assert {line["error"]["code"] for line in errors} == {"batch_expired"}
    assert (done.request_counts.completed, done.request_counts.failed) == (8, 12)


def test_the_seed_of_the_tenant_repeats_a_batch(tenant):
    def run():
        tenant.lab("tenant", {"seed": 11})
        done = later(tenant, submit(tenant, [chat_line("rain"), chat_line("snow")]))
        lines = output(tenant, done.output_file_id)
        return [line["response"]["body"]["choices"][0]["message"]["content"] for line in lines]

    assert run() == run()


def test_list_is_newest_first_and_pages(tenant):
    made = [submit(tenant, [chat_line("a")]).id for _ in range(3)]
    assert [b.id for b in tenant.openai.batches.list(limit=2)] == made[::-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_file_id": "file-none"}, "No such File object"),
        ({"endpoint": "/v1/nothing"}, "Supported values are"),
        ({"endpoint": "/v1/videos"}, "does not serve batches for /v1/videos"),
        ({"completion_window": "1h"}, "Supported values are: '24h'"),
        ({"metadata": {f"k{n}": "v" for n in range(17)}}, "at most 16"),
        ({"metadata": {"k": "v" * 513}}, "string too long"),
    ],
)
def test_create_refuses(tenant, changes, message):
    file = tenant.openai.files.create(file=("in.jsonl", b"{}"), purpose="batch")
    ask = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    with pytest.raises(openai.APIStatusError, match=message):
        tenant.openai.batches.create(**{**ask, **changes})


def test_unknown_batch_is_404(tenant):
    with pytest.raises(openai.NotFoundError, match="No batch found with id 'batch_x'"):
        tenant.openai.batches.retrieve("batch_x")


def test_batches_and_their_files_are_the_tenants_own(tenant, lab_server):
    done = later(tenant, submit(tenant, [chat_line("a")]))
    other = openai.OpenAI(api_key=lab_server.key(), base_url=f"{tenant.url}/v1", max_retries=0)
    assert other.batches.list().data == [] and other.files.list().data == []
    with pytest.raises(openai.NotFoundError):
        other.files.content(done.output_file_id)


def test_schedule_is_a_function_of_time_alone():
    plan = Schedule(1_000, 10, DAY, BatchPace(10, 20, 2, 5))
    assert [plan.phase(1_000 + s) for s in (0, 10, 34.9, 35, 40)] == [
        "validating",
        "running",
        "running",
        "finalizing",
        "completed",
    ]
    assert [plan.due(1_000 + s) for s in (0, 30, 31, 33, 99)] == [0, 0, 2, 6, 10]


def test_lines_that_find_no_room_fail_and_the_batch_still_ends(tenant):
    for size in (18, 18, 18, 9.95):
        tenant.openai.files.create(file=("fill", b"x" * int(size * 2**20)), purpose="user_data")
    done = later(tenant, submit(tenant, [chat_line(f"line-{n}", n=4, max_completion_tokens=60) for n in range(60)]))
    codes = {line["response"]["status_code"] for line in output(tenant, done.error_file_id)}
    assert done.status == "completed" and codes == {413}
    assert 0 < done.request_counts.completed < 60
