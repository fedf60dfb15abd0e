"""Events of an HTTP/2 state machine, and its interface."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ...message import Fields


class RequestReceived(NamedTuple):
    """A well-formed head, with its pseudo-fields; C{ended}: nothing follows."""

    stream: int
    fields: Fields
    ended: bool


class InterimReceived(NamedTuple):
    """The head of an informational response."""

    stream: int
    status: int
    fields: Fields


class ResponseReceived(NamedTuple):
    """
    The well-formed head of a response.

    @ivar fields: without pseudo-fields.
    @ivar length: of the content, C{None} where it is not announced, 0 where there can be none.
    @ivar bodiless: there can be none, whatever C{Content-Length} says: RFC 9110 section 6.4.1.
    @ivar ended: nothing follows.
    """

    stream: int
    status: int
    fields: Fields
    length: int | None
    bodiless: bool
    ended: bool


class DataReceived(NamedTuple):
    """
    @ivar size: bytes of the windows that it takes, padding too; to be acknowledged.
    """

    stream: int
    content: bytes
    size: int
    ended: bool


class TrailersReceived(NamedTuple):
    """The end of a message."""

    stream: int
    fields: Fields


class StreamReset(NamedTuple):
    """
    A stream has ended before its time.

    @ivar by_peer: or else by us, for a fault of the peer's, which C{detail} names.
    """

    stream: int
    code: int
    detail: str
    by_peer: bool


class WindowOpened(NamedTuple):
    """More can be sent; C{stream} is 0 if that may be so for all."""

    stream: int


class ClientLeaving(NamedTuple):
    """The client will begin no more streams; those that there are go on: RFC 9113 section 6.8."""

    code: int


class ServerLeaving(NamedTuple):
    """
    The server takes no more streams. Those that it has not looked at were reset before this; the others go on.
    """

    code: int


class StreamsAllowed(NamedTuple):
    """How many streams the server takes at once."""

    most: int


class ConnectionFailed(NamedTuple):
    """The last event: what came makes no sense, or is too much of no use. The peer has been sent a GOAWAY."""

    code: int
    detail: str


Event = (
    RequestReceived
    | InterimReceived
    | ResponseReceived
    | DataReceived
    | TrailersReceived
    | StreamReset
    | WindowOpened
    | ClientLeaving
    | ServerLeaving
    | StreamsAllowed
    | ConnectionFailed
)


class StateMachine(Protocol):
    """
    The server's side of a connection, without its I/O: bytes and calls in, events and bytes out.

    The names are those of C{h2.connection.H2Connection}, but for the graceful shutdown, which that has not. What is
    sent on a stream that is no longer open goes nowhere: the client may end it at any time.
    """

    @property
    def within_a_section(self) -> bool:
        """The rest of a field section has to come, and nothing else may."""

    def initiate_connection(self) -> None:
        """Send our settings."""

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """
        What C{data} means. It never raises; after L{ConnectionFailed} there is nothing more.

        @param now: seconds of any clock; what is too much depends on the time.
        """

    def acknowledge_received_data(self, size: int, stream: int) -> None:
        """Let the client send so much more, in all and on the stream."""

    def send_headers(self, stream: int, fields: Fields, end_stream: bool = False) -> None:
        """Send a head, an interim one too, or trailers; names in lower case, C{:status} first."""

    def local_flow_control_window(self, stream: int) -> int:
        """How much can be sent in one call of L{send_data}; 0 if nothing can be."""

    def send_data(self, stream: int, data: bytes | memoryview, end_stream: bool = False) -> None:
        """Send so much content; an empty one always can be."""

    def reset_stream(self, stream: int, code: int) -> None:
        """End a stream before its time."""

    def begin_shutdown(self) -> None:
        """Ask the client to begin no more streams, RFC 9113 section 6.8; those that it does begin are taken."""

    def refuse_streams(self) -> None:
        """Tell the client which stream was the last one: later ones are refused, and nobody has looked at them."""

    def close_connection(self, code: int = 0) -> None:
        """Tell the client that we leave."""

    def data_to_send(self) -> bytes:
        """What is to be written now."""
