"""`multipart/form-data` as RFC 7578 has it, whole in memory: the body is bounded before it gets here."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

MOST_PARTS = 100


class MalformedForm(ValueError):
    """The body is not the form that its header promises. The message says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form."""

    name: str
    content: bytes
    filename: str | None = None
    mime: str = "text/plain"

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


def read_form(content_type: str, body: bytes) -> list[Part]:
    """The fields of a form, in order.

    >>> body = b'--x\\r\\nContent-Disposition: form-data; name="purpose"\\r\\n\\r\\nbatch\\r\\n--x--\\r\\n'
    >>> read_form("multipart/form-data; boundary=x", body)[0].text
    'batch'

    Raises:
        MalformedForm: no form, no boundary, or a part without a name.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise MalformedForm("the content type is not multipart/form-data with a boundary")
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    # The first delimiter has no line before it; the last one is followed by "--".
    pieces = (b"\r\n" + body).split(delimiter, MOST_PARTS + 2)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise MalformedForm("the body does not end with its boundary")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank:
        raise MalformedForm("a part has no blank line after its headers")
    headers = HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip("\r\n"))
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise MalformedForm("a part has no name")
    return Part(name, content, headers.get_filename(), headers.get_content_type())
