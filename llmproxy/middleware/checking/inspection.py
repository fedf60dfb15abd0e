"""Inspection of request bodies: how each kind of body is read to be checked, and what that may cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ...core.budget import Budget
from ...core.codings import Decoder
from ...core.fields import values, without
from ...core.inspection.contenttype import content_codings, media_type
from ...core.inspection.uploads import MultipartJudge
from ...core.requestbody import MULTIPART, check_kind, inspection
from ...errors import RequestBodyTimeout, TooMuchWithheld
from ...net.slices import Slices
from ...net.trimming import Trimming
from .frames import EXTENSIONS, judged_frames
from .guard import GuardedBody, Judge
from .pace import Pace
from .withholding import SLOW, PiecesBody, Withholding, body_of

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ...core.budget import Lease
    from ...core.inspection.contenttype import MediaType
    from ...core.inspection.endpointrules import Rules
    from ...core.inspection.steps import Steps
    from ...core.policy import Policy
    from ...interfaces import Responder
    from ...message import ApiRequest, ApiResponse
    from ...net.timers import TimerWheel

WITHHELD = 64 * 1024 * 1024
RATE = 1024.0

LARGE = 1024 * 1024
"""Bytes that are not joined and looked at in one turn: the one takes a millisecond for each, or more."""


class Inspection:
    """
    @param withheld: bytes that all bodies together may take that are held back; C{None} is no limit.
    @param rate: bytes a second that a body must come at which is held back.
    @ivar budget: what they take now, and took at most.
    """

    def __init__(
        self, clock: IReactorTime, wheel: TimerWheel, withheld: int | None = WITHHELD, rate: float = RATE
    ) -> None:
        self._wheel = wheel
        self._rate = rate
        self._slices = Slices(clock)
        self._trimming = Trimming(wheel)
        self.budget = Budget(withheld)

    def respond(self, policy: Policy, rules: Rules, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        """Check the body of C{request}, or what follows its upgrade, and pass it on as the same bytes."""
        if request.upgrade:
            return self._frames(policy, rules, request, inner)
        body = request.body
        if body is None or body.length == 0:
            return inner(request)
        kind = media_type(values(request.fields, b"content-type"))
        codings = content_codings(request.fields)
        if kind.essence == MULTIPART:
            return self._guard(policy, rules, request, kind, codings, inner)
        return self._withhold(policy, rules, request, kind, codings, inner)

    def read(
        self, limit: int, judge: Callable[[bytes], Steps[str]], request: ApiRequest, inner: Responder
    ) -> Deferred[ApiResponse]:
        """
        Hold the body of C{request} back until C{judge} has seen its content, and pass it on as the same bytes.

        @param limit: bytes; a longer body is refused.
        @param judge: answers with the model that it names; C{""} for none.
        """
        body: Any = request.body
        codings = content_codings(request.fields)
        decoder = Decoder(codings, limit) if codings else None
        return self._hold(body, limit, partial(_whole, decoder, judge), request, inner)

    # -- bodies that pass while they are judged

    def _guard(
        self,
        policy: Policy,
        rules: Rules,
        request: ApiRequest,
        kind: MediaType,
        codings: tuple[bytes, ...],
        inner: Responder,
    ) -> Deferred[ApiResponse]:
        body: Any = request.body
        lease = self._lease(request)

        def late() -> None:
            guarded.fail(RequestBodyTimeout(SLOW))

        # Only what is held of a line must come at the lowest rate, and only while upstream takes what is complete.
        pace = Pace(self._wheel, self._rate, lambda: guarded.taken if lease.size and not guarded.full else None, late)

        def room(size: int) -> None:
            _room(lease, size)
            pace.start()

        form = MultipartJudge(kind.boundary, request.route.path, rules, policy.whitelist, room)

        def ended() -> None:
            pace.end()
            lease.end()
            request.model = form.model

        judge = _DecodedJudge(Decoder(codings), form) if codings else form
        request.body = guarded = GuardedBody(body, judge, self._slices, ended)
        return inner(request)

    def _lease(self, request: ApiRequest) -> Lease:
        principal = request.principal_if_known
        return self.budget.lease("" if principal is None else principal.project.id)

    # -- bodies that are held back until they are judged

    def _withhold(
        self,
        policy: Policy,
        rules: Rules,
        request: ApiRequest,
        kind: MediaType,
        codings: tuple[bytes, ...],
        inner: Responder,
    ) -> Deferred[ApiResponse]:
        # What cannot be judged is refused before it is read.
        check_kind(kind)
        body: Any = request.body
        limit = policy.max_inspected_body
        decoder = Decoder(codings, limit) if codings else None
        judge = partial(_whole, decoder, lambda content: inspection(kind, content, rules.bodies))
        return self._hold(body, limit, judge, request, inner)

    def _hold(
        self,
        body: IBodyProducer,
        limit: int,
        judge: Callable[[Lease, list[bytes]], Steps[str]],
        request: ApiRequest,
        inner: Responder,
    ) -> Deferred[ApiResponse]:
        lease = self._lease(request)
        reading = Withholding(body, limit, lease, self._wheel, self._rate)
        return _Held(request, inner, self._slices, self._trimming, lease).respond(reading, partial(judge, lease))

    # -- what follows an upgrade

    def _frames(self, policy: Policy, rules: Rules, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        # Compressed frames could not be read; without the offer nobody compresses (RFC 7692 section 5).
        request.fields = without(request.fields, EXTENSIONS)
        limit = policy.max_inspected_body
        return inner(request).addCallback(
            judged_frames, request, rules, limit, self._slices, self._lease(request), self._wheel, self._rate
        )


class _Held:
    """A request whose body is held back: what it takes is given back when it can be asked for no more."""

    def __init__(self, request: ApiRequest, inner: Responder, slices: Slices, trimming: Trimming, lease: Lease) -> None:
        self._request = request
        self._inner = inner
        self._slices = slices
        self._trimming = trimming
        self._lease = lease

    def respond(self, reading: Withholding, judge: Callable[[list[bytes]], Steps[str]]) -> Deferred[ApiResponse]:
        def judged(pieces: list[bytes]) -> Deferred[list[bytes]]:
            return self._slices.run(judge(pieces)).addCallback(self._judged, pieces)

        return reading.read().addCallback(judged).addCallback(self._pass).addErrback(self._failed)

    def _judged(self, model: str, pieces: list[bytes]) -> list[bytes]:
        self._request.model = model
        return pieces

    def _pass(self, pieces: list[bytes]) -> Deferred[ApiResponse]:
        body = self._request.body = body_of(pieces)
        # A copy was made for the check, or all was joined; and nothing here holds the pieces from now on.
        self._trimming.freed(self._lease.size)
        pieces.clear()
        return self._inner(self._request).addBoth(self._answered, body)

    def _answered(self, result: Any, body: IBodyProducer) -> Any:
        # It was sent, and its answer has begun.
        if isinstance(body, PiecesBody):
            body.release(self._end)
        else:
            self._end()
        return result

    def _end(self) -> None:
        self._trimming.freed(self._lease.size)
        self._lease.end()

    def _failed(self, reason: Failure) -> Failure:
        self._end()
        return reason


def _whole(
    decoder: Decoder | None, judge: Callable[[bytes], Steps[str]], lease: Lease, pieces: list[bytes]
) -> Steps[str]:
    """Judge a body that is here; a copy of it exists only meanwhile, and only if it came in several pieces or coded."""
    if decoder is None:
        content = _joined(pieces)
        if len(content) > LARGE:
            yield
        return (yield from judge(content))
    decoded: list[bytes] = []
    size = 0
    try:
        for piece in _decoded(decoder, pieces):
            size += len(piece)
            _room(lease, len(piece))
            decoded.append(piece)
            yield
        content = _joined(decoded)
        yield
        return (yield from judge(content))
    finally:
        lease.give(size)


def _decoded(decoder: Decoder, pieces: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from decoder.feed(piece)
    decoder.end()


def _joined(pieces: list[bytes]) -> bytes:
    """All in one, which then takes the place of the pieces."""
    if len(pieces) > 1:
        pieces[:] = [b"".join(pieces)]
    return pieces[0] if pieces else b""


def _room(lease: Lease, size: int) -> None:
    if size < 0:
        lease.give(-size)
    elif not lease.take(size):
        raise TooMuchWithheld()


class _DecodedJudge:
    """Judges what comes out of a coding."""

    def __init__(self, decoder: Decoder, judge: Judge) -> None:
        self._decoder = decoder
        self._judge = judge

    def feed(self, data: bytes) -> Steps[None]:
        for piece in self._decoder.feed(data):
            yield from self._judge.feed(piece)

    def end(self) -> Steps[None]:
        self._decoder.end()
        yield from self._judge.end()
