"""A look at each identity provider: its discovery document and its keys, as everybody may read them."""

from __future__ import annotations

import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

import msgspec
from attrs import evolve

from ..core.doctor.identityprovider import ProviderFacts
from ..core.people.assertions import AssertionFault
from ..upstream.proxies import Proxies
from .bounded import Late, at_once
from .subject import Subject

if TYPE_CHECKING:
    from ..config.identity import ProviderConfig

TIMEOUT = 5.0
SECONDS = 8.0
MOST_READ = 512 * 1024


def look_at_identity(subject: Subject) -> tuple[ProviderFacts, ...] | None:
    """Each provider; C{None} where nothing outside is to be asked."""
    identity = None if subject.apis is None else subject.apis.identity
    if identity is None:
        return ()
    if subject.offline:
        return None
    providers = identity.providers
    found = at_once([lambda each=each: _look(each, subject) for each in providers], SECONDS)  # type: ignore[misc]
    return tuple(_result(config, each) for config, each in zip(providers, found, strict=True))


def _result(config: ProviderConfig, found: ProviderFacts | Exception) -> ProviderFacts:
    facts = ProviderFacts(config.name, config.issuer)
    if isinstance(found, Late):
        return evolve(facts, error=f"no answer within {SECONDS:g} s")
    return evolve(facts, error=f"{type(found).__name__}: {found}") if isinstance(found, Exception) else found


def _look(config: ProviderConfig, subject: Subject) -> ProviderFacts:
    from ..identity.provider import DISCOVERY
    from ..identity.signatures import keys_of

    facts = ProviderFacts(config.name, config.issuer, skew=config.clock_skew)
    try:
        url = config.issuer.rstrip("/") + DISCOVERY
        said, clock = _document(url, config, subject)
        if not isinstance(said, dict) or said.get("issuer") != config.issuer:
            named = said.get("issuer") if isinstance(said, dict) else None
            return evolve(facts, error=f"it calls itself {str(named)[:200]!r}, and issuer is {config.issuer!r}")
        keys, _ = _document(str(said.get("jwks_uri")), config, subject)
        usable = keys_of(keys)
    except AssertionFault as error:
        return evolve(facts, error=str(error))
    except (OSError, ValueError, msgspec.DecodeError) as error:
        return evolve(facts, error=_words(error))
    methods = said.get("code_challenge_methods_supported")
    return evolve(facts, keys=len(usable), pkce=not isinstance(methods, list) or "S256" in methods, clock=clock)


def _document(url: str, config: ProviderConfig, subject: Subject) -> tuple[Any, float | None]:
    """What is there, and how far the clock there is before ours."""
    opener, fields = _opener(url, config, subject)
    request = Request(url, headers={"Accept": "application/json", **fields})  # noqa: S310 - _opener looks at the scheme
    with opener.open(request, timeout=TIMEOUT) as answer:
        said = answer.headers.get("Date")
        clock = None if said is None else parsedate_to_datetime(said).timestamp() - time.time()
        return msgspec.json.decode(answer.read(MOST_READ)), clock


def _opener(url: str, config: ProviderConfig, subject: Subject) -> tuple[OpenerDirector, dict[str, str]]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it names no address for its keys")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    proxy = Proxies.from_environment(subject.env).before(secure, parts.hostname or "", port)
    fields = {}
    if proxy is not None and proxy.authorization is not None:
        fields["Proxy-Authorization"] = proxy.authorization.decode("latin-1")
    ways = {} if proxy is None else {parts.scheme: f"http://{proxy.host}:{proxy.port}"}
    context = ssl.create_default_context(cafile=config.ca_file)
    return build_opener(ProxyHandler(ways), HTTPSHandler(context=context), _NoRedirects()), fields


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **keywords: Any) -> None:
        return None


def _words(error: Exception) -> str:
    if isinstance(error, HTTPError):
        error.close()
        return f"it answers {error.code} where its discovery document or its keys should be"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, msgspec.DecodeError):
        return "what it sends is no JSON"
    reason = error.reason if isinstance(error, URLError) else error
    return f"no answer: {getattr(reason, 'strerror', None) or reason}"
