"""C{llmproxy check}: what a configuration would serve, or everything that is wrong with it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import APIProviderConfig
    from ..core.policy import Policy
    from ..origin import CredentialPlace


@click.command()
@click.argument("file")
@click.option("--default-api", metavar="NAME", help="The API that is served at /, above what FILE says.")
def command(file: str, default_api: str | None) -> None:
    """Validate FILE and show what it would serve.

    All problems are reported at once, each with its line; the exit status is 1 then.

    \b
    Examples:
      llmproxy check apis.yaml
      llmproxy check config/apis.yaml --default-api anthropic
    """
    from ..config import load_api_config

    try:
        config = load_api_config(file, default_api=default_api)
        apis = config.compiled()
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    for api in apis:
        where = f"/ and /{api.name}/" if api.name == config.default_api else f"/{api.name}/"
        places = "; ".join(f"{upstream.url}, {_key_place(upstream.credential)}" for upstream in api.upstreams)
        click.echo(f"{api.name}: {where} -> {places}, errors in dialect {api.dialect}")
        own = own_key(config.apis[api.name])
        if own:
            click.echo(f"  {own}")
        methods = ", ".join(method.decode() for method in api.policy.methods) or "every method"
        click.echo(f"  {methods} on {', '.join(api.policy.endpoints) or 'every path'}")
        for line in _restrictions(api.policy):
            click.echo(f"  {line}")
    click.echo(f"{file}: ok")


def _key_place(place: CredentialPlace) -> str:
    return "no key" if place.kind == "none" else f"key in {place.kind} {place.name.decode()}"


def own_key(api: APIProviderConfig) -> str:
    """Who may use a key of the API's own, in words; C{""} if it has none."""
    if api.key is None:
        return ""
    if isinstance(api.own_key_for, str):
        return "a key of its own for every project that has none for it"
    names = ", ".join(sorted(api.own_key_for))
    return f"a key of its own for {names}" if names else "its key can be used by no project: own_key_for is not set"


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
