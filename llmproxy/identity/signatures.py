"""Signatures of tokens: checked by keys of the provider, and by algorithms with a private key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from ..core.people.assertions import AssertionFault

LONGEST = 16 * 1024
"""Characters; a longer token is not read at all."""

MOST_KEYS = 50

_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_LEAST_RSA = 2048
"""Bits; RFC 7518 section 3.3."""


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    The header and the claims as the token has them. B{Nothing of it is verified}: it is for finding the provider.

    @raise AssertionFault: it is no signed JWT.
    """
    if len(token) > LONGEST or token.count(".") != 2:
        raise AssertionFault("it is no signed JWT")
    try:
        found = jws.extract_compact(token.encode("ascii"))
        header, claims = found.headers(), msgspec.json.decode(found.payload)
    except (JoseError, ValueError, RecursionError, msgspec.DecodeError):
        raise AssertionFault("it is no signed JWT") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise AssertionFault("it is no signed JWT")
    return header, claims


def check_header(header: Mapping[str, Any], algorithms: Collection[str]) -> tuple[str, str | None]:
    """
    The algorithm and the id of the key, which may be C{None}.

    @raise AssertionFault: it is signed in a way that is not taken: C{none}, or with a key that others have too.
    """
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm[:2] not in _KINDS:
        raise AssertionFault("the token is not signed in a way that is taken here")
    # RFC 7515 section 4.1.11: what it would have us understand, we do not.
    if "crit" in header or "b64" in header:
        raise AssertionFault("the token asks for extensions that are not known here")
    if key_id is not None and not isinstance(key_id, str):
        raise AssertionFault("the id of the token's key is no text")
    return algorithm, key_id


def check_signature(token: str, algorithm: str, keys: Iterable[Any]) -> bool:
    """Whether one of the keys has signed it."""
    for key in keys:
        try:
            jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError):
            continue
        return True
    return False


def keys_of(document: object) -> list[Mapping[str, Any]]:
    """
    The public keys for signatures of a JWK set (RFC 7517); what else is in it is left out.

    @raise AssertionFault: it is none.
    """
    found = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise AssertionFault("the provider's keys are no JWK set")
    return [each for each in found[:MOST_KEYS] if isinstance(each, dict) and _is_usable(each)]


def fitting(keys: Iterable[Mapping[str, Any]], algorithm: str, key_id: str | None) -> list[Any]:
    """Those that can have made a signature, ready for use."""
    kind, found = _KINDS[algorithm[:2]], []
    for key in keys:
        if key["kty"] != kind or key.get("alg") not in (None, algorithm):
            continue
        if key_id is not None and key.get("kid") not in (None, key_id):
            continue
        if algorithm in _CURVES and key.get("crv") != _CURVES[algorithm]:
            continue
        made = _made(key)
        if made is not None:
            found.append(made)
    return found


def _is_usable(key: Mapping[str, Any]) -> bool:
    operations = key.get("key_ops")
    if key.get("kty") not in _KINDS.values() or key.get("use") not in (None, "sig"):
        return False
    return operations is None or (isinstance(operations, list) and "verify" in operations)


def _made(key: Mapping[str, Any]) -> Any:
    plain = {name: value for name, value in key.items() if name in ("kty", "n", "e", "crv", "x", "y")}
    try:
        made: Any = JWKRegistry.import_key(plain)
        size = getattr(made.raw_value, "key_size", None) if key["kty"] == "RSA" else None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None if size is not None and size < _LEAST_RSA else made
