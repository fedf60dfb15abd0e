"""C{llmproxy check}: what a configuration would serve, or everything that is wrong with it."""

from __future__ import annotations

import sys

import click

from ..errors import ConfigError


@click.command()
@click.argument("file")
@click.option("--default-api", metavar="NAME", help="The API that is served at /, above what FILE says.")
def command(file: str, default_api: str | None) -> None:
    """Validate FILE and show what it would serve.

    All problems are told at once, each with its line; the exit status is 1 then.
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
        base = f"{api.origin.scheme}://{api.origin.netloc.decode()}{api.path_prefix.decode()}"
        place = f"{api.credential.kind} {api.credential.name.decode()}"
        click.echo(f"{api.name}: {where} -> {base}, key in {place}, errors in dialect {api.dialect}")
        methods = ", ".join(method.decode() for method in api.policy.methods) or "every method"
        click.echo(f"  {methods} on {', '.join(api.policy.endpoints) or 'every path'}")
        for rule in api.policy.whitelist.rules.values():
            click.echo(f"  {rule.shown}: {', '.join(rule.patterns)}")
    click.echo(f"{file}: ok")
