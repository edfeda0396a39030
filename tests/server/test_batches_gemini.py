"""Gemini's files and batches through google-genai."""

import io
import json
import warnings

import pytest
from google.genai import errors, types

from labkit import prices, registry, tokens
from labkit.usage import Usage

MODEL = registry.model("gemini", "small")
EMBEDDING = registry.model("gemini", "embedding")
DAY = 86_400


def ask(text, **more):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def later(tenant, job, seconds=DAY):
    tenant.lab("tenant", {"clock": {"advance_s": seconds}})
    return tenant.genai.batches.get(name=job.name)


def upload(tenant, content=b"some bytes", **config):
    return tenant.genai.files.upload(file=io.BytesIO(content), config={"mime_type": "text/plain", **config})


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 10, 8 * 2**20, 9 * 2**20 + 1])
def test_resumable_upload_in_as_many_pieces_as_the_sdk_likes(tenant, size):
    file = upload(tenant, b"x" * size, display_name="big one")
    assert (file.size_bytes, file.display_name, file.mime_type, file.state.name) == (
        size,
        "big one",
        "text/plain",
        "ACTIVE",
    )
    assert tenant.genai.files.get(name=file.name) == file


def test_upload_url_works_without_a_key_and_once(tenant):
    headers = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    started = tenant.http.post("/upload/v1beta/files", headers={**headers, "x-goog-api-key": tenant.key})
    url, go = started.headers["x-goog-upload-url"], {"x-goog-upload-command": "upload, finalize"}
    assert tenant.key not in url
    assert tenant.http.post(url, content=b"abc", headers=go).json()["file"]["sizeBytes"] == "3"
    assert tenant.http.post(url, content=b"abc", headers=go).status_code in (401, 403, 404)


def test_files_list_delete_and_expire(tenant):
    names = [upload(tenant, b"x", name=f"mine-{n}").name for n in range(3)]
    assert [f.name for f in tenant.genai.files.list(config={"page_size": 2})] == names[::-1]
    tenant.genai.files.delete(name=names[0])
    assert len(list(tenant.genai.files.list())) == 2
    tenant.lab("tenant", {"clock": {"advance_s": 2 * DAY}})
    assert list(tenant.genai.files.list()) == []
    with pytest.raises(errors.ClientError, match="do not have permission"):
        tenant.genai.files.get(name=names[1])


@pytest.mark.parametrize("name", ["UPPER", "a/b", "../../etc", "x" * 41, "-dash"])
def test_a_file_name_that_is_none_is_refused(tenant, name):
    with pytest.raises(errors.ClientError, match="Invalid file name"):
        upload(tenant, name=name)


# --- batches ---------------------------------------------------------------------------------------------------------


def test_inline_batch(tenant):
    requests = [
        ask("Say something about rain.", metadata={"my_key": "a"}),
        ask("And snow?", config={"temperature": 0, "max_output_tokens": 20}),
    ]
    job = tenant.genai.batches.create(model=MODEL, src=requests, config={"display_name": "two"})
    assert job.state == types.JobState.JOB_STATE_PENDING and job.display_name == "two"
    assert later(tenant, job, 60).state == types.JobState.JOB_STATE_RUNNING
    done = later(tenant, job)
    assert done.state == types.JobState.JOB_STATE_SUCCEEDED and done.create_time < done.end_time
    first, second = done.dest.inlined_responses
    assert first.response.text and first.metadata == {"my_key": "a"}
    assert second.response.usage_metadata.candidates_token_count <= 20


def test_batch_from_a_file_to_a_file(tenant):
    lines = [{"key": "a", "request": ask("Say something.")}, {"key": "b", "request": {"contents": []}}]
    text = "\n".join(json.dumps(line) for line in lines).encode()
    file = upload(tenant, text, mime_type="application/jsonl")
    done = later(tenant, tenant.genai.batches.create(model=MODEL, src=file.name))
    found = [json.loads(line) for line in tenant.genai.files.download(file=done.dest.file_name).splitlines()]
    assert [line["key"] for line in found] == ["a", "b"]
    assert found[0]["response"]["candidates"][0]["content"]["parts"][0]["text"]
    assert found[1]["error"]["code"] == 3 and "contents must not be empty" in found[1]["error"]["message"]


