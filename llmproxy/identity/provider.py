"""An OpenID provider: its addresses by discovery, its keys, and tokens that it has signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..config.identityschema import secure_url
from ..core.people.assertions import AssertionFault
from ..core.people.claims import UnusableClaims, asserted_of
from ..identityerrors import ProviderUnavailable
from .kept import Kept
from .signatures import check_header, check_signature, fitting, keys_of, parts_of

if TYPE_CHECKING:
    from ..config.identity import ProviderConfig
    from ..core.people.person import Asserted
    from .fetching import Fetcher

DISCOVERY = "/.well-known/openid-configuration"
"""OpenID Connect Discovery section 4."""

FRESH_METADATA, FRESH_KEYS = 3600.0, 900.0
"""Seconds; a key that is not known is asked for at once."""

KEPT = 86_400.0
"""Seconds for which both are used while the provider does not answer."""

COOLDOWN = 30.0


@frozen
class Metadata:
    """
    What a provider says of itself; see OpenID Connect Discovery section 3.

    @ivar token_methods: how programs may name themselves to it.
    @ivar names_issuer: its answers to browsers have C{iss}, RFC 9207.
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_methods: Sequence[str] = field(default=("client_secret_basic",))
    names_issuer: bool = False


class Provider:
    """
    @param seconds: the time, since the epoch.
    @param failed: called with why it could not be asked.
    """

    def __init__(
        self,
        config: ProviderConfig,
        fetcher: Fetcher,
        seconds: Callable[[], float],
        failed: Callable[[ProviderUnavailable], object] = lambda error: None,
    ) -> None:
        self.config = config
        self.seconds = seconds
        self.fetcher = fetcher
        self._metadata = Kept(
            seconds,
            self._discovered,
            fresh_for=FRESH_METADATA,
            kept_for=KEPT,
            cooldown=COOLDOWN,
            failed=failed,
        )
        self._keys = Kept(
            seconds,
            self._fetched_keys,
            fresh_for=FRESH_KEYS,
            kept_for=KEPT,
            cooldown=COOLDOWN,
            failed=failed,
        )

    async def metadata(self) -> Metadata:
        """
        @raise ProviderUnavailable: it does not say, and has not said lately.
        """
        return await self._metadata.get()

    async def verified(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """
        The header and the claims of a token that it has signed; nothing else is checked.

        @raise AssertionFault: it has not, or not in a way that is taken.
        @raise ProviderUnavailable: its keys are not known.
        """
        header, claims = parts_of(token)
        algorithm, key_id = check_header(header, self.config.algorithms)
        keys = fitting(await self._keys.get(), algorithm, key_id)
        if not check_signature(token, algorithm, keys):
            # A key that is new, or another one with the name of an old one.
            newer = await self._keys.newer()
            if newer is None or not check_signature(token, algorithm, fitting(newer, algorithm, key_id)):
                raise AssertionFault("the signature of the token is not the provider's")
        return header, claims

    def asserted(self, claims: Mapping[str, Any]) -> Asserted:
        """
        Who verified claims are of.

        @raise AssertionFault: they do not say.
        """
        config = self.config
        try:
            return asserted_of(
                claims,
                config.claims.names(),
                provider=config.name,
                issuer=config.issuer,
                trust_email=config.trust_email,
            )
        except UnusableClaims as error:
            raise AssertionFault(str(error)) from None

    async def _discovered(self) -> Metadata:
        issuer = self.config.issuer
        url = issuer.rstrip("/") + DISCOVERY
        found = await self.fetcher.document(url)
        if not isinstance(found, dict) or found.get("issuer") != issuer:
            said = str(found.get("issuer"))[:200] if isinstance(found, dict) else ""
            raise ProviderUnavailable(f"{url} is of the issuer {said!r}, not of {issuer!r}: write issuer so")
        methods = found.get("token_endpoint_auth_methods_supported")
        return Metadata(
            _address(found, "authorization_endpoint"),
            _address(found, "token_endpoint"),
            _address(found, "jwks_uri"),
            _address(found, "userinfo_endpoint", False),
            _address(found, "end_session_endpoint", False),
            tuple(map(str, methods)) if isinstance(methods, list) else ("client_secret_basic",),
            found.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _fetched_keys(self) -> list[Mapping[str, Any]]:
        metadata = await self.metadata()
        found = await self.fetcher.document(metadata.jwks_uri, endpoint="keys")
        try:
            return keys_of(found)
        except AssertionFault as error:
            raise ProviderUnavailable(f"{metadata.jwks_uri[:200]}: {error}") from None


def _address(document: Mapping[str, Any], name: str, is_needed: bool = True) -> str:
    value = document.get(name)
    if value is None and not is_needed:
        return ""
    try:
        text = value if isinstance(value, str) else ""
        # Some have a query (the policy of Azure AD B2C).
        secure_url(text.partition("?")[0])
        return text if text.isascii() and text.isprintable() and " " not in text and "#" not in text else secure_url("")
    except ValueError:
        if not is_needed:
            return ""
        raise ProviderUnavailable(f"the provider has no {name} that can be used") from None
