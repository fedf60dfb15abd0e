"""Methods of HTTP, by what a server does for them."""

from __future__ import annotations

SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
"""RFC 9110 section 9.2.1; methods are compared with regard to case, section 9.1."""
