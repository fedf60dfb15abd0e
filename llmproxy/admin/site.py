"""The resource of the pages: finds the view of a request, checks who asks, and writes what comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET

from ..core.cookies import FLASH, READER, SESSION, VISITOR, own
from ..core.reasons import reason_of
from ..core.sessions import KEPT_LONGEST
from ..errors import BadRequest, ContentTooLarge
from ..web.resources import StreamingResource
from . import pages
from .answers import Download, Events, Page, Redirect, ViewAnswer
from .backend import Api, ApiError, Who
from .csrf import is_from_here, is_token, token_for
from .exchange import PageExchange
from .formats import Formats
from .reader import Reader, reader_of
from .rendering import Renderer
from .routing import RouteMap
from .signon import BACK, BACK_CHANNEL, BEGIN, ProviderPages, SignOnFailed
from .static import StaticFiles
from .visit import Route, Visit

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ..core.forwarded import TrustedProxies
    from .backend import Backend
    from .signon import SingleSignOn

_FLASH_SECONDS = 60
_READER_SECONDS = 400 * 86_400

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
DISPLAY = "/display"


class AdminPages(StreamingResource):
    """
    @param backend: what the pages stand on.
    @param seconds: the time, since the epoch.
    @param trusted: the proxies in front that are believed.
    @param apis_at: where programs reach the APIs, by scheme and host of a browser's request; see
        L{llmproxy.admin.address.apis_address}.
    @param sign_on: identity providers that people sign in by; C{None} for none.
    @param is_elsewhere: these are not the pages of the proxy itself, and no provider leads back to them.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        backend: Backend,
        seconds: Callable[[], float],
        trusted: TrustedProxies | None = None,
        apis_at: Callable[[str, str], str] = lambda scheme, host: "",
        sign_on: SingleSignOn | None = None,
        is_elsewhere: bool = False,
    ) -> None:
        super().__init__()
        self._backend = backend
        self._seconds = seconds
        self._trusted = trusted
        self._apis_at = apis_at
        self._sign_on = None if sign_on is None else ProviderPages(sign_on)
        self._is_elsewhere = is_elsewhere
        self._static = StaticFiles()
        self._routes = RouteMap(pages.routes())
        self._renderers: dict[str, Renderer] = {}

    def render(self, request: Request) -> int:
        exchange = PageExchange(request, self._trusted)
        answering = Deferred.fromCoroutine(self._answer(exchange))
        answering.addErrback(self._failed, exchange)
        answering.addErrback(lambda reason: self._log.failure("a page could not be sent", reason))
        return NOT_DONE_YET

    async def _answer(self, exchange: PageExchange) -> None:
        if exchange.path.startswith("/static/"):
            self._send_static(exchange, exchange.path.removeprefix("/static/"))
        elif exchange.method not in ("GET", "HEAD", "POST"):
            exchange.fields.append((b"Allow", b"GET, HEAD, POST"))
            self._send_error(exchange, None, 405, "This page cannot be asked for so.")
        elif exchange.path == "":
            exchange.redirect(exchange.base + "/")
        else:
            if exchange.method == "POST":
                await exchange.take_form()
                if self._sign_on is not None and exchange.path.startswith(BACK_CHANNEL):
                    # No browser sends it: what it holds is signed by the provider.
                    await self._sign_on.ended(exchange)
                    return
            await self._page(exchange)

    async def _page(self, exchange: PageExchange) -> None:
        if exchange.method == "POST" and not self._is_trusted_form(exchange):
            self._send_error(
                exchange,
                None,
                403,
                "The form was not accepted.",
                "It is too old, or was not sent by a page of this address. Load the page anew, send it again. Behind "
                "a proxy, that has to pass on Host.",
            )
        elif exchange.path == SIGN_IN:
            await self._sign_in(exchange)
        elif self._sign_on is not None and exchange.method != "POST" and exchange.path.startswith((BEGIN, BACK)):
            await self._by_provider(self._sign_on, exchange)
        elif exchange.path == DISPLAY and exchange.method == "POST":
            self._set_display(exchange)
        elif not exchange.session:
            self._to_sign_in(exchange)
        else:
            await self._signed_in(exchange, self._backend.api(exchange.session, exchange.browser))

    def _is_trusted_form(self, exchange: PageExchange) -> bool:
        if not is_from_here(exchange.text(b"origin"), exchange.text(b"sec-fetch-site"), exchange.scheme, exchange.host):
            return False
        return is_token(exchange.secret, exchange.form.text("csrf"))

    async def _signed_in(self, exchange: PageExchange, api: Api) -> None:
        try:
            who = await api.who()
        except ApiError as error:
            self._refused(exchange, None, error)
            return
        try:
            if exchange.path == SIGN_OUT and exchange.method == "POST":
                await self._sign_out(exchange, api)
            else:
                await self._view(exchange, api, who)
        except ApiError as error:
            self._refused(exchange, who, error)
        finally:
            api.done()

    async def _view(self, exchange: PageExchange, api: Api, who: Who) -> None:
        match = self._routes.find(exchange.path)
        route = match.routes.get("GET" if exchange.method == "HEAD" else exchange.method)
        if route is None:
            self._send_error(exchange, who, 404, "There is no such page.")
            return
        if not who.may(route.needs):
            words = f"{who.name} is {who.role}, which is not enough for this page."
            self._send_error(exchange, who, 403, "Not allowed", words)
            return
        visit = Visit(
            exchange.method,
            exchange.path,
            match.names,
            exchange.query,
            exchange.form,
            api,
            who,
            exchange.reader,
            self._formats(exchange),
            self._seconds(),
            self._apis_at(exchange.scheme, exchange.host),
        )
        self._send(exchange, who, await route.view(visit), route)

    # -- signing in and out

    async def _sign_in(self, exchange: PageExchange) -> None:
        form = exchange.form
        wanted = _local(form.text("next") or exchange.query.get("next", ""))
        context = {"next": wanted, "error": "", "keep": form.flag("keep"), "over": "over" in exchange.query}
        context |= self._providers()
        if exchange.method != "POST":
            self._send_page(exchange, None, Page("sign-in.html", context))
            return
        token = form.text("token")
        if not token:
            self._send_page(exchange, None, Page("sign-in.html", {**context, "error": EMPTY}, 400))
            return
        try:
            signed_in = await self._backend.sign_in(token, form.flag("keep"), exchange.browser)
        except ApiError as error:
            if error.status not in (401, 429):
                self._refused(exchange, None, error)
                return
            if error.retry_after:
                exchange.fields.append((b"Retry-After", b"%d" % error.retry_after))
            page = Page("sign-in.html", {**context, "error": _why_not(error, exchange.browser.client)}, error.status)
            self._send_page(exchange, None, page)
            return
        await self._end_former(exchange)
        exchange.set_cookie(SESSION, signed_in.secret, int(KEPT_LONGEST) if signed_in.kept else None)
        exchange.set_cookie(VISITOR, "", 0)
        if not exchange.has_reader:
            self._remember(exchange, reader_of(urlencode({"z": form.text("zone")}), exchange.text(b"accept-language")))
        exchange.redirect(exchange.base + (wanted or "/"))

    async def _by_provider(self, sign_on: ProviderPages, exchange: PageExchange) -> None:
        """To an identity provider, and back from it."""
        try:
            if exchange.path.startswith(BEGIN):
                await sign_on.begin(exchange, _local(exchange.query.get("next", "")))
                return
            signed_in = await sign_on.finish(exchange)
        except SignOnFailed as failed:
            context = {"next": "", "error": failed.words, "keep": False, "over": False}
            self._send_page(exchange, None, Page("sign-in.html", {**context, **self._providers()}, failed.status))
            return
        await self._end_former(exchange)
        exchange.set_cookie(SESSION, signed_in.secret, None)
        exchange.set_cookie(VISITOR, "", 0)
        exchange.redirect(exchange.base + (_local(signed_in.next) or "/"))

    def _providers(self) -> dict[str, Any]:
        providers = [] if self._sign_on is None else self._sign_on.providers()
        return {"providers": providers, "is_elsewhere": self._is_elsewhere}

    async def _end_former(self, exchange: PageExchange) -> None:
        """A browser has one session: who signs in again has another secret from then on, and the former is no good."""
        if exchange.session:
            try:
                await _end_session(self._backend.api(exchange.session, exchange.browser))
            except ApiError:
                self._log.debug("the former session of a browser could not be ended")

    async def _sign_out(self, exchange: PageExchange, api: Api) -> None:
        elsewhere = None if self._sign_on is None else await self._sign_on.elsewhere(exchange)
        if exchange.form.flag("everywhere"):
            await api.ask("DELETE", "/sessions")
        else:
            await _end_session(api)
        exchange.set_cookie(SESSION, "", 0)
        exchange.fields.append((b"Clear-Site-Data", b'"cache"'))
        if elsewhere is None:
            exchange.redirect(exchange.base + SIGN_IN)
            return
        exchange.session = exchange.secret = ""
        self._send_page(exchange, None, Page("signed-out.html", {"elsewhere": elsewhere}))

    def _to_sign_in(self, exchange: PageExchange, over: bool = False) -> None:
        query = {"next": exchange.target} if exchange.method != "POST" and exchange.target != "/" else {}
        if over:
            query["over"] = "1"
        exchange.redirect(exchange.base + SIGN_IN + (f"?{urlencode(query)}" if query else ""))

    def _set_display(self, exchange: PageExchange) -> None:
        """How numbers, dates and colours are shown: of this browser, signed in or not."""
        form, now = exchange.form, exchange.reader
        locale = form.text("locale") if "locale" in form.values else now.locale if now.chosen else ""
        values = {"l": locale, "z": form.text("zone") or now.zone, "t": form.text("theme") or now.theme}
        accepted = exchange.text(b"accept-language")
        self._remember(exchange, reader_of(urlencode({name: each for name, each in values.items() if each}), accepted))
        exchange.redirect(exchange.base + (_local(form.text("next")) or "/"))

    def _remember(self, exchange: PageExchange, reader: Reader) -> None:
        exchange.set_cookie(READER, reader.cookie, _READER_SECONDS)

    # -- answers

    def _refused(self, exchange: PageExchange, who: Who | None, error: ApiError) -> None:
        if error.code == "session_over" or (error.status == 401 and who is None):
            exchange.set_cookie(SESSION, "", 0)
            self._to_sign_in(exchange, over=True)
            return
        if error.retry_after:
            exchange.fields.append((b"Retry-After", b"%d" % error.retry_after))
        words = _SENTENCES.get(error.status, error.message)
        more = error.description if words == error.message else str(error)
        self._send_error(exchange, who, error.status, words, more)

    def _failed(self, reason: Failure, exchange: PageExchange) -> None:
        if exchange.left:
            return
        error = reason.value
        if isinstance(error, ContentTooLarge | BadRequest):
            self._send_error(exchange, None, error.status, "The form was not accepted.", str(error))
            return
        self._log.failure("a page failed", reason)
        self._send_error(exchange, None, 500, "This page failed.", "The log of the proxy says why.")

    def _send(self, exchange: PageExchange, who: Who, answer: ViewAnswer, route: Route) -> None:
        if isinstance(answer, Redirect):
            if answer.flash:
                exchange.set_cookie(FLASH, quote(answer.flash[:500], safe=""), _FLASH_SECONDS)
            exchange.redirect(exchange.base + answer.path)
        elif isinstance(answer, Download | Events):
            streaming = exchange.stream(answer.streamed, is_file=isinstance(answer, Download))
            if streaming is not None:
                streaming.addErrback(lambda reason: self._log.failure("a file could not be sent", reason))
        else:
            self._send_page(exchange, who, answer)

    def _send_error(self, exchange: PageExchange, who: Who | None, status: int, words: str, more: str = "") -> None:
        context = {"status": status, "phrase": reason_of(status).decode(), "words": words, "more": more}
        self._send_page(exchange, who, Page("error.html", context, status))

    def _send_page(self, exchange: PageExchange, who: Who | None, page: Page) -> None:
        if not exchange.secret:
            exchange.begin_visit()
        flash = unquote(own(exchange.cookies, FLASH, exchange.secure)) if who is not None else ""
        if flash:
            exchange.set_cookie(FLASH, "", 0)
        forms = self._formats(exchange)
        common = {
            "who": who,
            "reader": exchange.reader,
            "path": exchange.path,
            "target": exchange.target,
            "csrf": token_for(exchange.secret, os.urandom(16)),
            "key": os.urandom(16).hex(),
            "flash": flash,
            "now": self._seconds(),
        }
        text = self._renderer(exchange.base).render(page.template, forms, {**common, **page.context})
        exchange.send(page.status, b"text/html; charset=utf-8", text.encode("utf-8", "replace"))

    def _send_static(self, exchange: PageExchange, name: str) -> None:
        found = self._static.get(name)
        if found is None:
            self._send_error(exchange, None, 404, "There is no such file.")
            return
        exchange.send_kept(found.kind.encode(), found.content, found.packed)

    def _renderer(self, base: str) -> Renderer:
        """For pages below C{base}: the resource may be put anywhere into the trees of several sites."""
        renderer = self._renderers.get(base)
        if renderer is None:
            renderer = self._renderers[base] = Renderer(base, self._static, pages.navigation())
        return renderer

    def _formats(self, exchange: PageExchange) -> Formats:
        return Formats(exchange.reader, self._seconds())


