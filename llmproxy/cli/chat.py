"""C{llmproxy chat}: to see that everything works, and to talk."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ..providers.chat import Wishes
from ..providers.registry import SHAPES
from .chat_repl import Chat, remembered
from .conversation import Conversation
from .faults import Fault
from .http import parse_address
from .output import warn
from .secretinput import read_secret_file
from .target import DATA, DEFAULT_URL, opener


@click.command()
@click.argument("message", required=False)
@click.option("--proxy", metavar="URL", help=f"Where the proxy is; unix:/path for a socket. [PROXY_URL, {DEFAULT_URL}]")
@click.option("--token-file", metavar="FILE", help="Holds the token, - is standard input. [PROXY_TOKEN]")
@click.option("--token", hidden=True)
@click.option("--data", metavar="DIR", help=f"The directory of llmproxy quickstart. [else {DATA}, if it is there]")
@click.option("--api", default="", metavar="NAME", help="An API that is not the default one.")
@click.option("--dialect", type=click.Choice(sorted(SHAPES)), default="openai", show_default=True)
@click.option("--model", envvar="MODEL", default="gpt-4.1-mini", show_default=True, help="[MODEL]")
@click.option("--system", envvar="SYSTEM_PROMPT", default="", help="An instruction before all else. [SYSTEM_PROMPT]")
@click.option("--temperature", envvar="TEMPERATURE", type=float, help="Else the API's own. [TEMPERATURE]")
@click.option("--max-tokens", envvar="MAX_TOKENS", type=click.IntRange(0), help="0 is the API's own. [MAX_TOKENS]")
@click.option("--stream/--no-stream", envvar="USE_STREAMING", default=True, help="Show answers as they come, or whole.")
@click.option("--history", metavar="FILE", help="Where questions are kept for the next time. [else nowhere]")
@click.option("--verbose", "-v", envvar="VERBOSE", is_flag=True, help="Show times and request ids.")
@click.option("--timeout", default=60.0, show_default=True, type=click.FloatRange(0.1), help="Seconds of silence.")
def command(message: str | None, **options: Any) -> None:
    """Talk to a model through the proxy.

    With a MESSAGE, or one on standard input, its answer is printed and that is all. In a terminal lines can be edited,
    Ctrl-C stops an answer, /help lists the commands. The token comes from PROXY_TOKEN, a file, or the directory of
    llmproxy quickstart.

    \b
    Examples:
      llmproxy chat
      llmproxy chat --model gpt-4.1 --system 'Answer in one sentence.' 'What is a reverse proxy?'
      llmproxy chat --api anthropic --dialect anthropic --model claude-sonnet-4-5
      git diff | llmproxy chat --system 'Review this.'
    """
    conversation = _conversation(options)
    one = message if message is not None else None if sys.stdin.isatty() else sys.stdin.read().strip()
    if one is None:
        with remembered(options["history"]) as read:
            Chat(conversation, read, sys.stdout, _note, options["verbose"]).run()
        return
    if not one:
        raise click.UsageError("there is nothing to ask: MESSAGE and standard input are empty")
    try:
        finished = Chat(conversation, input, sys.stdout, _note, options["verbose"]).answer(one)
    except Fault as error:
        sys.exit(error.exit_code)
    sys.exit(0 if finished else 130)


def _conversation(options: dict[str, Any]) -> Conversation:
    url = options["proxy"] or os.environ.get("PROXY_URL") or _kept(options["data"], "address") or DEFAULT_URL
    try:
        address = parse_address(url)
    except ValueError as error:
        raise click.UsageError(f"--proxy: {error}") from None
    token = _said(options["token"], options["token_file"])
    if not token and (options["data"] is not None or address.local):
        token = _kept(options["data"], "token")
    if not token:
        raise click.UsageError("a token is needed: set PROXY_TOKEN, or name a file with --token-file")
    if not (token.isascii() and token.isprintable()):
        raise Fault("the token holds characters that cannot be sent")
    if address.scheme == "http" and not address.local:
        warn(f"{address.text}: token and conversation are sent without encryption")
    prefix = f"/{options['api']}" if options["api"] else ""
    http = opener()(address, options["timeout"])
    return Conversation(http, token, SHAPES[options["dialect"]], _wishes(options), prefix)


def _wishes(options: dict[str, Any]) -> Wishes:
    limit = options["max_tokens"] or None
    return Wishes(options["model"], options["system"], options["temperature"], limit, options["stream"])


def _said(token: str | None, path: str | None) -> str:
    if path is not None:
        return read_secret_file(path)
    if token:
        warn("everybody on this machine can see --token; use PROXY_TOKEN or --token-file")
        return token
    return os.environ.get("PROXY_TOKEN", "").strip()


def _kept(data: str | None, name: str) -> str:
    path = os.path.join(data or DATA, name)
    return read_secret_file(path) if os.path.exists(path) or data is not None else ""


def _note(words: str) -> None:
    click.echo(words, err=True)
