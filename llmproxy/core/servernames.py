"""Names of certificates: which of several a client that asks for a name gets (RFC 6066 section 3, RFC 9525)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def by_name(certificates: Sequence[tuple[Sequence[str], T]]) -> dict[str, T]:
    """
    What each name gets: the first certificate that has it.

    @param certificates: their names, C{*.example.com} among them, and what is looked for.
    """
    found: dict[str, T] = {}
    for names, certificate in certificates:
        for name in names:
            found.setdefault(name.lower().rstrip("."), certificate)
    return found


def chosen(names: Mapping[str, T], asked: str | None, default: T) -> T:
    """
    The one for a name; where none has it, the one for all names at its place, which stand for a single label.

    @param names: of L{by_name}.
    @param asked: what the client asks for; C{None} where it does not say.
    @param default: for all others: an old client is better served with a certificate of another name than with none.
    """
    if not asked:
        return default
    name = asked.lower().rstrip(".")
    exact = names.get(name)
    if exact is not None:
        return exact
    return names.get("*." + name.partition(".")[2], default)
