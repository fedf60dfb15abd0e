"""Words of the sign-in: why it failed, and which page comes after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backend import ApiError

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
EMPTY = "Enter your management token, or the token of an admin."

_TOKENS = {
    "management token has expired": "This token has expired.",
    "management token has been revoked": "This token has been revoked.",
}


def why_not(error: ApiError, client: str) -> str:
    """
    Why nobody was signed in.

    @param client: the address that the browser comes from, as far as it is known.
    """
    if error.status == 429:
        wait = error.retry_after or 60
        span = f"{wait} seconds" if wait < 120 else f"{-(-wait // 60)} minutes"
        return f"Too many failed attempts from {client or 'this address'}. Try again in {span}."
    if error.status >= 500:
        return "The proxy cannot answer now. Try again."
    return _TOKENS.get(error.message, "This token is not known here. Check it and try again.")


def local_path(path: str) -> str:
    """A path of the pages to go on to, C{""} for anything else: nobody is sent to another site."""
    if not path.startswith("/") or path.startswith(("//", "/\\", SIGN_IN, SIGN_OUT)) or len(path) > 2000:
        return ""
    # A browser would go up by these, out of the pages.
    plain = path.partition("?")[0].lower().replace("%2e", ".")
    is_inside = not {".", ".."} & set(plain.split("/"))
    return path if is_inside and path.isprintable() and path.isascii() and "\\" not in path else ""
