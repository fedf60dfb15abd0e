"""The command line, C{llmproxy}."""

from __future__ import annotations


def main() -> None:
    """The console script; what a command needs is imported when it runs."""
    from .main import cli

    cli(prog_name="llmproxy")
