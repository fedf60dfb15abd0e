"""Credentials in a query: which parameters hold one, and what a target is without them."""

from __future__ import annotations

from .tokens import QUERY_KEY, decoded, is_well_formed


def without_keys(target: bytes, names: frozenset[bytes]) -> bytes:
    """
    The target without the parameters that hold a credential of the client's, its other bytes untouched.

    C{key} may be a parameter of the API's own: it goes where C{names} has it, or where it holds a token of ours.

    @param names: in lower case, those that go whatever they hold.
    """
    path, _, query = target.partition(b"?")
    parts = query.split(b"&")
    kept = [part for part in parts if not _is_key(part, names)]
    if len(kept) == len(parts):
        return target
    return path + b"?" + b"&".join(kept) if kept else path


def _is_key(part: bytes, names: frozenset[bytes]) -> bool:
    name, _, value = part.partition(b"=")
    name = decoded(name)
    return name.lower() in names or (name == QUERY_KEY and is_well_formed(decoded(value)))
