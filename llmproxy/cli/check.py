"""C{llmproxy check}: what a configuration would serve, or everything that is wrong with it."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import evolve

from ..core.ledger.settings import DAY, DIRECTORY
from ..core.routing import OWN, RESERVED
from ..errors import ConfigError
from .check_capture import captured
from .check_events import event_lines, with_telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..apisettings import AttributionSettings
    from ..config import APIConfig, APIProviderConfig
    from ..core.ledger.settings import LedgerOptions
    from ..core.policy import Policy
    from ..core.routing import RoutingTable
    from ..message import Api
    from ..origin import CredentialPlace, Upstream


_LEASED = "budgets for all that use the same database, by leases in it"
_NOT_LEASED = "so do budgets (budget_leases: false)"
_BY_BODY = ("tpm_limit", "max_budget", "soft_budget")


@click.command()
@click.argument("file")
@click.option("--default-api", metavar="NAME", help="The API that is served at /, above what FILE says.")
def command(file: str, default_api: str | None) -> None:
    """Validate FILE and show what it would serve.

    Shown are APIs, prices, limits of usage, and the ledger, in which records of exchanges wait for the database. All
    problems are reported at once, each with its line; the exit status is 1 then.

    \b
    Examples:
      llmproxy check apis.yaml
      llmproxy check config/apis.yaml --default-api anthropic
    """
    from ..config import load_api_config
    from ..config.capturevariables import kept_where

    try:
        config = with_telemetry(with_environment(load_api_config(file, default_api=default_api)))
        table = config.routing_table()
        events = list(event_lines(config))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    for api in table.apis:
        where = f"/ and /{api.name}/" if api.name == config.default_api else f"/{api.name}/"
        click.echo(f"{api.name}: {where} -> {_leads_to(api)}, errors in dialect {api.dialect}")
        for line in (*places(api), own_key(config.apis[api.name]), *tried_again(api), *_metered(api)):
            if line:
                click.echo(f"  {line}")
        methods = ", ".join(method.decode() for method in api.policy.methods) or "every method"
        click.echo(f"  {methods} on {', '.join(api.policy.endpoints) or 'every path'}")
        for line in (
            *_restrictions(api.policy),
            *_filtered(api),
            *_instead(api, table),
            *_attribution(api.settings.attribution),
            *captured(api.settings.capture),
        ):
            click.echo(f"  {line}")
    for line in (
        _ledger(config.ledger),
        *_prices(config),
        *_usage_limits(config, table),
        *_redis(config),
        *(() if config.identity is None else config.identity.words()),
        *filter(None, [kept_where(config)]),
        *events,
    ):
        click.echo(line)
    click.echo(f"{file}: ok")


def with_environment(config: APIConfig) -> APIConfig:
    """
    With the Redis that variables name, above the file, what they have captured, and the sinks that they make.

    @raise ConfigError: with everything that is wrong with them.
    """
    from ..config.capturevariables import with_capture
    from ..config.environment import read_capture, read_redis
    from ..config.eventvariables import sinks_of_environment, with_sinks

    redis = read_redis(os.environ, lambda path: Path(path).read_text("utf-8"))
    apis = with_capture(config.apis, read_capture(os.environ))
    sinks, wrong = sinks_of_environment(os.environ)
    if wrong:
        raise ConfigError(*(f"{name}: {why}" for name, why in wrong))
    try:
        sinks = with_sinks(config.sinks, sinks)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return evolve(config, apis=apis, sinks=sinks, redis=evolve(config.redis, **redis))


def _leads_to(api: Api) -> str:
    if len(api.upstreams) > 1 or api.upstreams[0].name != api.name:
        return f"{len(api.upstreams)} upstream{'s' * (len(api.upstreams) > 1)} ({api.settings.balance.by})"
    return f"{api.upstreams[0].url}, {_key_place(api.upstreams[0].credential)}"


def places(api: Api) -> Iterator[str]:
    """The upstreams of an API that has several, in the order in which they are asked; what is added to requests."""
    if _leads_to(api).startswith(api.upstreams[0].url):
        yield _added(api.upstreams[0])
        return
    for upstream in sorted(api.upstreams, key=lambda each: each.priority):
        said = [
            upstream.url,
            _key_place(upstream.credential),
            f"priority {upstream.priority}, weight {upstream.weight}",
        ]
        if upstream.project_key:
            said.append(f"keys of projects for {upstream.project_key}")
        if upstream.key_source == "own":
            said.append("always with its own key")
        if upstream.key_source == "client":
            said.append("only with the credential that the client sends for it")
        if upstream.serves:
            said.append(f"only for the models {', '.join(upstream.serves)}")
        said += [upstream.region, _added(upstream)]
        yield f"{upstream.name}: {', '.join(part for part in said if part)}"


def _added(upstream: Upstream) -> str:
    """What every request gets; the values of fields may be nobody's business."""
    names = [name.decode() for name, _ in upstream.headers]
    names += ["api-version of the query"] if upstream.api_version else []
    return f"with {', '.join(names)} added" if names else ""


