"""C{llmproxy version}."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from .. import __version__


@click.command()
def command() -> None:
    """Print the versions of llmproxy and of what it stands on.

    \b
    Examples:
      llmproxy version
    """
    parts = " ".join(f"{name} {version(name)}" for name in ("Twisted", "treq", "httptools"))
    click.echo(f"llmproxy {__version__} (Python {platform.python_version()}, {parts})")
