"""C{llmproxy version}."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from .. import __version__
from ..app.compiled import is_compiled


@click.command()
def command() -> None:
    """Print the versions of llmproxy and of what it stands on, and whether its hot modules are compiled.

    \b
    Examples:
      llmproxy version
    """
    build = "compiled" if is_compiled() else "pure Python"
    parts = " ".join(f"{name} {version(name)}" for name in ("Twisted", "treq", "httptools"))
    click.echo(f"llmproxy {__version__} ({build}, Python {platform.python_version()}, {parts})")
