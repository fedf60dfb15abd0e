"""
The registry of providers: what tells whose API an address is, whose key a text is, and what holds for all of them.

Each module of this package that has C{PROVIDERS} is found: a vendor is one file, and nothing else names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules

from attrs import frozen

from ..core import redirects
from ..core.places import Places, union
from ..origin import CredentialPlace
from .provider import Provider

SHARED = frozenset(
    {
        "awsreader",
        "chat",
        "counting",
        "documents",
        "estimation",
        "errorbody",
        "exposed",
        "imagereader",
        "messagereader",
        "models",
        "plainchat",
        "provider",
        "readers",
        "registry",
        "requestids",
        "usage",
        "usagereader",
    }
)
"""Modules of this package that are no vendor's."""


def _found() -> Iterator[Provider]:
    package, _, _ = __name__.rpartition(".")
    for module in sorted(each.name for each in iter_modules(import_module(package).__path__)):
        if module not in SHARED:
            yield from import_module(f"{package}.{module}").PROVIDERS


PROVIDERS: tuple[Provider, ...] = tuple(_found())

BY_NAME = {provider.name: provider for provider in PROVIDERS}

AUTH: dict[str, CredentialPlace] = {
    "bearer": CredentialPlace("header", b"Authorization", b"Bearer "),
    **{provider.auth: provider.credential for provider in PROVIDERS},
    "none": CredentialPlace("none", b"", b""),
}
"""The places that the well-known APIs want their key in, by the short names of C{auth}."""

PLACES: Places = union(provider.places for provider in PROVIDERS)
"""Where models and parameters stand: of all vendors together, since an API may be one that speaks as any of them."""

REFERRING = redirects.REFERRING.union(*(provider.referring for provider in PROVIDERS))
"""Response fields, in lower case, that may hold a reference to upstream."""

STREAM_TYPES = frozenset(
    {
        b"text/event-stream",
        b"application/x-ndjson",
        b"application/jsonl",
        b"application/stream+json",
        *(each for provider in PROVIDERS for each in provider.stream_types),
    }
)
"""Media types of answers that come little by little."""

DIALECTS: tuple[str, ...] = ("proxy", *(provider.name for provider in PROVIDERS if provider.error_body is not None))
"""The shapes of errors: the proxy's own, and those of vendors that others follow."""

SHAPES = {provider.name: provider.chat for provider in PROVIDERS if provider.chat is not None}
"""How C{llmproxy chat} talks to vendors that have a shape of their own."""

USAGE_SHAPES = tuple(shape for provider in PROVIDERS for shape in provider.usages)
"""How answers tell their usage; each is of at most one."""

BOOKS = {provider.name: provider.book for provider in PROVIDERS if provider.book}
"""What the book of prices calls the vendors that it knows."""

FREE = frozenset[bytes]().union(*(provider.free for provider in PROVIDERS))
"""Segments of paths below which no model runs."""

SETUPS = {provider.name: provider for provider in PROVIDERS if provider.setup is not None}
"""The vendors that C{llmproxy setup} knows an address of."""


def query_keys_like(dialect: str, place: CredentialPlace) -> frozenset[bytes]:
    """
    The parameters of a query that an API may take a key in which speaks in C{dialect}, or wants its key in a field of
    one vendor's own, wherever it stands.
    """
    field = place.name.lower()
    return frozenset[bytes]().union(
        *(
            provider.query_keys
            for provider in PROVIDERS
            if provider.name == dialect or (provider.auth != "bearer" and provider.credential.name.lower() == field)
        )
    )


def last_events(dialect: str) -> tuple[bytes, ...]:
    """See L{Provider.last_events}; of what speaks in C{dialect}."""
    provider = BY_NAME.get(dialect)
    return () if provider is None else provider.last_events


def vendors_of(providers: Iterable[str], dialect: str) -> tuple[str, ...]:
    """
    Whose models an API serves, by its upstreams; where none of them is known, C{dialect} says whose it speaks like, and
    the book of prices is asked for that one's.

    @param providers: of its upstreams; C{""} is not known.
    """
    known = tuple(dict.fromkeys(providers))
    return (dialect,) if dialect in BOOKS and not any(known) else known


def provider_of(api: str, host: str) -> Provider | None:
    """
    Whose API this is: by its host; where that says nothing (a gateway, a server of one's own), by what it is called.

    @param api: the name of the API in the configuration.
    """
    host = host.lower().rstrip(".")
    for provider in PROVIDERS:
        if any(host == each or host.endswith("." + each) for each in provider.hosts):
            return provider
    return next((provider for provider in PROVIDERS if api.lower() in provider.names), None)


def provider_of_key(key: str) -> str:
    """The name of the provider that a key's shape names; C{""} where it names none."""
    return next((each.name for each in PROVIDERS if each.keys is not None and each.keys.match(key)), "")


@frozen
class Binding:
    """
    Which API a key was given for, where nobody said which: of one configuration.

    @ivar apis: the names of its APIs, each with the name of its provider or C{""}.
    """

    default_api: str
    apis: tuple[tuple[str, str], ...] = ()

    def api_for(self, key: str) -> str:
        """
        The one whose provider the key's shape names, of several the default one or else the first; where the shape
        says nothing the default one.

        @return: the name of an API; C{""} where the shape names a provider that none leads to.
        """
        provider = provider_of_key(key)
        if not provider:
            return self.default_api
        found = [name for name, whose in self.apis if whose == provider]
        return self.default_api if self.default_api in found else next(iter(found), "")
