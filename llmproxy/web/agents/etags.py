"""Conditions of requests: whether a client has what there is (RFC 9110 section 13.1.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.web.server import Request

_TAG = re.compile(rb'(?:W/)?("[^"]*")')


def is_known(request: Request, tag: bytes) -> bool:
    """Whether C{If-None-Match} names C{tag}; the comparison is weak, as section 8.8.3.2 has it for this field."""
    said = request.getHeader(b"if-none-match") or b""
    return said.strip() == b"*" or tag in _TAG.findall(said)
