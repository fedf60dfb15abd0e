"""Faults of people who sign in by an identity provider, and of the provider."""

from __future__ import annotations

from .errors import Forbidden, InvalidToken, Unavailable


class PersonRevoked(InvalidToken):
    """Somebody who was shut out, whatever their provider says; 401, as for a token that was revoked."""

    code, message = "person_revoked", "Your access has been revoked"


class NotGranted(Forbidden):
    """The provider knows them, and no rule gives them what they ask for."""

    code, message = "not_granted", "You are signed in, but nothing here is granted to you"


class TokenRefused(InvalidToken):
    """An access token of a provider that cannot be used; why is said as far as it helps its owner."""

    code, message = "token_refused", "The access token is not accepted"


class ProviderUnavailable(Unavailable):
    """The identity provider cannot be asked, and nothing is known that could take its place."""

    code, message = "identity_provider_unavailable", "The identity provider cannot be reached"


class SignInOver(Exception):
    """A provider does not stand for somebody any more who had signed in; what is said of it is for the log."""
