"""Gemini: uploaded files in a prompt."""

import pytest
from google import genai
from google.genai import errors
from PIL import Image as Pillow

from labkit import registry

GEMINI = next(m for m in registry.models("gemini", kind="chat") if m.vision).id
TEXT = "The meeting is on Tuesday."


@pytest.fixture
def notes(tenant, tmp_path):
    """A text of the tenant's own, uploaded."""
    (tmp_path / "notes.txt").write_text(TEXT)
    return tenant.genai.files.upload(file=tmp_path / "notes.txt")


def test_a_text_file_in_a_prompt_counts_as_its_text(tenant, notes):
    count = tenant.genai.models.count_tokens
    asked = [count(model=GEMINI, contents=[part, "When?"]).total_tokens for part in (notes, TEXT)]
    assert asked[0] == asked[1]
    answer = tenant.genai.models.generate_content(model=GEMINI, contents=[notes, "When?"])
    assert answer.text and answer.usage_metadata.prompt_token_count == asked[0]


def test_an_image_file_in_a_prompt_is_that_image(tenant, tmp_path):
    Pillow.new("RGB", (1000, 700)).save(tmp_path / "wide.png")
    image = tenant.genai.files.upload(file=tmp_path / "wide.png")
    count = tenant.genai.models.count_tokens
    counts = [count(model=GEMINI, contents=parts).total_tokens for parts in ([image, "What?"], ["What?"])]
    assert counts[0] - counts[1] == 516


def test_a_file_of_another_tenant_is_not_there(tenant, notes, lab_server):
    theirs = genai.Client(api_key=lab_server.key(), http_options={"base_url": lab_server.url})
    with pytest.raises(errors.ClientError, match="permission") as refusal:
        theirs.models.generate_content(model=GEMINI, contents=[notes, "When?"])
    assert refusal.value.code == 403


def test_a_kind_that_the_model_cannot_read_is_refused_by_name(tenant, tmp_path):
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7")
    paper = tenant.genai.files.upload(file=tmp_path / "paper.pdf")
    with pytest.raises(errors.ClientError, match="application/pdf"):
        tenant.genai.models.generate_content(model=GEMINI, contents=[paper, "What?"])
