"""Tests for L{llmproxy.core.attempts}."""

from __future__ import annotations

from typing import Any, get_args

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import RetrySettings
from llmproxy.core.attempts import (
    Obstacle,
    client_retries,
    forbids_retry,
    may_repeat,
    obstacle,
    patience,
    retry_after,
    wait_before,
)
from llmproxy.core.breaker import EVIDENCE
from llmproxy.core.caching.dates import format_date
from llmproxy.errors import (
    OutOfResources,
    Progress,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)
from tests.tables import row

METHODS = (b"GET", b"POST", b"DELETE")
NONE, SAFE_ONLY, ALL = (), (b"GET",), METHODS


class RepeatTests(SynchronousTestCase):
    def repeated(self, error: UpstreamError | OutOfResources, can_replay: bool = True) -> tuple[bytes, ...]:
        return tuple(method for method in METHODS if may_repeat(error, method, can_replay=can_replay))

    def test_table(self) -> None:
        """Which methods are sent again after which failure."""
        for error, expected in (
            # Nothing was sent.
            (UpstreamUnreachable(cause="refused"), ALL),
            (UpstreamUnreachable(cause="closed"), ALL),
            (UpstreamTimeout("connect"), ALL),
            (OutOfResources("no_ports"), ALL),
            (UpstreamReset(progress="unsent"), ALL),
            # It may have been acted on.
            (UpstreamReset(), SAFE_ONLY),
            (UpstreamTimeout("response_header"), SAFE_ONLY),
            (UpstreamError(), SAFE_ONLY),
            # An answer had begun.
            (UpstreamReset(progress="answered"), NONE),
            (UpstreamReset(cause="cut_short", progress="answered"), NONE),
            # It would be the same again.
            (UpstreamTlsError(cause="certificate"), NONE),
            (UpstreamProtocolError(), NONE),
        ):
            self.assertEqual(self.repeated(error), expected, repr(error))
            self.assertEqual(self.repeated(error, can_replay=False), NONE, repr(error))

    def test_methods(self) -> None:
        """Methods are compared as they are written, and one that nobody knows is not safe."""
        for method in (b"PUT", b"PATCH", b"BREW", b"get"):
            self.assertFalse(may_repeat(UpstreamReset(), method, can_replay=True), method)
        for method in (b"HEAD", b"OPTIONS"):
            self.assertTrue(may_repeat(UpstreamReset(), method, can_replay=True), method)

    def test_evidence(self) -> None:
        """What the breaker counts against the connection is what sent nothing; each error says how far it had come."""
        for error in (
            UpstreamUnreachable(),
            UpstreamTlsError(),
            UpstreamTimeout("connect"),
            OutOfResources("no_memory"),
            UpstreamReset(),
            UpstreamProtocolError(),
            UpstreamTimeout("silence"),
        ):
            self.assertIn(error.progress, get_args(Progress))
            if EVIDENCE[error.cause] == "connection":
                self.assertEqual(error.progress, "unsent", repr(error))

    def test_elsewhere(self) -> None:
        """Another upstream may have a better certificate; what was sent stays sent."""
        for error, expected in (
            (UpstreamTlsError(cause="certificate"), True),
            (UpstreamProtocolError(), False),
            (UpstreamReset(), False),
        ):
            with row(error):
                self.assertEqual(may_repeat(error, b"POST", can_replay=True, elsewhere=True), expected)


class ObstacleTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Why nothing is tried again, of a POST with three attempts."""
        refused, reset = UpstreamUnreachable(cause="refused"), UpstreamReset()
        table: tuple[tuple[int | UpstreamError, dict[str, Any], Obstacle | None], ...] = (
            (503, {"made": 1}, None),
            (503, {"made": 2}, None),
            (503, {"made": 3}, "attempts"),
            (refused, {"made": 2}, None),
            (refused, {"made": 3}, "attempts"),
            (reset, {"made": 1}, "sent"),
            (reset, {"made": 1, "method": b"GET"}, None),
            (UpstreamTlsError(), {"made": 1}, None),
            (UpstreamTlsError(), {"made": 1, "elsewhere": False}, "sent"),
            (503, {"made": 1, "can_replay": False}, "body"),
            (503, {"made": 1, "answered": True}, "answered"),
            # What the client itself has sent before counts where upstream had it; one that was never sent does not.
            (503, {"made": 1, "client_retries": 1}, None),
            (503, {"made": 2, "client_retries": 1}, "client_retries"),
            (503, {"made": 1, "client_retries": 2}, "client_retries"),
            (503, {"made": 1, "client_retries": 9}, "client_retries"),
            (refused, {"made": 2, "client_retries": 9}, None),
        )
        for failure, values, expected in table:
            with row(failure, values):
                found = obstacle(failure, **{"method": b"POST", "settings": RetrySettings(3), **values})
                self.assertEqual(found, expected)


class WaitTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Full jitter below a limit that doubles; no less than upstream says, and never longer than somebody waits."""
        for again, said, draw, most, left, expected in (
            (1, None, 0.0, 10.0, None, 0.0),
            (1, None, 0.5, 10.0, None, 0.125),
            (3, None, 1.0, 10.0, None, 1.0),
            (60, None, 1.0, 10.0, None, 8.0),
            (1, 3.0, 1.0, 10.0, None, 3.0),
            (1, 0.1, 1.0, 10.0, None, 0.25),
            (1, 11.0, 1.0, 10.0, None, None),
            (1, 3.0, 1.0, 10.0, 2.0, None),
            (1, 3.0, 1.0, 10.0, 4.0, 3.0),
            (1, None, 1.0, 0.0, None, None),
        ):
            with row(again, said, draw, most, left):
                self.assertEqual(wait_before(again, said, lambda draw=draw: draw, most, left), expected)  # type: ignore[misc]

    def test_retry_after(self) -> None:
        """Seconds or a date; milliseconds stand above them, as for the SDKs; nonsense says nothing."""
        now = 1_800_000_000.0
        for fields, expected in (
            ([], None),
            ([(b"Retry-After", b"7")], 7.0),
            ([(b"Retry-After", b"1.5")], 1.5),
            ([(b"retry-after", format_date(now + 30))], 30.0),
            ([(b"Retry-After", format_date(now - 30))], 0.0),
            ([(b"Retry-After", b"7"), (b"retry-after-ms", b"250")], 0.25),
            ([(b"Retry-After", b"soon")], None),
            ([(b"Retry-After", b"-1")], None),
            ([(b"Retry-After", b"nan")], None),
            ([(b"Retry-After", b"1e9")], None),
            ([(b"Retry-After", b"9" * 5000)], None),
            ([(b"Retry-After", b"")], None),
        ):
            with row(fields):
                self.assertEqual(retry_after(fields, now), expected)

    def test_sdk(self) -> None:
        """How long the caller waits, and how often it has asked; no upstream has the last word of the other."""
        for fields, waits, retries in (
            ([], None, 0),
            ([(b"x-stainless-read-timeout", b"600.0"), (b"x-stainless-retry-count", b"2")], 600.0, 2),
            ([(b"X-Stainless-Timeout", b"60"), (b"x-stainless-read-timeout", b"600")], 60.0, 0),
            ([(b"x-stainless-timeout", b"NOT_GIVEN"), (b"x-stainless-retry-count", b"-3")], None, 0),
            ([(b"x-stainless-timeout", b"0"), (b"x-stainless-retry-count", b"1" * 19)], None, 1000),
        ):
            with row(fields):
                self.assertEqual((patience(fields), client_retries(fields)), (waits, retries))
        self.assertTrue(forbids_retry([(b"X-Should-Retry", b"False")]))
        self.assertFalse(forbids_retry([(b"X-Should-Retry", b"true")]))
