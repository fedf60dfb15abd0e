"""The alert rules of deploy/prometheus: each fires when it is to, keeps quiet when it is not, and has its runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from ..documents.metrics import families, of_the_dispatcher
from ..tables import row
from .made import DEPLOY, RULES

PROMTOOL = shutil.which("promtool")
PAGE = (DEPLOY.parent / "docs" / "monitoring.md").read_text("utf-8")

NAME = re.compile(r"\b(?:llmproxy|llm_proxy)_[a-z_]+\b")


def rules() -> list[dict[str, Any]]:
    """All rules of the file."""
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def known() -> set[str]:
    """Each name of a series that a proxy or a dispatcher shows."""
    found = set(re.findall(r"`(llmproxy_\w+)`", of_the_dispatcher()))
    for family in families():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if family.type == "histogram" else {name}
    return found


@frozen
class Case:
    """
    What fires an alert.

    @ivar series: and its values, a minute apart, as promtool writes them.
    @ivar labels: of the alert, beside its name and severity.
    @ivar summary: what it says.
    @ivar at: in how many minutes it has to fire.
    @ivar quiet: values of the same series with which it does not fire.
    """

    series: dict[str, str]
    labels: dict[str, str]
    summary: str
    at: int = 40
    quiet: str = "0x60"


AT = {"job": "llmproxy", "instance": "a:1"}
API = {"job": "llmproxy", "api": "openai"}
UP = {**API, "upstream": "eu"}


def s(name: str, **labels: str) -> str:
    """A series of a proxy."""
    whole = {"job": "llmproxy", "instance": "a:1", **labels}
    return f"{name}{{{', '.join(f'{each}={value!r}' for each, value in whole.items())}}}".replace("'", '"')


CASES: dict[str, Case] = {
    "LLMProxyDown": Case({s("up"): "1 0x60"}, AT, "a:1 of llmproxy cannot be scraped.", quiet="1x60"),
    "LLMProxyRestarts": Case(
        {s("llm_proxy_uptime_seconds"): "100 1 60 1 60 1 60x60"},
        AT,
        "a:1 started 3 times in half an hour.",
        at=10,
        quiet="1+60x60",
    ),
    "LLMProxyWorkersDie": Case(
        {s("llmproxy_worker_restarts_total"): "0+1x60"},
        AT,
        "Workers of a:1 died and were replaced: 30 in half an hour.",
    ),
    "LLMProxyServerErrors": Case(
        {
            s("llmproxy_requests_total", api="openai", status_class="5xx"): "0+10x60",
            s("llmproxy_requests_total", api="openai", status_class="2xx"): "0+90x60",
        },
        API,
        "10% of the answers of openai are errors of the proxy or of upstream.",
    ),
    "LLMProxySlow": Case(
        {
            s("llmproxy_time_to_first_byte_seconds_bucket", api="openai", le="16"): "0x60",
            s("llmproxy_time_to_first_byte_seconds_bucket", api="openai", le="32"): "0x60",
            s("llmproxy_time_to_first_byte_seconds_bucket", api="openai", le="+Inf"): "0+10x60",
        },
        API,
        "One answer of openai in 20 begins after 32s or later.",
        quiet="0+10x60",
    ),
    "LLMProxyEventLoopLate": Case(
        {s("llmproxy_reactor_lag_seconds"): "0 2x60"},
        AT,
        "The event loop of a:1 is late by 2s: all of its streams stand still for as long.",
        quiet="0.2x60",
    ),
    "LLMProxyRefusesConnections": Case(
        {s("llmproxy_refused_total", reason="too_many_connections"): "0+300x60"},
        {"job": "llmproxy", "reason": "too_many_connections"},
        "5 connections or requests a second are refused before they are read: too_many_connections.",
        quiet="0+6x60",
    ),
    "LLMProxyFewDescriptors": Case(
        {s("process_open_fds"): "90x60", s("process_max_fds"): "100x60"},
        AT,
        "a:1 has 90% of the files open that it may have.",
        quiet="50x60",
    ),
    "LLMProxyUpstreamFails": Case(
        {
            s("llmproxy_upstream_failures_total", api="openai", cause="refused"): "0+30x60",
            s("llmproxy_upstream_requests_total", api="openai"): "0+100x60",
        },
        API,
        "30% of what openai sends to upstream gets no whole answer.",
        quiet="0+1x60",
    ),
    "LLMProxyCircuitOpen": Case(
        {s("llmproxy_circuits", api="openai", state="open"): "0 2x60"},
        API,
        "openai is not asked for now: its circuit is open in 2 processes.",
    ),
    "LLMProxyUpstreamLeftOut": Case(
        {
            s("llmproxy_upstream_ejected", api="openai", upstream="eu"): "0 1x60",
            s("llmproxy_upstream_unwell", api="openai", upstream="eu"): "0x61",
        },
        UP,
        "eu of openai has been left out for ten minutes.",
    ),
    "LLMProxyUpstreamDrained": Case(
        {s("llmproxy_upstream_drained", api="openai", upstream="eu"): "1x800"},
        UP,
        "eu of openai has been drained for half a day.",
        at=750,
    ),
    "LLMProxyKeysAside": Case(
        {s("llmproxy_upstream_keys_aside", api="openai", upstream="eu"): "0 3x60"},
        UP,
        "3 keys of eu of openai are set aside.",
    ),
    "LLMProxyIdentityFails": Case(
        {s("llmproxy_identity_request_seconds_count", provider="corp", endpoint="keys", outcome="failed"): "0+1x60"},
        {"job": "llmproxy", "provider": "corp"},
        "The identity provider corp does not answer: 15 requests in a quarter of an hour.",
    ),
    "LLMProxyRefreshTokensReused": Case(
        {s("llmproxy_identity_refreshes_total", provider="", outcome="reuse"): "0+1x90"},
        {"job": "llmproxy"},
        "Refresh tokens were shown a second time: 60 in an hour.",
        at=75,
    ),
    "LLMProxyLedgerLost": Case(
        {s("llmproxy_ledger_lost_total"): "0x39 15x20"},
        AT,
        "a:1 has lost the records of 15 exchanges: they are in no bill and no budget.",
    ),
    "LLMProxyLedgerBehind": Case(
        {s("llmproxy_ledger_oldest_seconds"): "1 150x60"},
        AT,
        "Records of a:1 have been waiting for the database for 2m 30s.",
        quiet="3x60",
    ),
    "LLMProxyLedgerDisk": Case(
        {s("llmproxy_ledger_fsync_failures_total"): "0+1x60"}, AT, "The disk of a:1 does not take the ledger."
    ),
    "LLMProxyLedgerInMemory": Case(
        {s("llmproxy_ledger_in_memory"): "2x60"}, AT, "What a:1 notes of exchanges ends with its process."
    ),
    "LLMProxyUsageUnread": Case(
        {s("llmproxy_meter_errors_total"): "0+1x60"},
        AT,
        "The usage of 30 answers could not be read: they cost what nobody knows.",
    ),
    "LLMProxySpendJumps": Case(
        {s("llmproxy_cost_usd_total", api="openai", model="m"): "0+0.01x1500 17+1x90"},
        {"job": "llmproxy"},
        "60.00 USD in an hour: more than four times the average of the day before.",
        at=1590,
        quiet="0+0.2x1600",
    ),
    "LLMProxyBudgetUsedUp": Case(
        {s("llmproxy_budget_warnings_total", share="100", per="token"): "_x39 1x20"},
        {"job": "llmproxy", "per": "token"},
        "A budget of a token is used up.",
        quiet="1x60",
    ),
    "LLMProxyLimitsAlone": Case(
        {s("llmproxy_limits_decided_alone_total"): "0+1x60"},
        {"job": "llmproxy"},
        "Processes of llmproxy decide on limits alone: Redis is away, and limits hold for each process by itself.",
    ),
    "LLMProxySettlementsLost": Case(
        {s("llmproxy_limits_settlements_dropped_total"): "0+1x60"},
        AT,
        "Usage of 15 requests will never be in the limits that Redis holds.",
    ),
    "LLMProxyAuditLost": Case(
        {s("llmproxy_audit_sql_lost_total"): "0+1x60"}, AT, "a:1 could not keep 15 audit records."
    ),
    "LLMProxyAuditFails": Case(
        {s("llmproxy_audit_file_failures_total"): "0+1x60"}, AT, "Audit records of a:1 cannot be written."
    ),
    "LLMProxySinkFails": Case(
        {s("llmproxy_sink_failing", sink="hook"): "0 1x60"},
        {"job": "llmproxy", "sink": "hook"},
        "The receiver of hook takes no events.",
    ),
    "LLMProxyEventsLost": Case(
        {s("llmproxy_sink_dead_total", sink="hook"): "0+1x60"},
        {"job": "llmproxy", "sink": "hook"},
        "15 events for hook were lost, or are dead letters.",
    ),
    "LLMProxyContentUnredacted": Case(
        {s("llmproxy_capture_unredacted_total"): "0+1x60"},
        AT,
        "15 bodies were left out of what is captured: what is to be taken out of them could not be.",
    ),
    "LLMProxyCacheFails": Case(
        {s("llmproxy_cache_errors_total"): "0+60x60"},
        {"job": "llmproxy"},
        "The store of the cache fails: requests go to upstream that need not.",
        quiet="0+1x60",
    ),
    "LLMProxyDispatcherFails": Case(
        {s("llmproxy_dispatcher_failing", sink="file", side="deliver"): "0 1x60"},
        {"job": "llmproxy", "sink": "file", "side": "deliver"},
        "The dispatcher cannot deliver for file.",
    ),
    "LLMProxyDispatcherBehind": Case(
        {s("llmproxy_dispatcher_pending", sink="file"): "0 20000x60"},
        {"job": "llmproxy", "sink": "file"},
        "20000 events wait in the stream for file.",
        quiet="500x60",
    ),
    "LLMProxyDispatcherGone": Case(
        {s("llmproxy_dispatcher_gone_total", sink="file"): "0+1x60"},
        {"job": "llmproxy", "sink": "file"},
        "30 events left the stream before file had them.",
    ),
}


class RuleTests(SynchronousTestCase):
    def test_runbooks(self) -> None:
        """Each alert says how grave it is and what it means; its runbook is on the page, and no other is."""
        found = rules()
        for rule in found:
            with row(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("page", "ticket", "info"))
                self.assertEqual(rule["annotations"]["runbook"], f"docs/monitoring.md#{rule['alert'].lower()}")
        titles = re.findall(r"^### (LLMProxy\w+)$", PAGE, re.MULTILINE)
        self.assertEqual(titles, [rule["alert"] for rule in found])

    def test_names(self) -> None:
        """Each series that a rule asks for is one that there is."""
        there = known()
        for rule in rules():
            with row(rule["alert"]):
                self.assertEqual({name for name in NAME.findall(rule["expr"]) if name not in there}, set())

    def test_each_has_its_case(self) -> None:
        self.assertEqual(list(CASES), [rule["alert"] for rule in rules()])

    def test_alerts(self) -> None:
        """Each fires with what it is for, says so, and keeps quiet otherwise (promtool test rules)."""
        if PROMTOOL is None:
            self.skipTest("promtool is not installed: Debian has it in prometheus")
        graves = {rule["alert"]: rule["labels"] for rule in rules()}
        tests = []
        for name, case in CASES.items():
            fires = {
                "exp_labels": {**case.labels, **graves[name]},
                "exp_annotations": {"summary": case.summary, "runbook": f"docs/monitoring.md#{name.lower()}"},
            }
            first, *others = case.series.items()
            calm = [(first[0], case.quiet), *others]
            for series, expected in ((case.series.items(), [fires]), (calm, [])):
                tests.append(
                    {
                        "interval": "1m",
                        "input_series": [{"series": each, "values": values} for each, values in series],
                        "alert_rule_test": [
                            {"eval_time": f"{case.at}m", "alertname": name, "exp_alerts": expected},
                        ],
                    }
                )
        path = Path(self.mktemp())
        path.write_text(
            yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": tests}, sort_keys=False)
        )
        done = subprocess.run(
            [PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, timeout=120, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
