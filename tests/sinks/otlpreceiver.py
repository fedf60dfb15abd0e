"""A receiver of OTLP in memory: what C{requests} would ask over a socket is answered here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import requests
from attrs import define, field
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from llmproxy.sinks.otlpexport import OtlpExport

from ..otlp import Received

Answers = Callable[[requests.PreparedRequest], tuple[int, bytes] | Exception]


def taken(request: requests.PreparedRequest) -> tuple[int, bytes]:
    return 200, b""


@define
class Receiver(BaseAdapter):
    """
    @ivar answers: the status and the body that a request gets, or what fails.
    @ivar requests: the URL and the fields of each.
    @ivar received: of those that were answered with 2xx.
    @ivar keywords: with what each was sent: certificates and timeouts.
    """

    answers: Answers = taken
    requests: list[tuple[str, CaseInsensitiveDict[str]]] = field(factory=list)
    received: Received = field(factory=Received)
    keywords: list[Mapping[str, Any]] = field(factory=list)
    fields: dict[str, str] = field(factory=dict)

    def of(self, export: OtlpExport) -> OtlpExport:
        """Have an export ask here."""
        for signal in export._options.destinations:
            session = export._session(signal)
            for scheme in ("http://", "https://"):
                session.mount(scheme, self)
        return export

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:  # type: ignore[override]
        assert request.url is not None
        self.requests.append((request.url, CaseInsensitiveDict(request.headers)))
        self.keywords.append(keywords)
        answer = self.answers(request)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        if 200 <= status < 300:
            assert isinstance(request.body, bytes)
            self.received.take(request.url, request.headers.get("content-encoding", ""), request.body)
        response = requests.Response()
        response.status_code, response.raw, response.url, response.request = status, BytesIO(body), request.url, request
        response.headers.update(self.fields)
        return response

    def close(self) -> None:
        """There is nothing open."""
