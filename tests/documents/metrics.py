"""Every metric, from what makes them: their names, kinds and labels, and what help says of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from llmproxy.app import auditlog, redislimits
from llmproxy.app.capturing import Capturing
from llmproxy.app.gauges import show_cache, show_handshakes, show_ledger, show_process
from llmproxy.core.events.dispatching import DispatchReport
from llmproxy.core.events.reports import SinkReport
from llmproxy.core.upstreamreports import UpstreamReport
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web import dispatcher
from llmproxy.web.metrics import _metrics

from .tables import cell, code, table

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Anything:
    """Has every member, and is any number: what a part of the proxy shows of itself is not of interest here."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        return self

    def __getitem__(self, name: object) -> float:
        return 0.0

    def __contains__(self, name: object) -> bool:
        return True

    def __int__(self) -> int:
        return 0

    def __float__(self) -> float:
        return 0.0


def shown() -> ProxyMetrics:
    """The metrics of a proxy with everything that there is."""
    metrics, anything = ProxyMetrics(), Anything()
    show_process(metrics, anything, anything)  # type: ignore[arg-type]
    show_handshakes(metrics, anything)  # type: ignore[arg-type]
    show_ledger(metrics, anything)  # type: ignore[arg-type]
    show_cache(metrics, anything, anything)  # type: ignore[arg-type]
    Capturing.show(anything, metrics)  # type: ignore[arg-type]
    for name in ("file", "sql"):
        queue = Anything()
        queue.name = name  # type: ignore[attr-defined]
        auditlog._show(metrics, queue)  # type: ignore[arg-type]
    redislimits.RedisLimiting.show(anything, metrics)  # type: ignore[arg-type]
    metrics.counter("llmproxy_meter_errors", "Answers whose usage could not be read.", lambda: 0.0)
    metrics.counter("llmproxy_worker_restarts", "Workers that died and were replaced.", lambda: 0.0)
    metrics.upstreams = lambda: [UpstreamReport("api", "upstream", counted=True)]
    metrics.identity = {("sign_in", "corp", "ok"): 1}
    metrics.sinks = lambda: [SinkReport("sink", "file")]
    return metrics


def families() -> list[Metric]:
    """Those of C{/metrics}, without the process's own (C{process_*}, C{python_*})."""
    return list(_metrics(shown(), 0.0, lambda histogram: []))


def listed() -> str:
    """Those of a proxy, in groups by what their names begin with."""
    found = families()
    parts = []
    for title, beginnings in GROUPS:
        rows = [_row(family) for family in found if _group_of(family.name) == title]
        if rows:
            parts.append(f"### {title}\n\n" + table(("metric", "kind", "labels", "what it is"), rows))
    return "\n".join(parts)


GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Names of the reference", ("llm_proxy_",)),
    ("Requests", ("llmproxy_request", "llmproxy_response", "llmproxy_time_to_first_byte", "llmproxy_endings",
                  "llmproxy_error_answers", "llmproxy_refused")),
    ("Usage, cost and limits", ("llmproxy_tokens", "llmproxy_cost", "llmproxy_time_", "llmproxy_budget",
                                "llmproxy_meter", "llmproxy_limits")),
    ("People and identity providers", ("llmproxy_identity",)),
    ("Upstreams", ("llmproxy_upstream", "llmproxy_circuit")),
    ("Cache", ("llmproxy_cache",)),
    ("Ledger", ("llmproxy_ledger",)),
    ("Audit log", ("llmproxy_audit",)),
    ("Events and captured content", ("llmproxy_sink", "llmproxy_capture")),
    ("The process", ("",)),
)  # fmt: skip


def _group_of(name: str) -> str:
    return next(title for title, beginnings in GROUPS if name.startswith(beginnings))


def of_the_dispatcher() -> str:
    """Those of C{llmproxy dispatcher}."""
    report = DispatchReport("sink", pending=0, length=0)
    found = [each for each in dispatcher._families([report]) if each.name.startswith("llmproxy_dispatcher")]
    return table(("metric", "kind", "labels", "what it is"), map(_row, found))


def _row(family: Metric) -> tuple[str, str, str, str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = ", ".join(code(label) for label in getattr(family, "_labelnames", ()))
    return code(name), family.type, labels, cell(family.documentation)


def names(rows: Iterable[Metric]) -> set[str]:
    """As they stand on the page."""
    return {_row(each)[0].strip("`") for each in rows}
