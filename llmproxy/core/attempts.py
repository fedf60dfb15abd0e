"""Attempts: whether a request that failed may be sent again, when, and how often."""

from __future__ import annotations

import math
from typing import Literal

from ..apisettings import RetrySettings
from ..errors import OutOfResources, UpstreamError
from ..message import Fields
from .backoff import delay
from .balancing import Draw
from .caching.dates import parse_date
from .fields import first
from .methods import SAFE

BASE, MOST = 0.25, 8.0
"""Seconds that the first and the last of many waits have at most: half of what the SDK of OpenAI waits."""

Obstacle = Literal["attempts", "answered", "body", "sent", "client_retries", "wait", "budget", "nowhere"]
"""
Why nothing is tried again: so many attempts were made; something of the answer has reached the client; the body cannot
be sent a second time; upstream may have acted on it; the client itself retries; the wait would be too long; too much of
the traffic are retries; there is no other place and this one says no.
"""


def may_repeat(
    error: UpstreamError | OutOfResources, method: bytes, *, can_replay: bool, elsewhere: bool = False
) -> bool:
    """
    Whether a request may be sent again after an attempt that ended with C{error}.

    What was not sent may be, whatever its method. What upstream may have acted on may be if it is safe, RFC 9110
    section 9.2.1. Section 9.2.2 would let PUT and DELETE be repeated too: but then a DELETE that was done is answered
    with 404.
    What upstream has begun to answer is never repeated.

    @param can_replay: the content can be sent from its beginning: it was not started, or all that has passed is here.
    @param elsewhere: it would go to another upstream, which may have a better certificate.
    """
    if not (can_replay and (error.retryable or (elsewhere and error.progress == "unsent"))):
        return False
    return error.progress == "unsent" or (error.progress == "sent" and method in SAFE)


def obstacle(
    failure: int | UpstreamError | OutOfResources,
    method: bytes,
    settings: RetrySettings,
    *,
    made: int,
    client_retries: int = 0,
    can_replay: bool = True,
    answered: bool = False,
    elsewhere: bool = True,
) -> Obstacle | None:
    """
    What forbids another attempt; C{None} if it may be made.

    @param failure: the status of an answer, one of C{settings.statuses}, or what happened instead of one.
    @param made: attempts until now.
    @param client_retries: how often the client has sent this request before: what upstream has had of it counts.
    @param answered: something of an answer, if only an interim response, has reached the client.
    """
    unsent = not isinstance(failure, int) and failure.progress == "unsent"
    if answered:
        return "answered"
    if made >= settings.attempts:
        return "attempts"
    if not unsent and made >= max(1, settings.attempts - client_retries):
        return "client_retries"
    if not can_replay:
        return "body"
    if not isinstance(failure, int) and not may_repeat(failure, method, can_replay=True, elsewhere=elsewhere):
        return "sent"
    return None


def wait_before(again: int, retry_after: float | None, draw: Draw, most: float, left: float | None) -> float | None:
    """
    Seconds before the same upstream is asked again: exponential with full jitter, and no less than it says.

    @param again: how often it has been asked already, from 1.
    @param most: seconds that a request may wait.
    @param left: seconds until the caller gives up; C{None} where that is not known.
    @return: C{None} if the wait would be too long.
    """
    seconds = draw() * delay(again, BASE, MOST)
    if retry_after is not None:
        seconds = max(seconds, retry_after)
    return None if seconds > most or (left is not None and seconds >= left) else seconds


def retry_after(fields: Fields, now: float) -> float | None:
    """
    Seconds that an answer asks to wait: C{retry-after-ms}, which the SDKs read first, or C{Retry-After}, RFC 9110
    section 10.2.3.

    @param now: seconds since the epoch.
    """
    milliseconds = _number(first(fields, b"retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = first(fields, b"retry-after")
    seconds = _number(text)
    if text is None or seconds is not None:
        return seconds
    date = parse_date(text, now)
    return None if date is None else max(0.0, date - now)


def forbids_retry(fields: Fields) -> bool:
    """Whether an answer says that upstream is not to be asked again: C{x-should-retry: false}, which the SDKs read."""
    return (first(fields, b"x-should-retry") or b"").strip().lower() == b"false"


def patience(fields: Fields) -> float | None:
    """
    Seconds that the caller waits for an answer, as the SDKs of OpenAI and Anthropic say it: C{x-stainless-read-timeout}
    (Python), C{x-stainless-timeout} (TypeScript, and Python's whole one).
    """
    said = (_number(first(fields, name)) for name in (b"x-stainless-read-timeout", b"x-stainless-timeout"))
    return min((seconds for seconds in said if seconds), default=None)


def client_retries(fields: Fields) -> int:
    """How often the caller's SDK has sent this request before: C{x-stainless-retry-count}."""
    return int(min(_number(first(fields, b"x-stainless-retry-count")) or 0, 1000))


def _number(text: bytes | None) -> float | None:
    """A decimal number that is none of C{nan}, C{inf}, C{-1}, C{1e9} and C{1_000}, which C{float} reads too."""
    text = (text or b"").strip()
    if not text.replace(b".", b"", 1).isdigit() or len(text) > 20:
        return None
    number = float(text)
    return number if math.isfinite(number) else None
