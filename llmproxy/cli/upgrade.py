"""C{llmproxy upgrade}."""

from __future__ import annotations

import os
import signal

import click

from .management import Management
from .output import Output
from .target import management_options


@click.command()
@click.option("--pidfile", metavar="FILE", help="Signal the process that this file names, instead of asking it.")
@management_options
def command(api: Management, output: Output, pidfile: str | None) -> None:
    """Have the program that is installed now take over from a running proxy.

    It tries first whether that can start with the configuration as it is now. Then new processes serve at the same
    sockets, and those before end what they have begun, for as long as --drain says; the process id stays, and so do
    pidfile and sockets. Whatever goes wrong changes nothing, and stands in the log of the proxy. It takes an owner.
    SIGUSR2 does the same.

    \b
    Examples:
      llmproxy upgrade
      llmproxy upgrade --pidfile /run/llmproxy/twistd.pid
    """
    if pidfile is None:
        found = api.post("/upgrade")
        output.say("asked; the log of the proxy says when new processes serve", found)
        return
    try:
        with open(pidfile, encoding="ascii") as file:
            pid = int(file.read())
        os.kill(pid, signal.SIGUSR2)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--pidfile {pidfile}: {error}") from None
    output.say(f"process {pid} was asked; its log says when new processes serve", {"process": pid})
