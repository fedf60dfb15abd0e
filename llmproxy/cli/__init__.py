"""The command line, C{llmproxy}, also C{llm-proxy}."""

from __future__ import annotations


def main() -> None:
    """The console script; what a command needs is imported when it runs."""
    import os
    import sys

    from .main import cli
    from .oldnames import OLD_NAME

    called = os.path.basename(sys.argv[0]) if sys.argv else ""
    cli(prog_name=OLD_NAME if called == OLD_NAME else "llmproxy")
