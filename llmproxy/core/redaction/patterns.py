"""
Patterns of what belongs to persons: each finds more rather than less, and checks what can be checked.

Every pattern reads a text once, whatever the text: what follows a beginning is bounded, and nothing can be read in two
ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv6Address
from itertools import accumulate

MARK = "[redacted]"

Clean = Callable[[str], str]
"""A text without what a pattern finds in it."""

_EMAIL = re.compile(r"[\w.+'&/=~-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![^\W_])", re.IGNORECASE)
_CARDS = re.compile(r"(?<!\d)[0-9](?:[ .\u00a0-]?[0-9]){12,}")
_PHONES = re.compile(
    r"""
      (?<![\w+])(?:\+|00)[ ]?\(?[1-9](?:[ \u00a0()./-]{0,2}[0-9]){6,}                     # with the code of a country
    | (?<![\w+.-])(?:1[ .-]?)?(?:\([0-9]{3}\)[ ]?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}(?![\w])   # North America
    | (?<![\w+.,-])\(?0[1-9][0-9]{0,4}\)?[ /-]?(?:[0-9][ -]?){4,}[0-9](?![\w])               # with the 0 of a trunk
    """,
    re.VERBOSE,
)
_IBANS = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}")
_IBAN_SIZES = {
    each[:2]: int(each[2:])
    for each in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 "
        "EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 "
        "KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 "
        "PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 "
        "VA22 VG24 XK20 YE30"
    ).split()
}
"""Characters by country, of SWIFT's registry."""

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP4 = re.compile(rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w]|\.[0-9])")
_IP6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?::?[0-9]{1,3}(?:\.[0-9]{1,3}){3})?(?![\w:]|\.[0-9])"
)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}([ -])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![\w-])")
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>`]+", re.IGNORECASE)
_UUID = re.compile(r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])", re.IGNORECASE)


def _email(text: str) -> str:
    return _EMAIL.sub(MARK, text) if "@" in text or "%40" in text else text


def _card(text: str) -> str:
    return _CARDS.sub(_without_cards, text)


def _without_cards(found: re.Match[str]) -> str:
    """A run of digits may be a card and what was written behind it, or several cards."""
    run = found[0]
    places = [at for at, each in enumerate(run) if each.isdigit()]
    digits = _Digits([int(run[at]) for at in places])
    kept, at = [run[: places[0]]], 0
    while at < len(places):
        begins = places[at] == 0 or not run[places[at] - 1].isdigit()
        ends = (
            at + length
            for length in range(min(19, len(places) - at), 12, -1)
            if not run[places[at + length - 1] + 1 : places[at + length - 1] + 2].isdigit()
        )
        end = next((end for end in ends if digits.is_card(at, end)), 0) if begins else 0
        after = end or at + 1
        rest = run[places[after - 1] + 1 : places[after] if after < len(places) else len(run)]
        kept.append((MARK if end else run[places[at]]) + rest)
        at = after
    return "".join(kept)


class _Digits:
    """Digits of which any piece may be looked at, without adding them up anew."""

    def __init__(self, digits: list[int]) -> None:
        self._digits = digits
        # Sums where the digits at even, and those at odd places count twice.
        doubled = [each * 2 - 9 * (each > 4) for each in digits]
        pairs = list(zip(digits, doubled, strict=True))
        self._sums = tuple(
            [0, *accumulate(pair[at % 2 == parity] for at, pair in enumerate(pairs))] for parity in (0, 1)
        )

    def is_card(self, begin: int, end: int) -> bool:
        """ISO/IEC 7812-1: the second digit from the end counts twice, and every other one before it."""
        sums = self._sums[end % 2]
        return 1 < self._digits[begin] < 7 and (sums[end] - sums[begin]) % 10 == 0


def _phone(text: str) -> str:
    return _PHONES.sub(MARK, text)


def _iban(text: str) -> str:
    kept, at = [], 0
    while (found := _IBANS.search(text, at)) is not None:
        length = _iban_in(found[0])
        kept.append(text[at : found.start()])
        # What follows may be words, or another one.
        at = found.start() + (length or 4)
        kept.append(MARK if length else text[found.start() : at])
    return "".join((*kept, text[at:]))


def _iban_in(run: str) -> int:
    """How many characters of a run are one, ISO 13616: the rest by 97 is 1; 0 for none."""
    size = _IBAN_SIZES.get(run[:2].upper(), 0)
    places = [at for at, each in enumerate(run) if each.isalnum()][:size]
    if not size or len(places) < size:
        return 0
    letters = "".join(run[at] for at in places).upper()
    number = "".join(str(int(each, 36)) for each in letters[4:] + letters[:4])
    return places[-1] + 1 if int(number) % 97 == 1 else 0


def _ip(text: str) -> str:
    if text.count(":") > 1:
        text = _IP6.sub(lambda found: MARK if _is_ip6(found[0]) else found[0], text)
    return _IP4.sub(MARK, text) if "." in text else text


def _is_ip6(text: str) -> bool:
    if len(text) < 3:
        return False
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


BUILT_IN: dict[str, Clean] = {
    "email": _email,
    "card": _card,
    "iban": _iban,
    "ssn": lambda text: _SSN.sub(MARK, text),
    "uuid": lambda text: _UUID.sub(MARK, text),
    "mac": lambda text: _MAC.sub(MARK, text),
    "ip": _ip,
    "phone": _phone,
    "url": lambda text: _URL.sub(MARK, text) if "://" in text else text,
}
"""By the names that a configuration has for them, in the order in which they are looked for."""

MAY_FIND: dict[str, Callable[[str], object]] = {
    "email": lambda text: "@" in text or "%40" in text,
    "card": _CARDS.search,
    "url": lambda text: "://" in text,
}
"""Whether a pattern may find anything in a text that holds many, JSON for example; others always may."""