EMPTY = "Enter your management token, or the token of an admin."

_SENTENCES = {
    404: "There is no such thing.",
    412: "Somebody else has changed this meanwhile.",
    502: "The proxy cannot be reached.",
    503: "The proxy cannot answer now.",
}


async def _end_session(api: Api) -> None:
    who = await api.ask("GET", "/sessions", query={"of": "self"})
    current = next((each["id"] for each in who.value if each["is_current"]), None)
    if current is not None:
        await api.ask("DELETE", f"/sessions/{current}")


def _why_not(error: ApiError, client: str) -> str:
    if error.status == 429:
        wait = error.retry_after or 60
        span = f"{wait} seconds" if wait < 120 else f"{-(-wait // 60)} minutes"
        return f"Too many failed attempts from {client or 'this address'}. Try again in {span}."
    words = {
        "management token has expired": "This token has expired.",
        "management token has been revoked": "This token has been revoked.",
    }
    return words.get(error.message, "This token is not known here. Check it and try again.")


def _local(path: str) -> str:
    """A path of the pages to go on to, C{""} for anything else: nobody is sent to another site."""
    if not path.startswith("/") or path.startswith(("//", "/\\", SIGN_IN, SIGN_OUT)) or len(path) > 2000:
        return ""
    # A browser would go up by these, out of the pages.
    plain = path.partition("?")[0].lower().replace("%2e", ".")
    is_inside = not {".", ".."} & set(plain.split("/"))
    return path if is_inside and path.isprintable() and path.isascii() and "\\" not in path else ""
