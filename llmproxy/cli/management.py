"""The management API, asked by commands, and what its refusals mean to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import click

from .faults import Fault, fault_of_status
from .http import MAX_BODY, Answer, Http
from .output import printable

_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')


class Management:
    """
    The management API. Every method waits for the answer and returns its JSON, C{None} for 204.

    Each raises a L{Fault} for whatever is no success, with the server's own words.
    """

    def __init__(self, http: Http, token: str) -> None:
        self._http = http
        self._token = token

    def get(self, path: str, /, **query: Any) -> Any:
        """@param query: parameters; those that are C{None} are not sent."""
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any = None, **fields: str) -> Any:
        return self.request("POST", path, body, fields=_named(fields))

    def patch(self, path: str, body: Any, **fields: str) -> Any:
        return self.request("PATCH", path, body, fields=_named(fields))

    def delete(self, path: str) -> Any:
        return self.request("DELETE", path)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Any:
        """
        @param path: below C{/manage}, beginning with a slash; see L{segment} for what comes from a user.
        @param body: sent as JSON, unless it is C{None}.
        """
        return content_of(self.ask(method, path, body, query=query, fields=fields))

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Answer:
        """The same, for those who need the header section; the answer is a success."""
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "User-Agent": "llmproxy-cli"}
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        answer = self._http.ask(method, "/manage" + path + _query(query or {}), sent | dict(fields or {}), content)
        if not 200 <= answer.status < 300:
            raise fault_of_status(answer.status, words_of(answer))
        return answer

    @contextmanager
    def opened(self, path: str, *, quiet: float, **query: Any) -> Iterator[HTTPResponse]:
        """
        An answer that is read as it comes.

        @param quiet: seconds that may pass between two parts of it.
        """
        sent = {"Authorization": f"Bearer {self._token}", "User-Agent": "llmproxy-cli"}
        with self._http.opened("GET", "/manage" + path + _query(query), sent, quiet=quiet) as response:
            if response.status != 200:
                answer = Answer(response.status, response.headers, response.read(MAX_BODY))
                raise fault_of_status(answer.status, words_of(answer))
            yield response

    @property
    def address(self) -> str:
        """Where it is."""
        return str(self._http.address.text)

    def pages(self, path: str, /, **query: Any) -> Iterator[Any]:
        """
        All of a list, page by page, by the cursor that the server gives in C{Link} (RFC 8288, C{rel="next"}).

        @param query: as in L{get}.
        """
        asked = dict(query)
        while True:
            answer = self.ask("GET", path, query=asked)
            yield content_of(answer)
            cursor = next_cursor(answer)
            if cursor is None:
                return
            asked["cursor"] = cursor


def segment(text: str) -> str:
    """A name or id as one segment of a path, whatever is in it."""
    if text in ("", ".", ".."):
        raise click.UsageError(f"{text!r} is no id")
    return quote(text, safe="")


def content_of(answer: Answer) -> Any:
    if answer.status == 204 or not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        raise Fault("the answer is no JSON: is this the address of the management API?") from None


def next_cursor(answer: Answer) -> str | None:
    """The C{cursor} of the link to the next page."""
    for link in answer.fields.get_all("Link") or ():
        found = _NEXT.search(link)
        if found:
            return parse_qs(urlsplit(found[1]).query).get("cursor", [None])[0]
    return None


def words_of(answer: Answer) -> str:
    """What a refusal says, in one line: C{error: description}, or the C{title: detail} of RFC 9457."""
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return f"the server answered with status {answer.status}"
    error = said.get("error") or said.get("title") or f"status {answer.status}"
    if isinstance(error, dict):
        error = error.get("message") or f"status {answer.status}"
    more = said.get("description") or said.get("detail")
    return printable(f"{error}: {more}" if more else f"{error}")


def _query(query: Mapping[str, Any]) -> str:
    pairs = {name: value for name, value in query.items() if value is not None}
    return "?" + urlencode({name: str(value) for name, value in pairs.items()}) if pairs else ""


def _named(fields: Mapping[str, str]) -> dict[str, str]:
    """C{if_match="x"} as C{If-Match: x}."""
    return {name.replace("_", "-"): value for name, value in fields.items() if value is not None}
