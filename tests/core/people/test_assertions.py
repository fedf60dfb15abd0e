"""Tests for L{llmproxy.core.people.assertions}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.assertions import (
    LOGOUT_EVENT,
    AssertionFault,
    check_access_token,
    check_id_token,
    check_logout_token,
    expires_at,
    issued_at,
)

from ...tables import row

NOW = 1_000_000.0
ISSUER = "https://id.example.com"
SAID: dict[str, Any] = {"iss": ISSUER, "sub": "u1", "iat": NOW - 10, "exp": NOW + 100}


def changed(said: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**said, **more}.items() if value is not None}


class TimeTable:
    """What is wrong with the times of any token."""

    ROWS: tuple[tuple[dict[str, Any], str], ...] = (
        ({"exp": None}, "does not say when it expires"),
        ({"exp": NOW - 60}, "has expired"),
        ({"exp": NOW - 59.5}, ""),
        ({"exp": True}, "is no moment"),
        ({"exp": "9999999999"}, "is no moment"),
        ({"exp": float("inf")}, "is no moment"),
        ({"exp": float("nan")}, "is no moment"),
        ({"exp": 10**400}, "is no moment"),
        ({"nbf": NOW + 61}, "not good yet"),
        ({"nbf": NOW + 59}, ""),
        ({"iat": NOW + 61}, "not good yet"),
        ({"iss": "https://id.example.com/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"iss": [ISSUER]}, "another issuer"),
    )


class AssertionTests(SynchronousTestCase):
    def check(self, call: Any, rows: Any) -> None:
        for more, why in rows:
            with row(more):
                if not why:
                    call(more)
                    continue
                self.assertIn(why, str(self.assertRaises(AssertionFault, call, more)))

    def test_id_token(self) -> None:
        """It is of this provider, for us, of this sign-in, and good now."""
        said = {**SAID, "aud": "us", "nonce": "n"}

        def call(more: dict[str, Any]) -> None:
            check_id_token(changed(said, more), issuer=ISSUER, client_id="us", nonce="n", now=NOW, skew=60.0)

        rows: tuple[tuple[dict[str, Any], str], ...] = (
            ({}, ""),
            ({"aud": ["us"]}, ""),
            ({"aud": ["us", "b"], "azp": "us"}, ""),
            ({"aud": "others"}, "for another program"),
            ({"aud": None}, "for another program"),
            ({"aud": {"us": 1}}, "for another program"),
            ({"aud": "us2"}, "for another program"),
            ({"aud": ["us", "b"]}, "issued to another program"),
            ({"azp": "b"}, "issued to another program"),
            ({"nonce": None}, "of another sign-in"),
            ({"nonce": "m"}, "of another sign-in"),
            ({"nonce": ["n"]}, "of another sign-in"),
            ({"iat": None}, "when it was issued"),
            ({"sub": None}, "who it is of"),
            ({"sub": 7}, "who it is of"),
        )
        self.check(call, (*rows, *TimeTable.ROWS))

    def test_no_nonce(self) -> None:
        """Two that have none are not of the same sign-in."""
        said = {**SAID, "aud": "us", "nonce": ""}
        with self.assertRaises(AssertionFault):
            check_id_token(said, issuer=ISSUER, client_id="us", nonce="", now=NOW, skew=0.0)

    def test_access_token(self) -> None:
        """It is for an audience of ours, from a program that is let in, and no token of another kind."""
        said = {**SAID, "aud": ["llm", "x"], "client_id": "cli"}

        def call(more: dict[str, Any], clients: Any = ("cli",), header: Any = None) -> None:
            check_access_token(
                header or {},
                changed(said, more),
                issuer=ISSUER,
                audiences=("llm", "llm2"),
                clients=clients,
                now=NOW,
                skew=60.0,
            )

        rows: tuple[tuple[dict[str, Any], str], ...] = (
            ({}, ""),
            ({"aud": "llm2"}, ""),
            ({"aud": "x"}, "another audience"),
            ({"aud": None}, "another audience"),
            ({"client_id": None, "azp": "cli"}, ""),
            ({"client_id": None, "cid": "cli"}, ""),
            ({"client_id": None, "appid": "cli"}, ""),
            ({"client_id": "other"}, "a program that is not let in"),
            ({"client_id": None}, "a program that is not let in"),
            ({"nonce": "n"}, "no access token"),
            ({"at_hash": "h"}, "no access token"),
            ({"events": {}}, "no access token"),
            ({"typ": "ID"}, "no access token"),
            ({"typ": "Refresh"}, "no access token"),
            ({"typ": "Bearer"}, ""),
        )
        self.check(call, (*rows, *TimeTable.ROWS))
        call({"client_id": "other"}, ())
        for kind in ("at+jwt", "application/AT+JWT", "JWT", None):
            call({}, (), {"typ": kind})
        for kind in ("logout+jwt", "dpop+jwt", "secevent+jwt", 5):
            with row(kind), self.assertRaises(AssertionFault):
                call({}, (), {"typ": kind})

    def test_logout_token(self) -> None:
        """It says what has ended, was made for that, and just now."""
        said = {**SAID, "aud": "us", "sid": "s", "events": {LOGOUT_EVENT: {}}}

        def call(more: dict[str, Any]) -> Any:
            return check_logout_token(changed(said, more), issuer=ISSUER, client_id="us", now=NOW, skew=60.0)

        rows: tuple[tuple[dict[str, Any], str], ...] = (
            ({}, ""),
            ({"aud": "b"}, "for another program"),
            ({"events": None}, "no logout token"),
            ({"events": {LOGOUT_EVENT: "x"}}, "no logout token"),
            ({"events": {"http://other": {}}}, "no logout token"),
            ({"nonce": "n"}, "no logout token"),
            ({"iat": None}, "when it was issued"),
            ({"exp": None, "iat": NOW - 300}, ""),
            ({"exp": None, "iat": NOW - 361}, "has expired"),
            ({"sub": None, "sid": None}, "neither who nor which"),
            ({"sub": 5}, "neither who nor which"),
        )
        self.check(call, (*rows, *(each for each in TimeTable.ROWS if each[0] != {"exp": None})))
        self.assertEqual((call({}), call({"sid": None})), (("u1", "s"), ("u1", "")))

    def test_moments(self) -> None:
        self.assertEqual((issued_at(SAID), issued_at({}), expires_at(SAID)), (NOW - 10, None, NOW + 100))
