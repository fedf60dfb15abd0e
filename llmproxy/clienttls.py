"""TLS for clients, to hosts of any name."""

from __future__ import annotations

from typing import Any

from twisted.internet.ssl import optionsForClientTLS

_NOBODY = "name.invalid"
"""RFC 6761 section 6.4: no certificate is for it."""


def tls_to(host: str, **options: Any) -> Any:
    """
    What L{optionsForClientTLS} makes, for names that IDNA has no rules for, too (C{llm_server}: RFC 5892 knows no
    underscore, RFC 2181 section 11 does): a name in ASCII is sent and verified as it is.
    """
    try:
        return optionsForClientTLS(host, **options)
    except UnicodeError:
        if not host.isascii():
            raise
    made: Any = optionsForClientTLS(_NOBODY, **options)
    # Private names of Twisted 24.7 to 26.10. Were they called otherwise, no certificate would be accepted.
    made._hostname = made._hostnameASCII = host
    made._hostnameBytes = host.encode("ascii")
    return made
