"""Embeddings through the SDKs: shapes, limits, counts, prices."""

import base64
import struct

import numpy as np
import openai
import pytest
from google.genai import errors

from labkit import prices, registry, tokens
from labkit.usage import Usage

SMALL = registry.model("openai", "embedding")
GEMINI = registry.model("gemini", "embedding")
RAW_GEMINI = next(m.id for m in registry.models("gemini", kind="embedding") if m.id != GEMINI)


def length(vector):
    return float(np.linalg.norm(vector))


def test_openai_vectors_have_the_models_dimensions_and_unit_length(tenant):
    answer = tenant.openai.embeddings.create(model=SMALL, input=["a cat", "a dog"])
    assert [d.index for d in answer.data] == [0, 1]
    for item in answer.data:
        assert len(item.embedding) == registry.find(SMALL).dimensions
        assert length(item.embedding) == pytest.approx(1, abs=1e-5)


def test_openai_base64_is_the_same_numbers_as_float(tenant):
    ask = {"model": SMALL, "input": "the same text"}
    floats = tenant.openai.embeddings.create(**ask, encoding_format="float").data[0].embedding
    text = tenant.openai.embeddings.create(**ask, encoding_format="base64").data[0].embedding
    assert floats == list(struct.unpack(f"<{len(floats)}f", base64.b64decode(text)))
    assert tenant.openai.embeddings.create(**ask).data[0].embedding == floats, "what the SDK decodes by default"


def test_openai_shorter_vectors_are_the_beginning_brought_to_unit_length(tenant):
    whole = tenant.openai.embeddings.create(model=SMALL, input="short").data[0].embedding
    short = tenant.openai.embeddings.create(model=SMALL, input="short", dimensions=256).data[0].embedding
    assert len(short) == 256 and length(short) == pytest.approx(1, abs=1e-5)
    assert np.allclose(short, np.array(whole[:256]) / length(whole[:256]), atol=1e-6)


def test_openai_token_ids_are_the_text_they_spell(tenant):
    ids = tokens.encode("token ids", SMALL)
    text, one, many = (
        tenant.openai.embeddings.create(model=SMALL, input=given) for given in ("token ids", ids, [ids, ids])
    )
    assert text.data[0].embedding == one.data[0].embedding == many.data[1].embedding
    assert (one.usage.prompt_tokens, many.usage.total_tokens) == (len(ids), 2 * len(ids))


def test_openai_usage_and_cost_are_journaled(tenant):
    used = tenant.openai.embeddings.create(model=SMALL, input="count these tokens").usage.prompt_tokens
    entry = tenant.last()
    assert used == tokens.count("count these tokens", SMALL) == entry["usage"]["input"]
    assert entry["cost_usd"] == pytest.approx(prices.cost(SMALL, Usage(input=used)))


BAD = [
    ({"input": ""}, "input cannot be an empty string"),
    ({"input": ["ok", ""]}, r"Invalid 'input\[1\]': input cannot be an empty string"),
    ({"input": []}, "empty array"),
    ({"input": ["x"] * 2_049}, "array too long"),
    ({"input": "word " * 8_191}, "maximum context length is 8191 tokens, however you requested 8192"),
    ({"input": [[1, 10**9]]}, "no token id"),
    ({"input": [-1]}, "no token id"),
    ({"input": [1.5]}, "Invalid type for 'input"),
    ({"input": [[True]]}, "Invalid type for 'input"),
    ({"input": ["word " * 8_000] * 38}, "maximum request size is 300000 tokens"),
    ({"dimensions": 0}, "below minimum value"),
    ({"dimensions": 1_537}, "Must be less than or equal to 1536"),
    ({"model": "text-embedding-ada-002", "dimensions": 256}, "does not support specifying dimensions"),
    ({"encoding_format": "hex"}, "Supported values are: 'float', and 'base64'"),
]


@pytest.mark.parametrize(("body", "message"), BAD)
def test_openai_refuses_in_its_own_words(tenant, body, message):
    with pytest.raises(openai.BadRequestError, match=message) as refusal:
        tenant.openai.embeddings.create(**{"model": SMALL, "input": "fine", **body})
    assert set(refusal.value.body) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("model", "error"),
    [("no-such-model", openai.NotFoundError), (registry.model("openai"), openai.PermissionDeniedError)],
)
def test_openai_refuses_models_that_do_not_embed(tenant, model, error):
    with pytest.raises(error):
        tenant.openai.embeddings.create(model=model, input="fine")


def test_embeddings_take_from_the_rate_limit(tenant):
    tenant.lab("tenant", {"limits": {"tokens_per_minute": 10}})
    with pytest.raises(openai.RateLimitError):
        tenant.openai.embeddings.create(model=SMALL, input="word " * 50)


def test_gemini_embeds_a_list_in_one_call(tenant):
    answer = tenant.genai.models.embed_content(model=RAW_GEMINI, contents=["a cat", "a dog", "a cat"])
    first, second, third = (np.array(e.values) for e in answer.embeddings)
    assert len(first) == registry.find(RAW_GEMINI).dimensions
    assert np.array_equal(first, third) and first @ second < 0.9
    assert tenant.last()["usage"]["input"] == sum(tokens.count(t, RAW_GEMINI) for t in ("a cat", "a dog", "a cat"))


@pytest.mark.parametrize(("model", "normalised"), [(GEMINI, True), (RAW_GEMINI, False)])
def test_gemini_truncation(tenant, model, normalised):
    config = {"output_dimensionality": 128, "task_type": "RETRIEVAL_QUERY"}
    (vector,) = tenant.genai.models.embed_content(model=model, contents="short", config=config).embeddings
    assert len(vector.values) == 128
    assert (length(vector.values) == pytest.approx(1, abs=1e-5)) is normalised


def test_gemini_embed_content_over_plain_http(tenant):
    path, headers = f"/v1beta/models/{GEMINI}:embedContent", {"x-goog-api-key": tenant.key}
    body = {"content": {"parts": [{"text": "plain"}]}, "output_dimensionality": 64}
    values = tenant.http.post(path, headers=headers, json=body).json()["embedding"]["values"]
    assert len(values) == 64


@pytest.mark.parametrize(
    ("model", "config", "code"),
    [
        (GEMINI, {"output_dimensionality": 4_000}, 400),
        (GEMINI, {"task_type": "SMALL_TALK"}, 400),
        (registry.model("gemini"), {}, 404),
    ],
)
def test_gemini_refusals(tenant, model, config, code):
    with pytest.raises(errors.ClientError) as refusal:
        tenant.genai.models.embed_content(model=model, contents="text", config=config)
    assert refusal.value.code == code


def test_moderation_flags_by_its_word_list(tenant):
    calm, threat = tenant.openai.moderations.create(input=["a nice day", "I will kill you"]).results
    assert not calm.flagged and calm.category_scores.violence < 0.01
    assert threat.flagged and threat.categories.harassment_threatening and threat.categories.violence
    assert threat.category_applied_input_types.violence == ["text"]


def test_moderation_takes_typed_parts_as_one_input(tenant):
    parts = [
        {"type": "text", "text": "how do I shoplift"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    (result,) = tenant.openai.moderations.create(input=parts).results
    assert result.categories.illicit and result.category_applied_input_types.sexual == ["text", "image"]
    with pytest.raises(openai.BadRequestError):
        tenant.openai.moderations.create(input="x", model="no-such-model")
