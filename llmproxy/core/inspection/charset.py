"""The one charset that bodies are read in, checked in slices."""

from __future__ import annotations

from codecs import utf_8_decode

from ...errors import BadRequest
from .steps import SLICE, Steps


def check_utf8(body: bytes) -> Steps[None]:
    """
    @raise BadRequest: C{body} is not UTF-8.
    """
    at = 0 if not body.isascii() else len(body)
    while at < len(body):
        try:
            at += utf_8_decode(body[at : at + SLICE], "strict", at + SLICE >= len(body))[1]
        except UnicodeDecodeError as error:
            raise BadRequest(f"the body is not UTF-8 (byte {at + error.start})") from None
        yield
