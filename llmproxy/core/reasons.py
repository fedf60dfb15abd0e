"""Reason phrases of statuses, as IANA registers them: RFC 9110 section 15."""

from __future__ import annotations

from http import HTTPStatus

_RENAMED = {
    103: b"Early Hints",
    104: b"Upload Resumption Supported",
    413: b"Content Too Large",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    422: b"Unprocessable Content",
}
"""What older Pythons do not know, or call as RFC 7231 did."""

REASONS = {int(status): status.phrase.encode("ascii") for status in HTTPStatus} | _RENAMED
"""Twisted's own table lacks many, 429 among them."""


def reason_of(status: int) -> bytes:
    """The registered phrase; C{b""} where there is none, which RFC 9112 section 4 allows."""
    return REASONS.get(status, b"")
