"""What a caller may ask of one API, compiled when the configuration is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from attrs import frozen

from .glob import any_of


@frozen
class ParamRule:
    """One parameter of the whitelist: what its value must match one of."""

    patterns: tuple[str, ...]
    expression: re.Pattern[str]

    def allows(self, value: str) -> bool:
        return self.expression.fullmatch(value) is not None


@frozen
class Policy:
    """
    @ivar methods: in upper case; empty allows every method. GET allows HEAD.
    @ivar endpoints: the entries as they were written; empty allows every path.
    @ivar whitelist: rules by the name of the parameter.
    @ivar required_headers: names in lower case, without C{origin}.
    @ivar max_inspected_body: bytes that may be read of a body to check it against the whitelist.
    """

    methods: tuple[bytes, ...]
    endpoints: tuple[str, ...]
    whitelist: Mapping[str, ParamRule]
    origins: frozenset[bytes]
    any_origin: bool
    origin_required: bool
    required_headers: tuple[bytes, ...]
    max_inspected_body: int
    _allowed: frozenset[bytes]
    _plain: Mapping[bytes, str]
    _globs: tuple[tuple[re.Pattern[bytes], str], ...]

    @classmethod
    def compile(
        cls,
        *,
        allowed_methods: Sequence[str],
        allowed_endpoints: Sequence[str],
        param_whitelist: Mapping[str, Sequence[str]] | None = None,
        allowed_origins: Sequence[str] = (),
        required_headers: Sequence[str] = (),
        max_inspected_body: int = 10 * 2**20,
    ) -> Policy:
        methods = tuple(dict.fromkeys(method.upper().encode() for method in allowed_methods))
        allowed = frozenset(methods) | ({b"HEAD"} if b"GET" in methods else set())
        required = [name.lower().encode() for name in required_headers]
        plain = {entry.rstrip("/").encode(): entry for entry in allowed_endpoints if "*" not in entry}
        globs = tuple((_glob(entry), entry) for entry in allowed_endpoints if "*" in entry)
        return cls(
            methods,
            tuple(allowed_endpoints),
            {name: ParamRule(tuple(p), any_of(p)) for name, p in (param_whitelist or {}).items()},
            frozenset(origin.encode() for origin in allowed_origins),
            "*" in allowed_origins,
            b"origin" in required,
            tuple(name for name in required if name != b"origin"),
            max_inspected_body,
            allowed,
            plain,
            globs,
        )

    def allows_method(self, method: bytes) -> bool:
        return not self._allowed or method in self._allowed

    def allows_origin(self, origin: bytes) -> bool:
        return self.any_origin or origin in self.origins

    def endpoint(self, path: bytes) -> str | None:
        """
        The entry that allows C{path}, C{""} where everything is allowed, C{None} where nothing does.

        An entry allows its own path and what lies below it: C{/v1/models} allows C{/v1/models/x}, not
        C{/v1/models-evil}. A C{*} stands for anything within one segment. The path is compared decoded,
        and one that upstream could resolve to another place (dot segments, empty segments, backslashes)
        is allowed by no entry.
        """
        if not self.endpoints:
            return ""
        if b"%" in path:
            path = unquote_to_bytes(path)
        if _ELSEWHERE.search(path):
            return None
        whole, entry = path, self._plain.get(path)
        while entry is None and path:
            path, _, _ = path.rpartition(b"/")
            entry = self._plain.get(path)
        if entry is None:
            entry = next((entry for expression, entry in self._globs if expression.match(whole)), None)
        return entry


_ELSEWHERE = re.compile(rb"//|(?:^|[/\\;])\.\.?(?:[/\\;]|$)|\\|\0")


def _glob(entry: str) -> re.Pattern[bytes]:
    body = b"[^/]*".join(re.escape(part) for part in entry.rstrip("/").encode().split(b"*"))
    return re.compile(body + rb"(?:/|\Z)")
