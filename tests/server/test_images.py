"""Images are charged by size, in each provider's own shape."""

import base64
import io

import anthropic
import openai
import pytest
from google.genai import errors, types
from PIL import Image as Pillow

from labkit import registry

VISION = next(m for m in registry.models("openai", kind="chat") if m.vision and m.id.startswith("gpt-4o"))
CLAUDE = next(m for m in registry.models("anthropic") if m.vision)
GEMINI = next(m for m in registry.models("gemini", kind="chat") if m.vision)


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def data_url(raw: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(raw).decode()


def openai_usage(tenant, url, **detail):
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url, **detail}}]
    ask = [{"role": "user", "content": parts}]
    return tenant.openai.chat.completions.create(model=VISION.id, messages=ask).usage.prompt_tokens


def test_openai_counts_tiles(tenant):
    plain = tenant.chat("What is this?", model=VISION.id).usage.prompt_tokens
    assert openai_usage(tenant, data_url(png(1024, 1024))) - plain == 765
    assert openai_usage(tenant, data_url(png(1024, 1024)), detail="low") - plain == 85


def test_anthropic_counts_pixels(tenant):
    image = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png(750, 500)).decode()}
    ask = [{"role": "user", "content": [{"type": "image", "source": image}, {"type": "text", "text": "What is this?"}]}]
    counted = tenant.anthropic.messages.count_tokens(model=CLAUDE.id, messages=ask).input_tokens
    used = tenant.anthropic.messages.create(model=CLAUDE.id, max_tokens=60, messages=ask).usage.input_tokens
    plain = [{"role": "user", "content": "What is this?"}]
    assert counted == used == tenant.anthropic.messages.count_tokens(model=CLAUDE.id, messages=plain).input_tokens + 500


def test_gemini_counts_tiles_of_258(tenant):
    def tokens(*parts):
        return tenant.genai.models.count_tokens(model=GEMINI.id, contents=[*parts, "What is this?"]).total_tokens

    def image(width, height):
        return types.Part.from_bytes(data=png(width, height), mime_type="image/png")

    assert tokens(image(300, 200)) - tokens() == 258
    assert tokens(image(1000, 700)) - tokens() == 2 * 258


@pytest.mark.parametrize(
    "url", ["https://example.org/cat.png", "data:image/png;base64,!!!", data_url(b"no image at all")]
)
def test_openai_refuses_what_is_no_image(tenant, url):
    with pytest.raises(openai.BadRequestError) as refusal:
        openai_usage(tenant, url)
    assert refusal.value.code == "invalid_image_url"


def test_anthropic_refuses_a_wrong_media_type(tenant):
    image = {"type": "base64", "media_type": "image/bmp", "data": "AAAA"}
    ask = [{"role": "user", "content": [{"type": "image", "source": image}]}]
    with pytest.raises(anthropic.BadRequestError, match="image/bmp"):
        tenant.anthropic.messages.create(model=CLAUDE.id, max_tokens=60, messages=ask)


def test_a_model_without_vision_refuses(tenant):
    blind = next(m for m in registry.models("self-hosted") if not m.vision)
    ask = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data_url(png(9, 9))}}]}]
    with pytest.raises(openai.BadRequestError, match="image_url is not supported"):
        tenant.openai.chat.completions.create(model=blind.id, messages=ask)


def test_the_model_says_that_it_sees_nothing(tenant):
    parts = [
        {"type": "image_url", "image_url": {"url": data_url(png(640, 480))}},
        {"type": "text", "text": "What is in this image?"},
    ]
    ask = [{"role": "user", "content": parts}]
    text = (
        tenant.openai.chat.completions.create(model=VISION.id, messages=ask, temperature=0).choices[0].message.content
    )
    assert "640" in text and "480" in text


def test_gemini_refuses_broken_bytes(tenant):
    part = types.Part.from_bytes(data=b"no image", mime_type="image/png")
    with pytest.raises(errors.ClientError, match="Unable to process input image"):
        tenant.genai.models.generate_content(model=GEMINI.id, contents=[part])