def test_an_uploaded_file_cannot_be_downloaded(tenant):
    with pytest.raises(errors.ClientError, match="Only generated files"):
        tenant.genai.files.download(file=upload(tenant).name)


def test_embedding_batch(tenant):
    contents = [{"parts": [{"text": "one"}]}, {"parts": [{"text": "two"}]}]
    source = {"inlined_requests": {"contents": contents, "config": {"output_dimensionality": 64}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK calls this method experimental
        job = tenant.genai.batches.create_embeddings(model=EMBEDDING, src=source)
    done = later(tenant, job)
    vectors = [r.response.embedding.values for r in done.dest.inlined_embed_content_responses]
    (live,) = tenant.genai.models.embed_content(
        model=EMBEDDING, contents="two", config={"output_dimensionality": 64}
    ).embeddings
    assert len(vectors) == 2 and vectors[1] == live.values


def test_requests_cost_half(tenant):
    done = later(tenant, tenant.genai.batches.create(model=MODEL, src=[ask("Say something.")]))
    used = done.dest.inlined_responses[0].response.usage_metadata
    entry = next(e for e in tenant.lab("journal")["entries"] if e["path"].endswith("/lines/0"))
    output = used.total_token_count - used.prompt_token_count
    whole = prices.cost(MODEL, Usage(input=used.prompt_token_count, output=output))
    assert entry["cost_usd"] == pytest.approx(whole / 2) and used.prompt_token_count > tokens.count("Say something.")


def test_cancel_list_delete(tenant):
    first, second = (tenant.genai.batches.create(model=MODEL, src=[ask("hi")]) for _ in range(2))
    tenant.genai.batches.cancel(name=first.name)
    assert later(tenant, first, 60).state == types.JobState.JOB_STATE_CANCELLED
    assert [job.name for job in tenant.genai.batches.list(config={"page_size": 1})] == [second.name, first.name]
    tenant.genai.batches.delete(name=first.name)
    with pytest.raises(errors.ClientError, match="not found"):
        tenant.genai.batches.get(name=first.name)


def test_a_batch_expires_after_48_hours(tenant):
    tenant.lab("tenant", {"batches": {"queue_s": 1e6}})
    job = tenant.genai.batches.create(model=MODEL, src=[ask("hi")])
    assert later(tenant, job, 2 * DAY - 60).state == types.JobState.JOB_STATE_RUNNING
    assert later(tenant, job, 60).state == types.JobState.JOB_STATE_EXPIRED


def test_a_broken_input_file_fails_the_batch(tenant):
    file = upload(tenant, b'{"key": "a", "request": {}}\nnot json\n')
    job = later(tenant, tenant.genai.batches.create(model=MODEL, src=file.name))
    assert job.state == types.JobState.JOB_STATE_FAILED and job.dest is None


@pytest.mark.parametrize(
    ("model", "batch", "code"),
    [
        ("no-such-model", {"inputConfig": {"requests": {"requests": [{"request": {}}]}}}, 404),
        (MODEL, {}, 400),
        (MODEL, {"inputConfig": {}}, 400),
        (MODEL, {"inputConfig": {"requests": {"requests": []}}}, 400),
        (MODEL, {"inputConfig": {"requests": {"requests": [5]}}}, 400),
        (MODEL, {"input_config": {"file_name": "files/none"}}, 403),
    ],
)
def test_create_refuses(tenant, model, batch, code):
    path, headers = f"/v1beta/models/{model}:batchGenerateContent", {"x-goog-api-key": tenant.key}
    assert tenant.http.post(path, json={"batch": batch}, headers=headers).status_code == code
