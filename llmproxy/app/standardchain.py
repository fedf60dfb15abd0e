"""The chain that every request passes, and why it has this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..composition import Middleware, Placed, arranged, chain
from ..errors import ProxyError
from ..middleware.aliases import aliases_for
from ..middleware.allowing import Allowing
from ..middleware.attempts import Attempts
from ..middleware.authenticate import Authenticate
from ..middleware.breaker import Breaker
from ..middleware.caching.cache import Cache
from ..middleware.checking.inspection import Inspection
from ..middleware.cors import Cors
from ..middleware.credential import Credential
from ..middleware.deadline import Deadlines
from ..middleware.debug import DebugFields
from ..middleware.errorresponses import ErrorResponses
from ..middleware.estimate import Estimate
from ..middleware.filtermodels import filter_models_for
from ..middleware.includeusage import IncludeUsage
from ..middleware.limits import Limiting
from ..middleware.meter import Meter
from ..middleware.navigations import SandboxNavigations
from ..middleware.overload import Overloading
from ..middleware.quota import Limit
from ..middleware.recordexchanges import RecordExchanges
from ..middleware.restrict import Restrict
from ..middleware.route import RouteRequest
from ..middleware.strangers import Strangers
from ..middleware.tracing import JoinTrace, TraceCalls
from ..middleware.usagetrailer import UsageTrailer
from ..net.timers import TimerWheel
from ..usagelimits import UNLIMITED, UsageLimits

if TYPE_CHECKING:
    from ..core.routing import RoutingTable
    from ..core.telemetry.traces import Traces
    from ..core.upstreamstate import UpstreamStates
    from ..interfaces import ILedger, IQuota, Responder
    from ..message import ApiRequest
    from ..middleware.attribution import Attribute


NAMES = (
    "record",
    "trace",
    "navigations",
    "cors",
    "errors",
    "availability",
    "route",
    "debug",
    "usage_trailer",
    "strangers",
    "authenticate",
    "overload",
    "capture",
    "restrict",
    "attribution",
    "filter_models",
    "cache",
    "quota",
    "include_usage",
    "estimate",
    "meter",
    "attempts",
    "aliases",
    "credential",
    "breaker",
    "calls",
    "deadlines",
)
"""The places of the chain, outermost first; L{llmproxy.composition.before} and C{after} name them."""


def standard_chain(
    responder: Responder,
    *,
    account: RecordExchanges,
    table: RoutingTable,
    gate: Middleware,
    authenticate: Authenticate,
    quota: IQuota,
    breaker: Breaker,
    wheel: TimerWheel,
    inspection: Inspection,
    attribution: Attribute,
    cache: Cache | None = None,
    usage_trailer: UsageTrailer | None = None,
    include_usage: IncludeUsage | None = None,
    ledger: ILedger | None = None,
    estimate: Estimate | None = None,
    meter: Meter | None = None,
    limits: Limiting | None = None,
    overload: Overloading | None = None,
    capture: Middleware | None = None,
    strangers: Strangers | None = None,
    refused: Callable[[ProxyError, ApiRequest], None] | None = None,
    placed: Sequence[Placed] = (),
    states: UpstreamStates | None = None,
    defaults: UsageLimits = UNLIMITED,
    traces: Traces | None = None,
    beside_pages: bool = False,
) -> Responder:
    """
    The middlewares around C{responder}. The order is policy; each line says why it stands where it does.

    @param gate: decides whether anything is begun at all.
    @param inspection: of bodies, where parameters are restricted.
    @param usage_trailer: tells clients what was used; C{None} where no API has it so.
    @param include_usage: asks for the usage of streams; C{None} where no API has it so.
    @param ledger: notes what goes on to upstream; C{None} for nothing.
    @param attribution: notes for whom something is asked.
    @param estimate: fills in what answers do not say; C{None} where no API has it so.
    @param meter: counts what answers used; C{None} where no API has answers that can be read.
    @param limits: of usage; C{None} for none.
    @param strangers: limits of requests without a good token; C{None} for none.
    @param capture: keeps what is said, for events; C{None} where no API has it so, or nobody would get it.
    @param overload: how many exchanges there are at once; C{None} for any number.
    @param refused: called with every error that is answered.
    @param placed: middlewares of an application, beside named ones.
    @param states: of the upstreams; new ones if C{None}.
    @param beside_pages: whether a browser finds pages of ours at the same address.
    @param defaults: limits of tokens that say nothing themselves.
    @param traces: of exchanges; C{None} where nothing is traced.
    @raise ConfigError: they are placed where there is no place.
    """
    allowing = Allowing(defaults)
    restrict = Restrict(inspection, table.listed(), allowing)
    standard: dict[str, Middleware | None] = {
        # exactly one record an exchange, however it ends: it must see everything
        "record": account,
        # what is refused has its span, too
        "trace": None if traces is None else JoinTrace(traces),
        # whatever answers, also a fault: no API is a page beside ours
        "navigations": SandboxNavigations() if beside_pages else None,
        # error answers carry CORS fields too; a preflight costs nothing further in
        "cors": Cors(table) if any(api.policy.origins for api in table.apis) else None,
        # inside cors, outside all that fails: the one place where an error becomes an answer
        "errors": ErrorResponses(refused),
        # nothing is begun while stopping or before the database is open
        "availability": gate,
        # the API decides dialect, policy, credential and deadlines of all that follows
        "route": RouteRequest(table, authenticate.is_known),
        "debug": DebugFields() if any(api.debug_fields for api in table.apis) else None,
        # outside the cache, which stores answers without it
        "usage_trailer": usage_trailer,
        # counts whom authentication refuses
        "strangers": strangers,
        # nothing of a body is read, nothing is spent, before the caller is known
        "authenticate": authenticate,
        # shared out among projects, before a body is read or held
        "overload": overload,
        # outside of all that answers by itself, stored answers too; inside of who knows the caller
        "capture": capture,
        "restrict": restrict,
        # a caller who may ask is listened to; outside the cache, which must not know what a request is for
        "attribution": attribution,
        # outside the cache, which holds lists of models whole
        "filter_models": filter_models_for(table.apis, allowing),
        # after all that refuses, before all that costs: a hit calls nobody and uses up no quota
        "cache": cache,
        # a refused request uses up nothing
        "quota": Limit(quota, ledger, None if limits is None else limits.by_record()),
        # inside of what judges and stores what a client says, outside of what reads what upstream says
        "include_usage": include_usage,
        # right outside the meter: what that does not know
        "estimate": estimate,
        # inside the cache: what is stored was counted when it came; outside the attempts: one answer is read
        "meter": meter.near() if isinstance(meter, Meter) and not _changes_answers(placed) else meter,
        # the place of retries: what follows runs once for each upstream and key that are tried
        "attempts": Attempts(wheel, states, breaker, table=table, judge=restrict.respond),
        # each upstream has names of its own; further out everything knows the caller's
        "aliases": aliases_for(table.apis),
        # no credential of the client's gets further than this
        "credential": Credential(),
        # outside the deadlines: a timeout is a failure of upstream, not a cancellation
        "breaker": breaker,
        # a call that is not made has no span; a timeout is how it ended
        "calls": None if traces is None else TraceCalls(traces, wheel.now),
        # innermost: times what upstream does, not what we do
        "deadlines": Deadlines(wheel),
    }
    return chain(responder, *arranged(list(standard.items()), placed))


_AROUND_ANSWERS = frozenset({"attempts", "aliases", "credential", "breaker"})


def _changes_answers(placed: Sequence[Placed]) -> bool:
    """Whether something of an application stands between the meter and what times upstream."""
    between = {"meter": False, "deadlines": True}
    return any(each.name in _AROUND_ANSWERS or between.get(each.name) is each.outside for each in placed)
