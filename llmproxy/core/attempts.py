"""Attempts: whether a request that failed may be sent again."""

from __future__ import annotations

from ..errors import OutOfResources, UpstreamError
from .methods import SAFE


def may_repeat(error: UpstreamError | OutOfResources, method: bytes, *, can_replay: bool) -> bool:
    """
    Whether a request may be sent again after an attempt that ended with C{error}.

    What was not sent may be, whatever its method. What upstream may have acted on may be if it is safe, RFC 9110
    section 9.2.1. Section 9.2.2 would let PUT and DELETE be repeated too: but then a DELETE that was done is answered
    with 404.
    What upstream has begun to answer is never repeated.

    @param can_replay: the content can be sent from its beginning: it was not started, or all that has passed is here.
    """
    if not (error.retryable and can_replay):
        return False
    return error.progress == "unsent" or (error.progress == "sent" and method in SAFE)
