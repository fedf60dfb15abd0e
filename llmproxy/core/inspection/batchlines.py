"""The lines of a batch file, judged as they pass: each is a call of its own, with a model of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from attrs import frozen

from ...errors import BadRequest
from ..gathering import Gathered
from . import jsonbody
from .endpointrules import EndpointRules, Rules
from .steps import Steps
from .whitelist import ParamRule, Path, Whitelist

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of one call in a batch file; with a few pictures in it, it has some megabytes."""

_BLANK = b" \t\r\n"


@frozen
class _Urls(ParamRule):
    """
    The C{url} of a line, which says what rules hold for the call.

    @ivar seen: called with each.
    """

    seen: Callable[[str], object]

    def check(self, value: str) -> None:
        self.seen(value)


class BatchLines:
    """
    @param rules: of the endpoint that the file is sent to, which hold where the C{url} of a line says nothing.
    @param everywhere: what holds at the C{url} of a line.
    @param room: whether there is memory for so many bytes of a line more; it raises what says that there is none.
        Less than none is given back.
    """

    def __init__(self, rules: Rules, everywhere: EndpointRules, room: Callable[[int], object]) -> None:
        self._everywhere = everywhere
        self._room = room
        self._rules = rules
        self._url: str | None = None
        url = _Urls("url", (), re.compile(""), False, self._seen)
        # Where endpoints have rules of their own, the url must be known before the rest can be judged.
        found: dict[str | Path, ParamRule] = {("url",): url}
        if not everywhere.by_endpoint:
            found.update((path, rule) for path, rule in rules.lines.rules.items())
        self._first = Whitelist.compile(found)
        self._line = Gathered()
        self._begun = False
        self._number = 1
        self.objects = False

    def feed(self, data: bytes) -> Steps[None]:
        """
        @raise ParamNotAllowed: a line has a parameter that is not allowed.
        @raise EndpointNotAllowed: it is a call of an endpoint that the caller may not use.
        @raise BadRequest: a line is no JSON object, or too long.
        """
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            self._keep(data[at:end])
            at = end + 1
            yield from self._judge()
        self._keep(data[at:])

    def end(self) -> Steps[None]:
        """The file is complete; its last line need not end with a line break."""
        yield from self._judge()

    def _keep(self, data: bytes) -> None:
        if not self._begun and (begin := data.lstrip(_BLANK)):
            self._begun, self.objects = True, begin[:1] == b"{"
            if not self.objects:
                raise BadRequest("the batch file does not begin with a JSON object")
        if self._line.size + len(data) > LONGEST_LINE:
            raise BadRequest(f"line {self._number} of the batch file is longer than {LONGEST_LINE} bytes")
        self._room(len(data))
        self._line.add(data)

    def _judge(self) -> Steps[None]:
        line = self._line.joined()
        if line.strip(_BLANK):
            self._url = None
            yield from jsonbody.inspection(line, self._first.root)
            yield from self._by_url(line)
        # Of blank lines, too: a piece of the file can hold as many as it has bytes.
        yield
        self._room(-len(line))
        self._number += 1

    def _by_url(self, line: bytes) -> Steps[None]:
        rules: Rules | None = self._rules
        if self._url is not None:
            path = urlsplit(self._url).path.encode("utf-8", "surrogatepass")
            rules = self._everywhere.at(path)
            if rules is not None:
                rules.check_path(path)
        if rules is not None and self._everywhere.by_endpoint:
            yield from jsonbody.inspection(line, rules.lines.root)

    def _seen(self, url: str) -> None:
        self._url = url
        if self._rules.calls is not None:
            self._rules.calls.check(url)
