"""Header fields of pages: what a browser may do with them."""

from __future__ import annotations

from ..message import Field

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Nothing of anybody else, nothing inline, no frames: what got into a page as text could do nothing."""

COMMON: tuple[Field, ...] = (
    (b"Content-Security-Policy", POLICY),
    (b"X-Content-Type-Options", b"nosniff"),
    # Not no-referrer: browsers send C{Origin: null} with forms of such a page.
    (b"Referrer-Policy", b"same-origin"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"X-Frame-Options", b"DENY"),
    (b"Permissions-Policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)

UNKEPT: tuple[Field, ...] = ((b"Cache-Control", b"no-store"), (b"Vary", b"Cookie, Accept-Language"))
"""No page stays on a disk, nor behind the back button of who has signed out."""
