"""Images in a prompt: their size, and what each provider charges for them in tokens.

The lab's model sees nothing of an image but its size, and its answers say so. The token counts follow the providers'
published rules:

    OpenAI      tiles of 512 px after fitting into 2048 x 2048 with the short side at 768: 85 and 170 a tile for the
                GPT-4o and 4.1 families, 70 and 140 for GPT-5; later families are taken to count as GPT-5 does
    Anthropic   width x height / 750, after fitting the long side into 1568 px
    Gemini      258 for an image of at most 384 x 384, else 258 for each tile of 768 px
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import re
from dataclasses import dataclass

import imagesize  # type: ignore[import-untyped]

from labkit.registry import Model

DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)
KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")


class BadImage(ValueError):
    """Not an image that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def alt(self) -> str:
        """What the lab's model reads in its place."""
        return f"(an image of {self.width} by {self.height} pixels)"


def read_data_url(url: str) -> Image:
    """An image in a `data:` URL. A web address is refused: the lab server fetches nothing."""
    match = DATA_URL.fullmatch(url)
    if match is None:
        raise BadImage(
            "expected a base64-encoded data URL with an image MIME type; the lab server fetches no web address"
        )
    return read_base64(match[1], match[2])


def read_base64(kind: str, data: str) -> Image:
    if kind not in KINDS:
        raise BadImage(f"unsupported image type {kind[:40]!r}: expected one of {', '.join(KINDS)}")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadImage("the image data is not valid base64") from None
    try:
        width, height = imagesize.get(io.BytesIO(raw))
    except ValueError:
        width = height = -1
    if width <= 0 or height <= 0:
        raise BadImage(f"the data is not a valid {kind.removeprefix('image/').upper()} image")
    return Image(int(width), int(height))


def openai_tokens(image: Image, model: Model, detail: str = "auto") -> int:
    """Tokens of an image by OpenAI's tile rule.

    >>> from labkit import registry
    >>> model = registry.find("gpt-4o")
    >>> openai_tokens(Image(1024, 1024), model), openai_tokens(Image(2048, 4096), model)
    (765, 1105)
    """
    base, tile = (85, 170) if model.id.startswith("gpt-4") else (70, 140)
    if detail == "low":
        return base
    width, height = _fit(image, 2048)
    scale = min(1.0, 768 / min(width, height))
    return base + tile * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


def anthropic_tokens(image: Image) -> int:
    """Tokens of an image at Anthropic.

    >>> anthropic_tokens(Image(750, 500))
    500
    """
    width, height = _fit(image, 1568)
    return math.ceil(width * height / 750)


def gemini_tokens(image: Image) -> int:
    """Tokens of an image at Google.

    >>> gemini_tokens(Image(300, 200)), gemini_tokens(Image(1000, 700))
    (258, 516)
    """
    if image.width <= 384 and image.height <= 384:
        return 258
    return 258 * math.ceil(image.width / 768) * math.ceil(image.height / 768)


def _fit(image: Image, longest: int) -> tuple[float, float]:
    scale = min(1.0, longest / max(image.width, image.height))
    return image.width * scale, image.height * scale
