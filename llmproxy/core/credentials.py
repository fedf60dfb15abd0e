"""Credentials: which keys an API is asked with, and a target without those that a client put into its query."""

from __future__ import annotations

from ..message import Api, Project
from ..origin import Upstream
from .tokens import QUERY_KEY, decoded, may_be_token


def keys_for(api: Api, upstream: Upstream, project: Project) -> tuple[str, ...]:
    """
    The keys that a project may have an upstream of an API asked with: its own for this very API, or for the name that
    the upstream has for its keys; else that of the upstream where the project may use it, else none. An upstream that
    is asked with the credentials of clients has none of them.
    """
    if upstream.key_source == "client":
        return ()
    mine = () if upstream.key_source == "own" else project.api_keys.get(upstream.project_key or api.name)
    own = upstream.own_key
    if mine or own is None:
        return mine or ()
    may_use = own.projects is None or project.id in own.projects or project.name in own.projects
    return (own.key,) if may_use else ()


def owner_of(api: str, upstream: Upstream, project: Project) -> str:
    """The id of the project whose key an upstream is asked with; C{""} for one that many use, and for none."""
    if upstream.key_source == "own":
        return ""
    if upstream.key_source == "client":
        return project.id
    return project.id if (upstream.project_key or api) in project.api_keys else ""


def is_keyless(api: Api, project: Project) -> bool:
    """Whether an API cannot be asked for a project: each of its upstreams wants a key, and there is none."""
    return not any(
        upstream.credential.kind == "none" or upstream.key_source == "client" or keys_for(api, upstream, project)
        for upstream in api.upstreams
    )


def without_keys(target: bytes, names: frozenset[bytes]) -> bytes:
    """
    The target without the parameters that hold a credential of the client's, its other bytes untouched.

    C{key} may be a parameter of the API's own: it goes where C{names} has it, or where it holds what may be a token.

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
    return name.lower() in names or (name == QUERY_KEY and may_be_token(decoded(value)))
