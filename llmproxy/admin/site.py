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
from .csrf import is_token, token_for
from .exchange import PageExchange
from .formats import Formats
from .problems import query_problem
from .reader import Reader, reader_of
from .rendering import Renderer
from .routing import RouteMap
from .signinwords import EMPTY, SIGN_IN, SIGN_OUT, local_path, why_not
from .signon import BACK, BACK_CHANNEL, BEGIN, ProviderPages, SignOnFailed
from .static import StaticFiles
from .unsent import Unsent, unpacked, unsent
from .visit import Route, Visit

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ..core.forwarded import TrustedProxies
    from .backend import Backend
    from .signon import SingleSignOn

_FLASH_SECONDS = 60
_READER_SECONDS = 400 * 86_400

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
            self._send_untrusted(exchange)
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
        return exchange.is_from_here() and is_token(exchange.secret, exchange.form.text("csrf"))

    def _send_untrusted(self, exchange: PageExchange) -> None:
        words, kept = "The form was not accepted.", kept_form(exchange)
        if not exchange.is_from_here():
            more = "It was not sent by a page of this address. Behind a proxy, that has to pass on Host."
            self._send_error(exchange, None, 403, words, more)
        elif kept is None:
            self._send_error(exchange, None, 403, words, "It is too old. Load the page anew, and send it again.")
        elif exchange.session:
            more = "It is older than your session. Look whether you still want it."
            self._send_error(exchange, None, 403, words, more, kept)
        else:
            self._to_sign_in(exchange, over=True)

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
        wanted = local_path(form.text("next") or exchange.query.get("next", ""))
        kept = unpacked(form.text("unsent"))
        context = {"next": wanted, "error": "", "keep": form.flag("keep"), "over": "over" in exchange.query}
        context |= {"unsent": kept, **self._providers()}
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
            if error.status not in (401, 429) and kept is None:
                self._refused(exchange, None, error)
                return
            if error.retry_after:
                exchange.fields.append((b"Retry-After", b"%d" % error.retry_after))
            page = Page("sign-in.html", {**context, "error": why_not(error, exchange.browser.client)}, error.status)
            self._send_page(exchange, None, page)
            return
        await self._end_former(exchange)
        exchange.set_cookie(SESSION, signed_in.secret, int(KEPT_LONGEST) if signed_in.kept else None)
        exchange.set_cookie(VISITOR, "", 0)
        if not exchange.has_reader:
            self._remember(exchange, reader_of(urlencode({"z": form.text("zone")}), exchange.text(b"accept-language")))
        if kept is not None and local_path(kept.path):
            exchange.session = exchange.secret = signed_in.secret
            words = "You are signed in again."
            self._send_page(exchange, None, Page("unsent.html", {**_said(200, words), "unsent": kept}))
            return
        exchange.redirect(exchange.base + (wanted or "/"))

    async def _by_provider(self, sign_on: ProviderPages, exchange: PageExchange) -> None:
        """To an identity provider, and back from it."""
        try:
            if exchange.path.startswith(BEGIN):
                await sign_on.begin(exchange, local_path(exchange.query.get("next", "")))
                return
            signed_in = await sign_on.finish(exchange)
        except SignOnFailed as failed:
            context = {"next": "", "error": failed.words, "keep": False, "over": False, "unsent": None}
            self._send_page(exchange, None, Page("sign-in.html", {**context, **self._providers()}, failed.status))
            return
        await self._end_former(exchange)
        exchange.set_cookie(SESSION, signed_in.secret, None)
        exchange.set_cookie(VISITOR, "", 0)
        exchange.redirect(exchange.base + (local_path(signed_in.next) or "/"))

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
        kept = kept_form(exchange)
        if kept is not None and kept.fits():
            # No redirect would take the form along.
            exchange.session = exchange.secret = ""
            context = {"next": "", "error": "", "keep": False, "over": over, "unsent": kept, **self._providers()}
            self._send_page(exchange, None, Page("sign-in.html", context, 403))
            return
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
        exchange.redirect(exchange.base + (local_path(form.text("next")) or "/"))

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
        if error.status == 400 and exchange.method != "POST" and exchange.query:
            context = {**_said(400, "This address cannot be shown.", query_problem(error)), "instead": exchange.path}
            self._send_page(exchange, who, Page("error.html", context, 400))
            return
        self._send_error(exchange, who, error.status, words, more, kept_form(exchange) if error.status >= 500 else None)

    def _failed(self, reason: Failure, exchange: PageExchange) -> None:
        if exchange.left:
            return
        error = reason.value
        if isinstance(error, ContentTooLarge | BadRequest):
            self._send_error(exchange, None, error.status, "The form was not accepted.", str(error))
            return
        self._log.failure("a page failed", reason)
        self._send_error(
            exchange, None, 500, "This page failed.", "The log of the proxy says why.", kept_form(exchange)
        )

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

    def _send_error(
        self,
        exchange: PageExchange,
        who: Who | None,
        status: int,
        words: str,
        more: str = "",
        kept: Unsent | None = None,
    ) -> None:
        """@param kept: the form that can be sent again."""
        context = {**_said(status, words, more), "unsent": kept, "instead": ""}
        self._send_page(exchange, who, Page("error.html" if kept is None else "unsent.html", context, status))

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


_SENTENCES = {
    404: "There is no such thing.",
    412: "Somebody else has changed this meanwhile.",
    502: "The proxy cannot be reached.",
    503: "The proxy cannot answer now.",
}


def kept_form(exchange: PageExchange) -> Unsent | None:
    """The form of a request that was not acted on; C{None} where there is none, or nothing that was filled in."""
    if exchange.method != "POST" or exchange.path == DISPLAY or not exchange.form.values:
        return None
    if not local_path(exchange.target):
        return None
    return unsent(exchange.target, exchange.form)


def _said(status: int, words: str, more: str = "") -> dict[str, Any]:
    return {"status": status, "phrase": reason_of(status).decode(), "words": words, "more": more}


async def _end_session(api: Api) -> None:
    who = await api.ask("GET", "/sessions", query={"of": "self"})
    current = next((each["id"] for each in who.value if each["is_current"]), None)
    if current is not None:
        await api.ask("DELETE", f"/sessions/{current}")
