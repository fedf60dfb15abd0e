"""The page at C{/} for a person with a browser: what this is, and where to go on; nothing of the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.resource import Resource

from ..core.notable import KEY_FIELDS

if TYPE_CHECKING:
    from twisted.web.server import Request

PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>llmproxy</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
body { color: #1c1c1c; background: #fff }
code, pre { font: 14px/1.5 ui-monospace, monospace; background: #f3f3f3; border-radius: 4px }
code { padding: .1em .3em } pre { padding: .8rem 1rem; overflow-x: auto }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #161616 } code, pre { background: #262626 } a { color: #8ab4f8 }
}
</style>
</head>
<body>
<h1>llmproxy</h1>
<p>This is a proxy for the APIs of language models. It works, and has no pages: programs talk to it as they talk to
their provider, with a token of this proxy in place of the provider's key.</p>
<h2>To use it</h2>
<p>Give your SDK this address as its base URL, and the token that you were given as its API key:</p>
<pre>from openai import OpenAI

client = OpenAI(base_url="<i>this address</i>/v1", api_key="sk-<i>your token</i>")</pre>
<p>No token? The operator of this proxy makes one with <code>llmproxy token create</code>.</p>
<h2>To run it</h2>
<p><a href="health">health</a> and <a href="ready">ready</a> say how it is.
<code>llmproxy --help</code> lists what an operator can do; <code>README.md</code> and
<code>docs/</code> of llmproxy explain the rest.</p>
</body>
</html>
"""

_NO_PAGES = b"It works, and has no pages: programs"
_PAGES = b'It works. To look at it, <a href="admin/">sign in</a>; programs'

WITH_PAGES = PAGE.replace(_NO_PAGES, _PAGES)
"""The same where the admin pages are at this address."""

_FIELDS = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Cache-Control", b"no-store"),
    (b"Vary", b"Accept, Authorization"),
    (
        b"Content-Security-Policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)


def is_navigation(request: Request) -> bool:
    """
    Whether a request is that of a person with a browser, not of a program: C{text/html} is named, and nothing that
    could be a token is there.
    """
    if request.method not in (b"GET", b"HEAD") or b"?" in request.uri or not request.uri.endswith(b"/"):
        return False
    accepts = request.getHeader(b"accept") or b""
    named = any(part.split(b";")[0].strip() == b"text/html" for part in accepts.lower().split(b","))
    return named and not any(request.getHeader(name) for name in KEY_FIELDS | {b"upgrade"})


class Welcome(Resource):
    """The page itself."""

    isLeaf = True

    def __init__(self, page: bytes = PAGE) -> None:
        super().__init__()
        self._page = page

    def render_GET(self, request: Request) -> bytes:
        for name, value in _FIELDS:
            request.setHeader(name, value)
        request.setHeader(b"Content-Length", b"%d" % len(self._page))
        return b"" if request.method == b"HEAD" else self._page
