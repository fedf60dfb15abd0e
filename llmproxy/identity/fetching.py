"""Requests to a provider: without redirects, bounded in time and size, and answered by JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from .. import __version__
from ..core.causes import PHRASES, cause_of
from ..identityerrors import ProviderUnavailable

MOST_READ = 512 * 1024
"""Bytes of an answer; the keys of large providers are some kilobytes."""

LONGEST = 10.0
"""Seconds, from the name to the last byte."""


class Agent(Protocol):
    """What asks: L{llmproxy.upstream.client.PooledClient}, or treq's."""

    def request(self, method: str, url: str, **keywords: Any) -> Deferred[Any]: ...


class Fetcher:
    """
    @param agent: what asks.
    @param asked: called with what was asked for, whether there was an answer, and how long it took.
    """

    def __init__(self, clock: Any, agent: Agent, asked: Callable[[str, bool, float], object] = lambda *_: None) -> None:
        self._clock = clock
        self._agent = agent
        self._asked = asked

    async def document(self, url: str, token: str = "", endpoint: str = "metadata") -> Any:
        """
        What is there, as a value of JSON.

        @param token: an access token that opens it.
        @param endpoint: what counts call it.
        @raise ProviderUnavailable: nothing is, or nothing that can be read.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, value = await self._ask(endpoint, "GET", url, headers, None)
        if status != 200 or value is None:
            raise ProviderUnavailable(_words(url, f"answered {status}" if status != 200 else "sent no JSON"))
        return value

    async def form(self, url: str, values: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
        """
        Send a form; the status, and the answer as a value of JSON, C{None} where it is none.

        @raise ProviderUnavailable: there is no answer.
        """
        fields = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await self._ask("token", "POST", url, fields, urlencode(values).encode())

    async def _ask(
        self, endpoint: str, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Any]:
        since, is_good = self._clock.seconds(), False
        try:
            found = await self._answered(method, url, headers, body)
            # Of a form each refusal is an answer.
            is_good = found[0] < 500 if body is not None else found[0] == 200 and found[1] is not None
            return found
        finally:
            self._asked(endpoint, is_good, self._clock.seconds() - since)

    async def _answered(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
        fields = {"User-Agent": f"llmproxy/{__version__}", "Accept": "application/json", **headers}
        raw = {name: [value] for name, value in fields.items()}
        asking = Deferred.fromCoroutine(self._answer(method, url, raw, body))
        asking.addTimeout(LONGEST, self._clock)
        try:
            return await asking
        except (CancelledError, ProviderUnavailable):
            raise
        except DeferredTimeout:
            raise ProviderUnavailable(_words(url, f"did not answer within {LONGEST:.0f} s")) from None
        except Exception as error:
            # Texts of libraries may quote what was sent.
            cause = cause_of(error)
            why = type(error).__name__ if cause is None else PHRASES[cause]
            raise ProviderUnavailable(_words(url, f"gave no answer: {why}")) from None

    async def _answer(self, method: str, url: str, fields: Any, body: bytes | None) -> tuple[int, Any]:
        response = await self._agent.request(method, url, headers=fields, data=body)
        reading: Deferred[bytes] = Deferred(lambda _: collecting.stop())
        collecting = _Collecting(reading)
        response.deliverBody(collecting)
        content = await reading
        if len(content) > MOST_READ:
            raise ProviderUnavailable(_words(url, f"sent more than {MOST_READ} bytes"))
        try:
            return int(response.code), msgspec.json.decode(content)
        except (msgspec.DecodeError, RecursionError):
            return int(response.code), None


class _Collecting(TwistedProtocol):
    """A body in memory, one byte more than is taken at most."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done: Deferred[bytes] | None = done
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._data += data[: MOST_READ + 1 - len(self._data)]
        if len(self._data) > MOST_READ:
            self.stop()
            self._end(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(None if reason.check(ResponseDone) else reason)

    def stop(self) -> None:
        transport = self.transport
        stop: Callable[[], object] | None = getattr(transport, "abortConnection", None)
        stop = stop or getattr(transport, "loseConnection", None)
        if stop is not None:
            stop()

    def _end(self, reason: Failure | None) -> None:
        done, self._done = self._done, None
        if done is not None and not done.called:
            done.callback(bytes(self._data)) if reason is None else done.errback(reason)


def _words(url: str, what: str) -> str:
    return f"{url.partition('?')[0][:200]} {what}"
