"""The file of sign-ins: what C{llmproxy login} got at each proxy, for its owner alone."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import asdict, field, frozen

from .faults import Fault

MAX_FILE = 1024 * 1024
VERSION = 1


@frozen
class SignIn:
    """
    @ivar url: of the proxy.
    @ivar expires_at: of the access token, in seconds since the epoch.
    @ivar lifetime: seconds that the access token was good for when it came.
    @ivar token_endpoint: the path, below C{url}, where the next pair of tokens is got.
    """

    url: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    lifetime: float
    token_endpoint: str
    revocation_endpoint: str

    def is_good_for(self, seconds: float, now: float) -> bool:
        """Whether the access token lasts; of one that is short-lived half of its life has to do."""
        return self.expires_at - now > min(seconds, self.lifetime / 2)


def credentials_file() -> str:
    """Where it is: C{LLMPROXY_CREDENTIALS}, else below C{XDG_CONFIG_HOME}, C{~/.config}."""
    said = os.environ.get("LLMPROXY_CREDENTIALS", "").strip()
    if said:
        return os.path.expanduser(said)
    folder = os.environ.get("XDG_CONFIG_HOME", "").strip() or os.path.expanduser("~/.config")
    return os.path.join(folder, "llmproxy", "credentials.json")


class Credentials:
    """
    The sign-ins of this user. What is read and written within C{held} is seen by no other process half done: a refresh
    token is good once, and two programs ask for a token at the same time.
    """

    def __init__(self, path: str = "") -> None:
        self.path = path or credentials_file()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Alone with the file."""
        try:
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
            fd = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Fault(f"{self.path}: cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def all(self) -> dict[str, SignIn]:
        """
        By the address of the proxy.

        @raise Fault: the file cannot be read, or is none; the words hold nothing of it.
        """
        try:
            with open(self.path, encoding="utf-8") as file:
                found = json.loads(file.read(MAX_FILE))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Fault(f"{self.path}: cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise Fault(f"{self.path}: is not what llmproxy login writes; remove it and sign in again") from None
        try:
            return {url: SignIn(url, **_checked(values)) for url, values in found["proxies"].items()}
        except (TypeError, KeyError, AttributeError, ValueError):
            raise Fault(f"{self.path}: is not what llmproxy login writes; remove it and sign in again") from None

    def keep(self, sign_in: SignIn) -> None:
        """Write one, in the place of what was kept for the same proxy."""
        self._write({**self.all(), sign_in.url: sign_in})

    def forget(self, url: str) -> None:
        found = self.all()
        if found.pop(url, None) is not None:
            self._write(found)

    def _write(self, found: dict[str, SignIn]) -> None:
        proxies = {
            url: {name: value for name, value in asdict(each).items() if name != "url"} for url, each in found.items()
        }
        folder = os.path.dirname(self.path) or "."
        try:
            # Made for its owner alone, and there as a whole or not at all.
            fd, name = tempfile.mkstemp(dir=folder, prefix=".credentials.")
            try:
                with os.fdopen(fd, "w", encoding="utf-8") as file:
                    json.dump({"version": VERSION, "proxies": proxies}, file, indent=2)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise Fault(f"{self.path}: cannot be written: {error.strerror}") from None


_NUMBERS = ("expires_at", "lifetime")


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if not isinstance(value, (int, float) if name in _NUMBERS else str):
            raise ValueError(name)
    return values
