"""Records: what is remembered of each exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from attrs import define, field, frozen

if TYPE_CHECKING:
    from decimal import Decimal

    from .usage import Usage

Ending = Literal["complete", "refused", "client_left", "upstream_failed", "timeout", "revoked", "shutdown", "failed"]
"""
How an exchange ended: C{complete} relayed to its end; C{refused} by the proxy itself;
C{client_left}, the client closed first; C{upstream_failed}, the upstream refused, reset or broke the
protocol; C{timeout}, one of our own deadlines passed; C{revoked}, the token or its project was
revoked mid-stream; C{shutdown}, cut by the end of the drain; C{failed}, a fault of our own.
"""


Cause = Literal[
    "name_not_found",
    "name_server",
    "refused",
    "unroutable",
    "unreachable",
    "proxy",
    "connect_timeout",
    "certificate_name",
    "certificate",
    "client_certificate",
    "tls",
    "closed",
    "reset",
    "cut_short",
    "protocol",
    "response_header_timeout",
    "silence_timeout",
    "request_timeout",
    "too_many_files",
    "no_ports",
    "no_memory",
    "upstream",
]
"""
Why upstream gave no answer, or no whole one; what each means stands in L{llmproxy.core.causes}. C{too_many_files},
C{no_ports} and C{no_memory} are this machine's, all others upstream's or the network's.
"""


@frozen
class Attribution:
    """
    For whom and for what a program asked, as it says itself: nothing of it is believed, nothing is decided by it.

    @ivar user: a person or customer of the program; C{""} for none.
    @ivar session: what belongs together, a conversation or the session of a coding agent; likewise.
    @ivar program: the name of the program, without its version; likewise.
    @ivar tags: by name, as C{X-LLMProxy-Tags} gives them.
    @ivar metadata: by name, as the request's own C{metadata} gives them.
    """

    user: str = ""
    session: str = ""
    program: str = ""
    tags: Mapping[str, str] = field(factory=dict)
    metadata: Mapping[str, str] = field(factory=dict)


class Captured(Protocol):
    """What was said in an exchange, as bytes, where it is kept for events."""

    @property
    def size(self) -> int:
        """Bytes that are held."""

    @property
    def weight(self) -> int:
        """Bytes that the content takes in memory, about, once it was asked for; 0 if they are to be counted."""

    def content(self) -> object:
        """
        It decoded, merged and redacted: a C{Content}. It takes its time, on a thread, and is
        called once, when the exchange has ended.
        """


class Held(Protocol):
    """What an exchange has reserved of limits."""

    def end(self, record: Record) -> None:
        """The exchange has ended; its record says what it has used."""


@frozen
class Trace:
    """
    The trace that an exchange belongs to, in the terms of W3C Trace Context.

    @ivar trace_id: 32 hexadecimal digits.
    @ivar parent_id: the caller's span, 16 of them; C{""} where the trace begins here.
    @ivar flags: as C{traceparent} has them; the lowest bit is C{sampled}.
    @ivar state: the caller's C{tracestate}; C{""} for none.
    @ivar span_id: of the span of the exchange, likewise 16; C{""} where none is made.
    """

    trace_id: str
    parent_id: str = ""
    flags: int = 1
    state: str = ""
    span_id: str = ""

    @property
    def sampled(self) -> bool:
        """Whether its spans are kept."""
        return self.flags & 1 == 1


@define(eq=False, slots=True)
class Call:
    """
    One attempt at an exchange: an upstream that was asked, and how that ended. Times are seconds since the epoch.

    @ivar trace: that it belongs to; its C{span_id} is the parent of this one.
    @ivar span_id: of the span of the call.
    @ivar upstream: its name.
    @ivar address: the host of the upstream, a name or an address; C{port} belongs to it.
    @ivar provider: whose the upstream is, as in L{Record}.
    @ivar model: what it was asked for, where that is not what the caller asked for; else C{""}.
    @ivar head: when the head of its answer had come; C{None} if it never did.
    @ivar ended: when its answer had come whole, or was given up; C{None} before.
    @ivar status: of its answer; 0 for none.
    @ivar cause: why there is none, or no whole one: a L{Cause}, C{cancelled}, or the C{code} of an error; else C{""}.
    @ivar request_id: the id that upstream gave the request.
    """

    trace: Trace
    span_id: str
    api: str
    upstream: str
    address: str
    port: int
    provider: str
    model: str
    began: float
    head: float | None = None
    ended: float | None = None
    status: int = 0
    cause: str = ""
    request_id: str = ""


FIELDS: Final = tuple(
    "request_id method path client started_at user_agent api endpoint project_id token_id status error_code cause"
    " bytes_in bytes_out duration first_byte upstream_first_byte upstream_status upstream_request_id attempts"
    " cache streamed ended model usage truncated first_token streamed_for upstream served estimated saved cost"
    " cost_saved attribution counted provider book priced entry_id part_of answer_id claimed sealed captured"
    " scheme version response_id trace calls details person_id held".split()
)
"""Of a record, in the order in which one is made."""


class Record:
    """
    What is remembered of one exchange: the log line, the metrics and the events are made of it.

    Layers fill in what they learn; C{account} publishes it once, when the exchange has ended.
    Durations are seconds of the monotonic clock, sizes bytes of content without framing.
    It never holds a secret, a query string or a body.

    @ivar started_at: seconds since the epoch.
    @ivar error_code: the C{code} of the error that the client got, or C{""}.
    @ivar cause: why upstream gave no answer or no whole one, a L{Cause}, or C{""}.
    @ivar first_byte: from the start until the response head was handed to the client.
    @ivar upstream_first_byte: from the start until upstream's response head had come.
    @ivar attempts: how often the request was sent to upstream: 2 where a kept connection broke and it went out again.
    @ivar upstream_request_id: the id that upstream gave the request, as its support asks for it; C{""} for none.
    @ivar cache: the outcome of the cache as C{Cache-Status} names it, or C{""}.
    @ivar streamed: upstream answered with a stream of events, or of documents of a line each.
    @ivar model: what was asked for, where that was read.
    @ivar usage: what was counted; C{None} where nothing was looked for.
    @ivar truncated: the answer was cut before its last event, so that C{usage} is what was seen until then.
    @ivar first_token: from when the request went on to upstream until the first content of a stream of events.
    @ivar streamed_for: from then until the last of that stream.
    @ivar upstream: the name of the place that answered, or that was asked last; C{""} where none was asked.
    @ivar served: the model that upstream was asked for, or named, where the caller calls it by an alias; else C{""}.
    @ivar estimated: a part of C{usage} is our own estimate, because upstream did not say it.
    @ivar saved: what the answer had used when it came, where it is from the cache now.
    @ivar cost: USD; C{None} where no price is known, or what was used is not known.
    @ivar cost_saved: USD that an answer from the cache did not cost again, likewise.
    @ivar attribution: for whom and for what it was asked, as the program says; C{None} where it says nothing.
    @ivar counted: it used up one of the requests of its token, as C{request_count} counts them.
    @ivar provider: whose the upstream is, a name of L{llmproxy.providers.registry}; C{""} if that is not known.
    @ivar book: the version of the prices that C{cost} is made with.
    @ivar priced: the usage that C{cost} was found for.
    @ivar person_id: whose token it was, where somebody got it by signing in; else C{""}.
    @ivar entry_id: the id under which the ledger has it; C{""} where it has not.
    @ivar part_of: the exchange that this call to upstream is made for: what it uses up is counted there.
    @ivar answer_id: the provider's id of an answer that can be fetched later and again, where it is known.
    @ivar claimed: what such an answer says that another process may have asked for: the database knows whether it
        counts.
    @ivar sealed: its exchange has ended and nothing of what was said in it changes any more.
    @ivar captured: what was said in it, where it is kept for events.
    @ivar scheme: C{http} or C{https}, as the request came; C{version} is that of HTTP. Both only where it is traced.
    @ivar response_id: the id that the provider gave its answer, where that was read and calls are traced.
    @ivar trace: that the exchange belongs to; C{None} where the client names none and nothing is traced.
    @ivar calls: the upstreams that were asked, in their order, where calls are traced; else C{None}.
    @ivar details: what later layers add, by name.
    @ivar held: what it has reserved of limits that is settled when it has ended; C{None} for nothing.
    """

    __slots__ = FIELDS

    def __init__(
        self,
        request_id: str,
        method: str,
        path: str,
        client: str,
        started_at: float,
        user_agent: str = "",
        api: str = "",
        endpoint: str = "",
        project_id: str = "",
        token_id: str = "",
        status: int = 0,
        error_code: str = "",
        cause: Cause | Literal[""] = "",
        bytes_in: int = 0,
        bytes_out: int = 0,
        duration: float = 0.0,
        first_byte: float | None = None,
        upstream_first_byte: float | None = None,
        upstream_status: int = 0,
        upstream_request_id: str = "",
        attempts: int = 0,
        cache: str = "",
        streamed: bool = False,
        ended: Ending = "failed",
        model: str = "",
        usage: Usage | None = None,
        truncated: bool = False,
        first_token: float | None = None,
        streamed_for: float | None = None,
        upstream: str = "",
        served: str = "",
        estimated: bool = False,
        saved: Usage | None = None,
        cost: Decimal | None = None,
        cost_saved: Decimal | None = None,
        attribution: Attribution | None = None,
        counted: bool = False,
        provider: str = "",
        book: str = "",
        priced: Usage | None = None,
        entry_id: str = "",
        part_of: Record | None = None,
        answer_id: str = "",
        claimed: Usage | None = None,
        sealed: bool = False,
        captured: Captured | None = None,
        scheme: str = "",
        version: str = "",
        response_id: str = "",
        trace: Trace | None = None,
        calls: list[Call] | None = None,
        details: dict[str, Any] | None = None,
        person_id: str = "",
        held: Held | None = None,
    ) -> None:
        self.request_id = request_id
        self.method = method
        self.path = path
        self.client = client
        self.started_at = started_at
        self.user_agent = user_agent
        self.api = api
        self.endpoint = endpoint
        self.project_id = project_id
        self.token_id = token_id
        self.status = status
        self.error_code = error_code
        self.cause = cause
        self.bytes_in = bytes_in
        self.bytes_out = bytes_out
        self.duration = duration
        self.first_byte = first_byte
        self.upstream_first_byte = upstream_first_byte
        self.upstream_status = upstream_status
        self.upstream_request_id = upstream_request_id
        self.attempts = attempts
        self.cache = cache
        self.streamed = streamed
        self.ended = ended
        self.model = model
        self.usage = usage
        self.truncated = truncated
        self.first_token = first_token
        self.streamed_for = streamed_for
        self.upstream = upstream
        self.served = served
        self.estimated = estimated
        self.saved = saved
        self.cost = cost
        self.cost_saved = cost_saved
        self.attribution = attribution
        self.counted = counted
        self.provider = provider
        self.book = book
        self.priced = priced
        self.entry_id = entry_id
        self.part_of = part_of
        self.answer_id = answer_id
        self.claimed = claimed
        self.sealed = sealed
        self.captured = captured
        self.scheme = scheme
        self.version = version
        self.response_id = response_id
        self.trace = trace
        self.calls = calls
        self.details = details
        self.person_id = person_id
        self.held = held

    def __copy__(self) -> Record:
        made = Record(self.request_id, self.method, self.path, self.client, self.started_at)
        for name in FIELDS:
            setattr(made, name, getattr(self, name))
        return made


TEXTS: Final = tuple(
    "request_id method path client user_agent api endpoint project_id token_id error_code upstream_request_id cache"
    " model upstream served provider book entry_id answer_id scheme version response_id person_id".split()
)
"""The fields of a record that are texts of any kind: L{llmproxy.core.masking} looks into them."""