def tried_again(api: Api) -> Iterator[str]:
    """What happens where an upstream fails, and the keys of a project that has several."""
    retry = api.settings.retry
    if retry is not None:
        statuses = ", ".join(map(str, sorted(retry.statuses))) or "no status"
        yield (
            f"retries: {retry.attempts} attempts at most, after no connection or {statuses}; bodies up to"
            f" {retry.replay} bytes; {retry.budget:.0%} of the requests"
        )
    if api.settings.fallback:
        yield f"fallback: {', '.join(api.settings.fallback)}"


def _metered(api: Api) -> Iterator[str]:
    """What is done so that it is known what was used, and what cannot be done here."""
    meter = api.settings.meter
    if meter is None:
        return
    if meter.include_usage == "inject":
        yield "the usage of streamed chats is asked for, and taken out of what clients get"
    if meter.usage_trailer:
        yield "what was used follows answers as a trailer"
    if meter.estimate:
        from ..app.tokenizer import missing

        why = missing()
        yield f"what is unknown stays so: {why}" if why else "what an answer does not say is estimated"


def _filtered(api: Api) -> Iterator[str]:
    if api.settings.filter_models:
        yield "lists of models show a caller only those that it may use"


def _attribution(settings: AttributionSettings | None) -> Iterator[str]:
    """Which tags may be used, and what is kept as hashes, where that is not the usual."""
    if settings is None:
        yield "attribution: off, nothing that requests say of themselves is noted"
        return
    if settings.tags is not None:
        own = [f"{project}: {', '.join(sorted(names))} too" for project, names in sorted(settings.project_tags.items())]
        yield f"tags that may be used: {'; '.join([', '.join(sorted(settings.tags)) or 'none', *own])}"
    if settings.hashed:
        yield f"kept as hashes: {', '.join(sorted(settings.hashed))}"


def _prices(config: APIConfig) -> Iterator[str]:
    """The file's own prices, and what of the book they name that is not in it."""
    if not config.prices:
        return
    from ..prices.book import Book
    from ..providers.registry import BOOKS

    book = Book()
    yield f"prices, of which the first that matches holds, and else {book.version or 'none: genai-prices is missing'}:"
    for price in config.prices:
        rule = price.rule()
        missing = rule.like_model and book.tariff(BOOKS[rule.like], rule.like_model) is None
        yield f"  {price.words()}{' (the book has no such model: its cost is not known)' if missing else ''}"


def _ledger(options: LedgerOptions) -> str:
    """Where records of exchanges wait, and how long they are kept."""
    if not options.enabled:
        return "ledger: off, exchanges leave no records and reports of usage are empty"
    where = options.directory or f"beside the file of SQLite, else {DIRECTORY}"
    lost = "what the operating system has not written" if options.fsync is None else f"{options.fsync:g} s"
    kept = "for ever" if options.keep_records is None else f"{options.keep_records / DAY:g} days"
    return (
        f"ledger: {where}; a loss of power may lose {lost}; single records are kept {kept}, sums for ever; "
        f"{options.most_waiting / 2**20:g} MiB of files may wait for the database; "
        f"{'a process of a busy proxy writes them there' if options.own_process else 'a thread writes them there'}"
    )


