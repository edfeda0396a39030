"""Files through the SDKs, and what a form may get wrong."""

import openai
import pytest

from labkit.server.multipart import MalformedForm, read_form

LINES = b'{"custom_id": "a"}\n'


def upload(tenant, content=LINES, name="in.jsonl", **more):
    return tenant.openai.files.create(file=(name, content), purpose=more.pop("purpose", "batch"), **more)


def test_openai_upload_and_read_back(tenant):
    awkward = bytes(range(256)) + b"\r\n--not the boundary\r\n\r\n" + "ü🙂".encode() * 1_000
    made = upload(tenant, awkward, "tälle.bin", purpose="user_data")
    assert (made.bytes, made.filename, made.purpose, made.status) == (
        len(awkward),
        "tälle.bin",
        "user_data",
        "processed",
    )
    assert tenant.openai.files.retrieve(made.id) == made
    assert tenant.openai.files.content(made.id).read() == awkward


def test_openai_list_pages_newest_first(tenant):
    made = [upload(tenant, name=f"{n}.jsonl").id for n in range(5)]
    first = tenant.openai.files.list(limit=2)
    assert [f.id for f in first.data] == made[:2:-1] and first.has_more
    assert [f.id for f in tenant.openai.files.list(limit=2)] == made[::-1], "the SDK follows the pages"
    assert [f.id for f in tenant.openai.files.list(order="asc", after=made[2])] == made[3:]


def test_openai_list_by_purpose(tenant):
    upload(tenant)
    mine = upload(tenant, name="notes.txt", purpose="assistants")
    assert [f.id for f in tenant.openai.files.list(purpose="assistants")] == [mine.id]


def test_openai_delete(tenant):
    made = upload(tenant)
    assert tenant.openai.files.delete(made.id).deleted
    for gone in (tenant.openai.files.retrieve, tenant.openai.files.content, tenant.openai.files.delete):
        with pytest.raises(openai.NotFoundError, match="No such File object"):
            gone(made.id)


def test_files_are_the_tenants_own(tenant, lab_server):
    made = upload(tenant)
    other = openai.OpenAI(api_key=lab_server.key(), base_url=f"{tenant.url}/v1", max_retries=0)
    with pytest.raises(openai.NotFoundError):
        other.files.retrieve(made.id)
    assert other.files.list().data == []


def test_a_batch_file_is_gone_after_30_lab_days(tenant):
    batch, other = upload(tenant), upload(tenant, purpose="user_data")
    soon = upload(tenant, purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3_600})
    assert batch.expires_at - batch.created_at == 30 * 86_400 and other.expires_at is None
    tenant.lab("tenant", {"clock": {"advance_s": 3_601}})
    assert {f.id for f in tenant.openai.files.list()} == {batch.id, other.id}
    tenant.lab("tenant", {"clock": {"advance_s": 30 * 86_400}})
    assert [f.id for f in tenant.openai.files.list()] == [other.id] and soon.expires_at


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"purpose": "fun"}, "Supported values are: 'assistants'"),
        ({"content": b""}, "file is empty"),
        ({"name": "in.csv"}, "Must be .jsonl"),
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "Expected a value >= 3600"),
        ({"expires_after": {"anchor": "now", "seconds": 5_000}}, "Supported values are: 'created_at'"),
    ],
)
def test_openai_refuses_an_upload(tenant, changes, message):
    with pytest.raises(openai.BadRequestError, match=message):
        upload(tenant, **changes)


@pytest.mark.parametrize("limit", ["0", "-1", "x", "9" * 40, "10001"])
def test_openai_refuses_a_limit(tenant, limit):
    answer = tenant.http.get(f"/v1/files?limit={limit}", headers={"authorization": f"Bearer {tenant.key}"})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "limit"


def test_a_tenants_files_are_bounded(tenant):
    big = b"x" * (18 * 2**20)
    with pytest.raises(openai.APIStatusError, match="at most 64 MB") as refusal:
        for _ in range(5):
            upload(tenant, big, purpose="user_data")
    assert refusal.value.status_code == 413
    assert len(tenant.openai.files.list().data) == 3
    tenant.lab("reset", {})
    assert tenant.openai.files.list().data == [] and upload(tenant, big, purpose="user_data").id


FORM = "multipart/form-data; boundary=XX"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--XX--"),
        (FORM, b""),
        (FORM, b"no boundary at all"),
        (FORM, b"--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--"),
        (FORM, b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\nnever ends'),
        (FORM, b"--XX\r\nno blank line\r\n--XX--"),
    ],
)
def test_a_malformed_form_is_refused(tenant, header, body):
    with pytest.raises(MalformedForm):
        read_form(header, body)
    headers = {"authorization": f"Bearer {tenant.key}", "content-type": header}
    answer = tenant.http.post("/v1/files", headers=headers, content=body)
    assert answer.status_code == 400 and "multipart" in answer.json()["error"]["message"]
