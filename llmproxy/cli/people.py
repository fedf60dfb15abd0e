"""C{llmproxy people}."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from .faults import Fault, NotThere
from .lookup import person_id_of
from .management import Management, segment
from .output import Output, moment
from .outputfile import opened
from .target import management_options
from .usage_table import usd

COLUMNS = ("ID", "Name", "Address", "Role", "Groups", "Signed in", "Shut out", "Devices", "Requests", "Cost")
DEVICE_COLUMNS = ("ID", "Program", "Device", "From", "Let in", "Used", "Ends", "Ended")

_who = click.argument("who", metavar="PERSON")


@click.group()
def command() -> None:
    """People who sign in by an identity provider: what they have and spend, shutting them out.

    PERSON is an id, or an address or name that only one of them has.

    \b
    Examples:
      llmproxy people list
      llmproxy people show ann@example.com
      llmproxy people revoke ann@example.com
      llmproxy usage --by person,model --since 7d
    """


@command.command("list")
@click.option("--text", metavar="TEXT", help="In the name, the address or the provider's name for them.")
@click.option("--revoked/--not-revoked", default=None, help="Only those who are shut out, or who are not.")
@click.option("--since", default="30d", show_default=True, metavar="TIME", help="From when on usage counts.")
@management_options
def show_all(api: Management, output: Output, text: str | None, revoked: bool | None, since: str) -> None:
    """List people, who signed in last first.

    \b
    Examples:
      llmproxy people list
      llmproxy people list --text example.com --since 7d --json
    """
    query = {"q": text, "is_revoked": None if revoked is None else str(revoked).lower(), "spent_since": since}
    found = [each for page in api.pages("/people", **query) for each in page]
    output.table(found, COLUMNS, map(_row, found), "Nobody has signed in.", numbers=range(7, 10))


@command.command("show")
@_who
@management_options
def show(api: Management, output: Output, who: str) -> None:
    """Show somebody, with devices and what is left of limits.

    \b
    Examples:
      llmproxy people show ann@example.com
    """
    path = _path(api, who)
    found, devices = api.get(path), api.get(f"{path}/devices")
    if output.as_json:
        output.json({**found, "devices": devices})
        return
    limits = [(f"{each['limit']} left", f"{_left(each)} of {each['value']}") for each in found["limits_left"]]
    pairs = list(zip(COLUMNS, _row(found), strict=True))
    output.fields(found, [*pairs, ("Project", found["project_id"] or "-"), *limits])
    output.table(devices, DEVICE_COLUMNS, map(_device, devices), "No devices.")


@command.command("revoke")
@_who
@management_options
def revoke(api: Management, output: Output, who: str) -> None:
    """Shut somebody out: tokens, running streams and sessions end at once, on all machines.

    \b
    Examples:
      llmproxy people revoke ann@example.com
    """
    found = api.post(f"{_path(api, who)}/revoke")
    output.say(f"{_called(found)} is shut out.", found)


@command.command("reinstate")
@_who
@management_options
def reinstate(api: Management, output: Output, who: str) -> None:
    """Let somebody in again, who has to sign in anew.

    \b
    Examples:
      llmproxy people reinstate ann@example.com
    """
    found = api.post(f"{_path(api, who)}/reinstate")
    output.say(f"{_called(found)} may sign in again.", found)


@command.command("reset-budget")
@_who
@management_options
def reset_budget(api: Management, output: Output, who: str) -> None:
    """Count what somebody spends anew from now on.

    \b
    Examples:
      llmproxy people reset-budget ann@example.com
    """
    found = api.post(f"{_path(api, who)}/budget/reset")
    output.say(f"The budget of {_called(found)} begins anew.", found)


@command.command("end-device")
@_who
@click.argument("device", metavar="DEVICE")
@management_options
def end_device(api: Management, output: Output, who: str, device: str) -> None:
    """Let a device in no longer: its tokens end at once. DEVICE is an id, or what one good device alone is called.

    \b
    Examples:
      llmproxy people end-device ann@example.com laptop
    """
    path = _path(api, who)
    api.delete(f"{path}/devices/{segment(_device_id(api, path, device))}")
    output.say("The device is let in no longer.")


@command.command("export")
@_who
@click.option("--output", "-o", "path", default="-", metavar="FILE", help="Made for its owner alone; - is stdout.")
@management_options
def export(api: Management, output: Output, who: str, path: str) -> None:
    """Write all that is stored of somebody, as JSON.

    \b
    Examples:
      llmproxy people export ann@example.com --output ann.json
    """
    found = api.get(f"{_path(api, who)}/export")
    with opened(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    if path != "-":
        output.say(f"It is in {path}.", {"file": path})


@command.command("delete")
@_who
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@management_options
def delete(api: Management, output: Output, who: str, yes: bool) -> None:
    """Forget somebody: what they have ends, and nothing that stays names them.

    Who is to stay out has to be revoked instead: somebody who signs in after this is new.

    \b
    Examples:
      llmproxy people delete ann@example.com --yes
    """
    path = _path(api, who)
    if not yes:
        if not sys.stdin.isatty():
            raise Fault("it cannot be undone: give --yes")
        click.confirm(f"Forget {who}?", abort=True, err=True)
    api.delete(path)
    output.say(f"{who} is forgotten.")


def _path(api: Management, who: str) -> str:
    """Where a person is, by an id, an address or a name."""
    return f"/people/{segment(person_id_of(api, who))}"


def _device_id(api: Management, path: str, text: str) -> str:
    """
    @raise Fault: the person has none that is called so, or several.
    """
    found = api.get(f"{path}/devices")
    if any(each["id"] == text for each in found):
        return text
    same = [each["id"] for each in found if each["device"] == text and each["ended_at"] is None]
    if len(same) > 1:
        raise Fault(f"{len(same)} devices are called {text!r}: give an id of llmproxy people show")
    if not same:
        raise NotThere(f"no device is called {text!r}: see llmproxy people show")
    device_id: str = same[0]
    return device_id


def _called(person: dict[str, Any]) -> str:
    return str(person["name"] or person["email"] or person["id"])


def _row(person: dict[str, Any]) -> tuple[Any, ...]:
    return (
        person["id"],
        person["name"],
        person["email"] or person["subject"],
        person["role"] or "-",
        ", ".join(person["groups"]) or "-",
        moment(person["last_seen_at"]),
        moment(person["revoked_at"]) if person["revoked_at"] else "-",
        person["devices"],
        "-" if person["requests"] is None else person["requests"],
        "-" if person["cost"] is None else usd(person["cost"]),
    )


def _device(device: dict[str, Any]) -> tuple[Any, ...]:
    times = (moment(device[name]) for name in ("created_at", "used_at", "expires_at"))
    ended = device["ended_because"] or "-"
    return device["id"], device["program"], device["device"] or "-", device["address"] or "-", *times, ended


def _left(limit: dict[str, Any]) -> Any:
    return "?" if limit["left"] is None else limit["left"]
