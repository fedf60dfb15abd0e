"""Ids of projects, tokens and people, from what somebody has at hand: a name, an address, an id, a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..core.tokens import is_well_formed, token_hash
from .faults import Fault, NotThere
from .management import Management
from .output import warn
from .secretinput import read_secret_file

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE)


def project_id_of(api: Management, text: str) -> str:
    """
    The id of the project that has this id or name.

    @raise Fault: no project has this name.
    """
    if _ID.fullmatch(text):
        return text
    named = [project for page in api.pages("/projects", name=text) for project in page if project["name"] == text]
    if not named:
        raise NotThere(f"there is no project named {text!r}: see llmproxy project list")
    found: str = named[0]["id"]
    return found


def person_id_of(api: Management, who: str) -> str:
    """
    The id of the person with this id, address, name at their provider, or name.

    @raise Fault: nobody has it, or several have.
    """
    if _ID.fullmatch(who):
        return who
    found = [each for page in api.pages("/people", q=who, limit=1000, spent_since="1h") for each in page]
    return chosen_person(found, who)


def chosen_person(people: Sequence[Mapping[str, Any]], who: str) -> str:
    """
    The id of the one who is meant; likewise. An address, which a provider vouches for, comes before a name, which
    somebody may have chosen: who calls themselves as another's address stands in nobody's way.
    """
    for key in ("email", "subject", "name"):
        same = [each for each in people if each[key].casefold() == who.casefold()]
        if len(same) > 1:
            raise Fault(f"{len(same)} people are called {who!r}: give an id of llmproxy people list --text")
        if same:
            found: str = same[0]["id"]
            return found
    raise NotThere(f"nobody who has signed in is called {who!r}: see llmproxy people list")


def token_ids_called(api: Management, text: str) -> list[str]:
    """
    The ids of the tokens with this id or name, which several may have; C{-} is a secret on standard input.

    @raise Fault: there is none.
    """
    if text == "-" or _is_secret(text):
        return [token_of_secret(api, text, None)["id"]]
    if _ID.fullmatch(text):
        return [text]
    named = [token["id"] for page in api.pages("/tokens", name=text) for token in page if token["name"] == text]
    if not named:
        raise NotThere(f"there is no token named {text!r}: see llmproxy token list")
    return named


def token_of_secret(api: Management, secret: str | None, digest: str | None) -> dict[str, Any]:
    """
    The token that a secret belongs to. The secret stays here: the server is asked by its hash.

    @param secret: C{-} is standard input, C{None} a prompt.
    @param digest: SHA-256 of the secret in hexadecimal, in its place.
    """
    if digest is not None:
        if secret is not None or not _HASH.fullmatch(digest):
            raise click.UsageError("--hash: expected the SHA-256 of a secret, 64 hexadecimal digits, and nothing else")
        return _found(api, digest.lower())
    if secret is None:
        secret = click.prompt("Secret of the token", hide_input=True, err=True)
    elif secret == "-":  # noqa: S105
        secret = read_secret_file("-")
    else:
        warn("everybody on this machine can see a secret on a command line; use - and standard input")
    if not _is_secret(secret.strip()):
        raise Fault("this is no token of llmproxy: one is sk- and 22 characters")
    return _found(api, token_hash(secret.strip().encode()))


def token_ids_of(api: Management, texts: tuple[str, ...]) -> list[str]:
    """Ids, where C{-} is a secret on standard input, and a secret is one that was typed by mistake or in haste."""
    return [token_of_secret(api, text, None)["id"] if text == "-" or _is_secret(text) else text for text in texts]


def _is_secret(text: str) -> bool:
    return is_well_formed(text.encode("utf-8", "surrogateescape"))


def _found(api: Management, digest: str) -> dict[str, Any]:
    token: dict[str, Any] = api.post("/tokens/find", {"hash": digest})
    return token
