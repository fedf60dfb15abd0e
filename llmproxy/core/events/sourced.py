"""An event as a bus has it, with what it needs to be acknowledged."""

from __future__ import annotations

from attrs import frozen

from .event import Event


@frozen
class Sourced:
    """
    @ivar id: what the bus knows it by.
    @ivar event: C{None} if it cannot be read.
    @ivar data: as it came.
    @ivar deliveries: how often it was given to a consumer, this time included.
    """

    id: str
    event: Event | None
    data: bytes
    deliveries: int = 1
