"""What the database answers when it is asked for a lease."""

from __future__ import annotations

from attrs import frozen

from ..errors import ProxyError, RateLimitExceeded


@frozen
class Grant:
    """
    @ivar size: how many uses; 0 is none.
    @ivar refusal: what those who wait are told then.
    @ivar held_elsewhere: others hold uses that they may yet hand back.
    """

    size: int
    refusal: type[ProxyError] = RateLimitExceeded
    held_elsewhere: bool = False
