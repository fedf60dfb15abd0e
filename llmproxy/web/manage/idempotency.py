"""
C{Idempotency-Key}: a call that is repeated because its answer was lost is not made twice.

The answer is kept for a day, and may hold a token's secret. It is encrypted with what the caller shows: the token of
management and the key. Neither is in the database, so that nobody who reads it there learns the secret, and nobody
but the caller who made it gets it again. A call that failed is forgotten: it did nothing.

A call of which nothing more was heard (a process that was killed) may have been made. Who repeats it learns that,
rather than have it done twice.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from twisted.logger import Logger

from ...errors import BadRequest, Conflict, OutcomeUnknown, Unprocessable
from ..operations import Call, Operation

if TYPE_CHECKING:
    from ...interfaces import IIdempotencyStore
    from ...message import IdempotentCall

LIFETIME = 86_400.0
"""Seconds that an answer is kept."""

RUNNING_FOR = 60.0
"""Seconds after which a call that was not answered is taken for lost."""

MAX_KEY = 255
_NONCE = 12


class KeyReused(Unprocessable):
    code, message = "idempotency_key_reused", "this Idempotency-Key was used for another call"


class CallRunning(Conflict):
    code, message = "call_running", "the call with this Idempotency-Key is running"


class CallLost(Conflict):
    """Also: it was made with another token, or by another program."""

    code, message = "outcome_unknown", "how the call with this Idempotency-Key ended is not known"


class Repeats:
    """
    @param seconds: the time, since the epoch.
    """

    _log = Logger()

    def __init__(self, seconds: Callable[[], float], store: IIdempotencyStore) -> None:
        self._seconds = seconds
        self._store = store

    async def perform(self, call: Call, operation: Operation) -> Any:
        """
        Make a call, or answer it as before.

        @raise KeyReused: the key was used for something else.
        @raise CallRunning: it is being made at this moment.
        @raise CallLost: it may have been made, and may not.
        """
        key: bytes | None = call.request.getHeader(b"idempotency-key")
        if key is None or call.request.method != b"POST":
            return await operation.respond(call)
        _check(key)
        safe = _Safe(call.actor.secret, key)
        who = (call.actor.id, sha256(key).hexdigest())
        asked = sha256(call.request.uri + b"\n" + call.content).hexdigest()
        begun = await self._store.begin(*who, asked, LIFETIME)
        if begun is not None:
            return self._again(call, begun, asked, safe)
        own = len(call.fields)
        result = await self._once(call, operation, who)
        status = call.status or operation.status
        await self._keep(who, status, safe.seal(msgspec.json.encode({"fields": call.fields[own:], "answer": result})))
        return result

    async def _once(self, call: Call, operation: Operation, who: tuple[str, str]) -> Any:
        try:
            return await operation.respond(call)
        except OutcomeUnknown:
            raise
        except Exception:
            await self._forget(who)
            raise

    async def _forget(self, who: tuple[str, str]) -> None:
        try:
            await self._store.forget(*who)
        except Exception:
            # The caller learns why the call failed, not this; the key is spent for the day.
            self._log.failure("a call that failed could not be forgotten")

    async def _keep(self, who: tuple[str, str], status: int, sealed: str) -> None:
        try:
            await self._store.finish(*who, status, sealed)
        except Exception:
            # It is done. A repetition is answered that this is not known, which is true enough.
            self._log.failure("an answer could not be kept for a repeated call")

    def _again(self, call: Call, begun: IdempotentCall, asked: str, safe: _Safe) -> Any:
        call.details["repeated"] = True
        if begun.fingerprint != asked:
            raise KeyReused("a key stands for one call: the same target and the same content")
        if begun.status is None and self._seconds() - begun.begun_at < RUNNING_FOR:
            raise CallRunning("repeat it in a moment", fields=((b"Retry-After", b"1"),))
        kept = None if begun.answer is None else safe.open(begun.answer)
        if kept is None:
            raise CallLost("it may have been made: look for what it should have done, and then use another key")
        said = msgspec.json.decode(kept, type=_Kept)
        call.status = begun.status
        call.fields += [*said.fields, (b"Idempotency-Replayed", b"true")]
        return said.answer


class _Kept(msgspec.Struct):
    fields: list[tuple[bytes, bytes]]
    answer: msgspec.Raw


class _Safe:
    """Seals and opens with what the caller shows (HKDF, RFC 5869; AES-256-GCM)."""

    def __init__(self, secret: bytes, key: bytes) -> None:
        derived = HKDF(SHA256(), 32, salt=sha256(key).digest(), info=b"llmproxy idempotency")
        self._cipher = AESGCM(derived.derive(b"%d:%b%b" % (len(secret), secret, key)))

    def seal(self, plain: bytes) -> str:
        nonce = os.urandom(_NONCE)
        return b64encode(nonce + self._cipher.encrypt(nonce, plain, None)).decode()

    def open(self, sealed: str) -> bytes | None:
        """C{None} if somebody else sealed it."""
        raw = b64decode(sealed)
        try:
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], None)
        except InvalidTag:
            return None


def _check(key: bytes) -> None:
    if not 1 <= len(key) <= MAX_KEY or not (key.isascii() and key.decode("latin-1").isprintable()):
        raise BadRequest(f"expected 1 to {MAX_KEY} printable ASCII characters", message="invalid Idempotency-Key")