def _usage_limits(config: APIConfig, table: RoutingTable) -> Iterator[str]:
    """What is stated of all tokens and by rules, and what that costs."""
    from ..config.usagelimits import words_of
    from ..usagelimits import UNLIMITED

    said = config.usage_limits
    if said.defaults != UNLIMITED:
        yield f"usage_limits of every token that says nothing else: {words_of(said.defaults)}"
    if said.rules:
        yield "usage_limits, all of which hold:"
    for rule in said.rules:
        yield f"  {rule.words()}"
    if said.rules or said.defaults != UNLIMITED:
        yield f"  budgets go by the calendar of {said.time_zone}; without the store of limits: {said.on_store_failure}"
    reading = [rule.words() for rule in said.rules if rule.needs_body]
    if reading or any(isinstance(getattr(said.defaults, name), (int, Decimal)) for name in _BY_BODY):
        yield "  bodies of requests that meet a limit of tokens, money, models or users are read before they go on"
        unread = [api.name for api in table.apis if api.settings.meter is None]
        if unread:
            yield f"  what answers of {', '.join(unread)} use is not read: each counts as many tokens as were reserved"
    if said.overload is not None:
        queue = f"{said.overload.queue} more wait for up to {said.overload.wait:g} s"
        yield f"overload: {said.overload.exchanges} exchanges at once in each process, {queue}, then 503"


def _redis(config: APIConfig) -> Iterator[str]:
    """Where machines count together, and what is wrong with it."""
    from ..redis.probe import examine
    from ..usagelimits import UNLIMITED

    options = config.redis.options()
    if options is not None:
        wrong = examine(options)
        yield f"redis: machines count limits together in {options.location.label}"
        if wrong:
            yield f"warning: redis: {wrong}"
    elif config.usage_limits.rules or config.usage_limits.defaults != UNLIMITED:
        alone = "redis: none, so that rates and requests at once hold for each machine by itself"
        yield f"{alone}; {_LEASED if config.usage_limits.budget_leases else _NOT_LEASED}"


def _key_place(place: CredentialPlace) -> str:
    return "no key" if place.kind == "none" else f"key in {place.kind} {place.name.decode()}"


def own_key(api: APIProviderConfig) -> str:
    """Who may use a key of the API's own, in words; C{""} if it has none."""
    if api.key is None and all(each.key is None for each in api.upstreams):
        return ""
    if isinstance(api.own_key_for, str):
        return "a key of its own for every project that has none for it"
    names = ", ".join(sorted(api.own_key_for))
    return f"a key of its own for {names}" if names else "its key can be used by no project: own_key_for is not set"


def _instead(api: Api, table: RoutingTable) -> Iterator[str]:
    """Paths that the proxy would answer itself, were it not for this API."""
    if api.name in OWN:
        yield f"/{api.name} is this API: what the proxy has there itself is not served"
    for entry in api.policy.endpoints:
        first = entry.split("/")[1]
        if first in RESERVED and table.claimant(entry.encode()) is api:
            yield f"{entry}: not reached at / where management is served, only at /{api.name}{entry}"
        elif "*" not in entry and first in OWN and table.claimant(entry.encode()) is api:
            yield f"{entry} is this API's: what the proxy has there itself is not served"


def _restrictions(policy: Policy) -> Iterator[str]:
    """What the patterns mean, which parameters are checked where, and where nothing is."""
    for entry in policy.endpoints:
        if "*" in entry:
            yield f"{entry}: each * is any text within its segment"
    for endpoint, rules in policy.whitelist:
        for name, rule in rules.parameters.items():
            yield f"{name}{f' at {endpoint}' if endpoint else ''}: {', '.join(rule.patterns)}"
    for entry in policy.whitelist.unchecked if policy.whitelist else ():
        yield f"{entry}: unchecked, any parameter can be sent there"
    for entry in _refused(policy):
        yield f"{entry}: refused, no upload there can be checked for its model (unchecked_endpoints allows it)"


def _refused(policy: Policy) -> Iterator[str]:
    """Endpoints that are allowed, and still closed by the whitelist of the model."""
    for entry in policy.endpoints:
        path = entry.encode()
        rules = policy.whitelist.at(path)
        if rules is not None and rules.is_unseen(path):
            yield entry
