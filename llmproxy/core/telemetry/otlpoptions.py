"""
Options of the export by OTLP: where each signal goes, and what is said of this process.

The variables are those of OpenTelemetry
(U{https://opentelemetry.io/docs/specs/otel/protocol/exporter/} and
U{https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/}, read on 30 November 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote

from attrs import field, frozen

from .conventions import Semconv, semconv_of

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

Compression = Literal["none", "gzip", "deflate"]
COMPRESSIONS: tuple[Compression, ...] = ("none", "gzip", "deflate")

Temporality = Literal["cumulative", "delta"]

ENDPOINT = "http://localhost:4318"
"""Where a collector listens, by the specification."""

_BASE = "OTEL_EXPORTER_OTLP_"

_LEAST_MILLISECONDS = 100.0
"""
The specification has timeouts in milliseconds, and OpenTelemetry's SDK for Python reads seconds: nobody means less than
this in milliseconds.
"""


@frozen
class Destination:
    """
    Where one signal goes.

    @ivar timeout: seconds for an export, with what is tried again in it.
    @ivar certificate: a PEM file of the authorities that are trusted; C{""} for the usual ones.
    @ivar client_certificate: ours, and C{client_key} its key; C{""} for none.
    """

    endpoint: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeout: float = 10.0
    compression: Compression = "none"
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""


@frozen
class OtlpOptions:
    """
    @ivar destinations: by the signal; one that is not here goes nowhere.
    @ivar semconv: the version of the conventions whose names are used.
    @ivar resource: what is said of this process, above what it knows itself.
    @ivar interval: seconds between two exports of metrics.
    @ivar longest: characters of a text that is an attribute; C{None} for no limit.
    """

    destinations: Mapping[Signal, Destination] = field(factory=dict)
    semconv: Semconv = "both"
    resource: Mapping[str, str] = field(factory=dict)
    interval: float = 60.0
    temporality: Temporality = "cumulative"
    longest: int | None = None


class OtlpVariables:
    """
    What the environment says of the export.

    @ivar problems: what is wrong with it: the variable, and a sentence.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[tuple[str, str]] = []

    @property
    def is_disabled(self) -> bool:
        """Nothing is exported, whatever else is said."""
        return self._text("OTEL_SDK_DISABLED").lower() == "true"

    @property
    def asked(self) -> tuple[Signal, ...]:
        """
        The signals that variables alone ask for: those that have an endpoint, and whose exporter is not another one.
        Logs only if it says so itself: they are many, and often taken from the access log already.
        """
        if self.is_disabled:
            return ()
        general = bool(self._text(f"{_BASE}ENDPOINT"))
        found: list[Signal] = []
        for signal in SIGNALS:
            exporter = self._exporter(signal)
            own = bool(self._text(f"{_BASE}{signal.upper()}_ENDPOINT"))
            usual = own or (general and (signal != "logs" or exporter == "otlp"))
            if exporter != "none" and usual:
                found.append(signal)
        return tuple(found)

    def destination(self, signal: Signal) -> Destination:
        """Where a signal goes by what is said of it, or of all of them."""
        self._check_protocol(signal)
        own = self._text(f"{_BASE}{signal.upper()}_ENDPOINT")
        base = self._text(f"{_BASE}ENDPOINT") or ENDPOINT
        endpoint = own or f"{base.rstrip('/')}/v1/{signal}"
        name = f"{_BASE}{signal.upper()}_ENDPOINT" if own else f"{_BASE}ENDPOINT"
        if not endpoint.startswith(("http://", "https://")):
            self._problem(name, "expected a URL such as http://localhost:4318")
        compression = self._one_of(self._of(signal, "COMPRESSION"), COMPRESSIONS, "none")
        return Destination(
            endpoint,
            self._pairs(self._of(signal, "HEADERS")),
            self._timeout(self._of(signal, "TIMEOUT")),
            compression,  # type: ignore[arg-type]
            self._text(self._of(signal, "CERTIFICATE")),
            self._text(self._of(signal, "CLIENT_CERTIFICATE")),
            self._text(self._of(signal, "CLIENT_KEY")),
        )

    def semconv(self) -> Semconv | None:
        """C{None} where nothing is said."""
        return semconv_of(self._text("OTEL_SEMCONV_STABILITY_OPT_IN"))

    def resource(self) -> dict[str, str]:
        """C{OTEL_RESOURCE_ATTRIBUTES}, and C{OTEL_SERVICE_NAME} above it."""
        found = self._pairs("OTEL_RESOURCE_ATTRIBUTES")
        name = self._text("OTEL_SERVICE_NAME")
        return {**found, "service.name": name} if name else found

    def interval(self) -> float:
        """Seconds between two exports of metrics."""
        return self._number("OTEL_METRIC_EXPORT_INTERVAL", 60_000, 1000) / 1000

    def temporality(self) -> Temporality:
        """C{lowmemory} is delta for all that is measured here."""
        name = f"{_BASE}METRICS_TEMPORALITY_PREFERENCE"
        text = self._one_of(name, ("cumulative", "delta", "lowmemory"), "cumulative")
        return "cumulative" if text == "cumulative" else "delta"

    def longest(self) -> int | None:
        """Characters of a text that is an attribute of a span."""
        for name in ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"):
            if self._text(name):
                return round(self._number(name, 0, 0))
        return None

    def options(self, signals: tuple[Signal, ...] | None = None) -> OtlpOptions:
        """
        All of it.

        @param signals: those that are exported; those that variables alone ask for if C{None}.
        """
        wanted = self.asked if signals is None else signals
        return OtlpOptions(
            {signal: self.destination(signal) for signal in wanted},
            self.semconv() or "both",
            self.resource(),
            self.interval(),
            self.temporality(),
            self.longest(),
        )

    # -- how they are read

    def _text(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def _problem(self, name: str, sentence: str) -> None:
        if (name, sentence) not in self.problems:
            self.problems.append((name, sentence))

    def _of(self, signal: Signal, name: str) -> str:
        """The variable that holds for a signal: its own, else that of all."""
        own = f"{_BASE}{signal.upper()}_{name}"
        return own if self._text(own) else f"{_BASE}{name}"

    def _exporter(self, signal: Signal) -> str:
        """C{otlp}, C{none}, or C{""} where nothing is said; others are not here."""
        name = f"OTEL_{signal.upper()}_EXPORTER"
        words = [each.strip() for each in self._text(name).split(",") if each.strip()]
        if not words:
            return ""
        if "otlp" in words or words == ["none"]:
            return "otlp" if "otlp" in words else "none"
        self._problem(name, f"expected otlp or none, got {words[0][:40]!r}: nothing else is exported here")
        return "none"

    def _check_protocol(self, signal: Signal) -> None:
        name = self._of(signal, "PROTOCOL")
        text = self._text(name)
        if text not in ("", "http/protobuf"):
            sentence = f"expected http/protobuf, got {text[:40]!r}: the port for it is 4318 as a rule, not 4317"
            self._problem(name, sentence)

    def _one_of(self, name: str, words: tuple[str, ...], default: str) -> str:
        text = self._text(name).lower()
        if text in ("", *words):
            return text or default
        self._problem(name, f"expected one of {', '.join(words)}, got {text[:40]!r}")
        return default

    def _number(self, name: str, default: float, least: float) -> float:
        text = self._text(name)
        try:
            number = float(text) if text else default
        except ValueError:
            number = -1.0
        if not least <= number <= 1e12:
            self._problem(name, f"expected a number from {least:g} on, got {text[:40]!r}")
            return default
        return number

    def _timeout(self, name: str) -> float:
        number = self._number(name, 10_000, 0)
        if number == 0:
            self._problem(name, "expected a number of milliseconds above 0")
            return 10.0
        return number if number < _LEAST_MILLISECONDS else number / 1000

    def _pairs(self, name: str) -> dict[str, str]:
        """Names with values, C{a=1,b=2}; both may be percent-encoded."""
        found = {}
        for number, each in enumerate(part for part in self._text(name).split(",") if part.strip()):
            key, mark, value = (unquote(part.strip()) for part in each.partition("="))
            if not mark or not key or not _is_printable(key + value):
                # It may be a secret, which is shown nowhere.
                self._problem(name, f"expected name=value with commas between, which part {number + 1} is not")
            else:
                found[key] = value
        return found


def _is_printable(text: str) -> bool:
    """Whether it can stand in a header field: one that cannot is refused here, and not with every export."""
    return text.isprintable()


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether variables alone ask for an export."""
    return bool(OtlpVariables(environment).asked)
