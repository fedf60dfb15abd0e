"""The limits of what one client may use of the server before it is refused."""

from __future__ import annotations

from attrs import frozen


@frozen
class Limits:
    """
    Sizes are bytes, times seconds. Each has its own status, and its own code in log and metrics.

    @ivar target: of the request target; 414. nginx and Apache allow 8 KiB.
    @ivar head: of the request line and the header section, and of a trailer section; 431. What browsers with full
        cookie jars and SDKs send stays below 32 KiB.
    @ivar fields: how many header fields; 431. Apache allows 100.
    @ivar body: of a request for a resource that does not take its body as a stream; 413.
    @ivar unread: of a body that is not wanted, what is still read to keep the connection.
    @ivar waiting: bytes that are read ahead while a request is answered, pipelined requests for example.
    @ivar head_time: from the first byte of a head to its last; 408.
    @ivar body_silence: between two pieces of a body that is wanted; 408.
    @ivar send_silence: in which a client takes nothing of an answer of which more waits for it; then the connection is
        reset, or over HTTP/2 the stream. nginx has 60 s for that.
    @ivar half_closed: in which there is nothing to send of an answer that has begun, to a client that has closed its
        side of a plain connection; then it has left, and the connection is reset.
    @ivar idle: between two requests; longer than the 60 s of common load balancers, which should be the ones to close.
        A client that still takes the response before is not idle.
    @ivar closing: in which a client takes nothing of what was written before the close, or does not close although it
        has taken all; then the connection is reset.
    @ivar withheld: of all request bodies together that are held back until their parameters are checked, in each
        worker; 503. A project that has several of them may hold as much as is left free. C{None} is without limit.
    @ivar withheld_rate: bytes a second that must come of such a body, in each 10 s; 408.
    @ivar connections: in all, of all workers together; one more is answered with 503, and reset where even those are
        too many. The ports of management have as many of their own.
    @ivar connections_per_client: of one address; one more is reset before it is read, and noted with 503. C{None} is
        without limit: behind a load balancer all clients have the same.
    """

    target: int = 8 * 1024
    head: int = 64 * 1024
    fields: int = 200
    body: int = 1024 * 1024
    unread: int = 64 * 1024
    waiting: int = 64 * 1024
    head_time: float = 10.0
    body_silence: float = 30.0
    send_silence: float = 60.0
    half_closed: float = 0.5
    idle: float = 75.0
    closing: float = 5.0
    withheld: int | None = 64 * 1024 * 1024
    withheld_rate: int = 1024
    connections: int | None = 10_000
    connections_per_client: int | None = None
