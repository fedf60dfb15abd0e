"""Live: what runs now, which can be cut, and the latest errors with what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..answers import Page, Redirect, ViewAnswer
from ..backend import ApiError, segment
from ..visit import Entry, Route, Visit

SHOWN = 50
"""Exchanges of the page; the API has those that run longest first."""

LOOKED_AT = "200"
"""Records among which errors are looked for."""

ERRORS = 10

ADVICE = {
    "api_key_missing": "Give the project a key for this API.",
    "token_expired": "The token has ended: rotate it, or create another one.",
    "token_inactive": "The token was revoked.",
    "budget_exceeded": "The budget is used up: raise it, or reset it.",
    "rate_limit_exceeded": "More was asked in a minute than is allowed: raise the limit, or wait.",
    "endpoint_not_found": "The endpoint is not among allowed_endpoints of the API.",
    "param_not_allowed": "The parameter is not allowed by param_whitelist of the API.",
    "name_not_found": "The host of the upstream has no address: look at base_url.",
    "refused": "Nobody listens at the address of the upstream.",
    "certificate": "The certificate of the upstream is not one of a known authority: look at ca_file.",
    "certificate_name": "The certificate of the upstream is for another host: look at base_url, host and sni.",
    "connect_timeout": "The upstream does not answer: is it reached from here?",
    "response_header_timeout": "The upstream took longer than timeouts.response_header.",
    "silence_timeout": "The upstream said nothing for longer than timeouts.silence.",
}
"""What to do, by the cause or the code of an error."""

OF_STATUS = {
    401: "The provider does not take the key: look at that of the project.",
    402: "The provider says that the account has no money left.",
    429: "The provider says that it is asked too often: spread it over several keys or upstreams.",
    529: "The provider is overloaded: retry and fallback of the API can help.",
}
"""What to do about a provider's own refusal."""


async def show(visit: Visit) -> ViewAnswer:
    wanted = {name: visit.query.get(name, "") for name in ("person", "session")}
    answer, errors = await visit.api.gather(visit.api.ask("GET", "/exchanges", query=wanted), _errors(visit))
    found = answer.value
    context = {"total": found["total"], "exchanges": found["exchanges"][:SHOWN], "errors": errors, "wanted": wanted}
    return Page("exchanges.html", context)


async def _errors(visit: Visit) -> list[Mapping[str, Any]]:
    try:
        records = (await visit.api.ask("GET", "/usage/records", query={"limit": LOOKED_AT})).value
    except ApiError as error:
        if error.status != 503:
            raise
        return []
    return errors_of(records)


def errors_of(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The latest that failed, each with what to do about it."""
    failed = [each for each in records if (each["status"] or 0) >= 400 or each["ending"] not in ("complete", "")]
    return [{**each, "advice": advice(each)} for each in failed[:ERRORS]]


def advice(record: Mapping[str, Any]) -> str:
    """What to do; C{""} where nothing is known."""
    for name in ("cause", "error_code"):
        words = ADVICE.get(record.get(name) or "")
        if words:
            return words
    return OF_STATUS.get(record["status"] or 0, "")


async def confirm(visit: Visit) -> ViewAnswer:
    found = (await visit.api.ask("GET", "/exchanges")).value["exchanges"]
    same = [each for each in found if each["id"] == visit.names["request_id"]]
    return Page("exchange-cut.html", {"id": visit.names["request_id"], "exchanges": same})


async def cut(visit: Visit) -> ViewAnswer:
    try:
        count = (await visit.api.ask("DELETE", f"/exchanges/{segment(visit.names['request_id'])}")).value["cut"]
    except ApiError as error:
        if error.status != 404:
            raise
        return Redirect("/live", "It had ended already.")
    return Redirect("/live", f"{count} {'exchange has' if count == 1 else 'exchanges have'} been cut.")


ROUTES = (
    Route("GET", "/live", show, "exchange.read"),
    Route("GET", "/live/{request_id}/cut", confirm, "exchange.cut"),
    Route("POST", "/live/{request_id}/cut", cut, "exchange.cut"),
)
NAVIGATION = (Entry("Live", "/live", "exchange.read", 50),)
