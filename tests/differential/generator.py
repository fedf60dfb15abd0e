"""Bodies made of what readers are known to differ in. All of it follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

NAMES = (
    b"model",
    b"Model",
    b"MODEL",
    b"a",
    b"x",
    b"model[]",
    b"mo_del",
    b"%6dodel",
    b"mode\xe2\x84\x93",
    b"m\\u006fdel",
)
VALUES = (b"ok", b"evil", b"ok ", b"", b"ok\r\n", b"\xff", b"ok;model=evil", b"--b", b"\r\n--b", b"ok&model=evil")
BOUNDARIES = (b"b", b"b", b"b", b'"b"', b"b ", b'"b";', b"b; charset=utf-8", b"b; x=y", b"b; boundary=c", b"bb", b"'b'")
JUNK = (
    b"",
    b"",
    b"",
    b"",
    b" ",
    b"\t",
    b";",
    b",",
    b"\r\n",
    b"\n",
    b"\r",
    b"x",
    b'"',
    b"\\",
    b"=",
    b"\0",
    b"--",
    b"--b",
    b"{",
    b"}",
)


class Body(NamedTuple):
    """
    @ivar kind: C{json}, C{form} or C{multipart}.
    """

    kind: str
    content_type: bytes
    content: bytes


def bodies(seed: int) -> Iterator[Body]:
    """No end of them."""
    random = Random(seed)
    makers = (_multipart, _multipart, _json, _form)
    while True:
        body = random.choice(makers)(random)
        if random.random() < 0.3:
            body = body._replace(content=_damaged(random, body.content))
        yield body


def _damaged(random: Random, content: bytes) -> bytes:
    at = random.randint(0, len(content))
    return content[:at] + random.choice(JUNK) + content[at + random.choice((0, 0, 1, 2)) :]


def _rarely(random: Random, usual: bytes, *others: bytes, chance: float = 0.12) -> bytes:
    return random.choice(others) if random.random() < chance else usual


# -- multipart


def _multipart(random: Random) -> Body:
    boundary = random.choice(BOUNDARIES)
    kind = _rarely(random, b"multipart/form-data", b"Multipart/Form-Data", b"multipart/form-data ", b"multipart/mixed")
    separator = _rarely(random, b"; ", b";", b" ; ", b";\t", b",", b"; ;")
    content = b"".join(_part(random) for _ in range(random.choice((1, 1, 2, 3))))
    content = _rarely(random, b"", b"preamble\r\n", b"\r\n", b"\n", chance=0.05) + content
    content += _rarely(random, b"--b--\r\n", b"--b--", b"--b-- \r\n", b"--b", b"--b--\r\n\r\n", b"--b--x", b"")
    return Body("multipart", kind + separator + b"boundary=" + boundary, content)


def _part(random: Random) -> bytes:
    break_ = _rarely(random, b"\r\n", b"\n", b"\r", b" \r\n", chance=0.04)
    lines = [_name(random) + b": " + _disposition(random)]
    while random.random() < 0.25:
        lines.insert(random.randint(0, len(lines)), random.choice(_LINES))
    head = b"\r\n".join(lines)
    blank = _rarely(random, b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\r\n", b"\r\n \r\n", chance=0.04)
    return (
        b"--b"
        + break_
        + head
        + blank
        + random.choice(VALUES)
        + _rarely(random, b"\r\n", b"\n", b"", b"\r", chance=0.04)
    )


def _name(random: Random) -> bytes:
    usual = b"Content-Disposition"
    return _rarely(random, usual, usual.lower(), usual + b" ", b" " + usual, b"X-" + usual, chance=0.08)


_LINES = (
    b"Content-Type: text/plain",
    b"Content-Type: text/plain; charset=utf-8",
    b"Content-Type: text/plain; charset=utf-16",
    b"Content-Type: text/plain; charset=iso-8859-1",
    b"Content-Type: application/octet-stream",
    b"Content-Type: application/json",
    b"Content-Type: multipart/mixed; boundary=c",
    b"Content-Transfer-Encoding: binary",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Disposition: form-data; name=model",
    b"Content-Length: 2",
    b"Content-Length: 0",
    b"Content-Encoding: gzip",
    b"X-A: b",
    b" folded; name=model",
    b"nothing",
)


def _disposition(random: Random) -> bytes:
    parameters = [b"name=" + _quoted(random, random.choice(NAMES))]
    while random.random() < 0.3:
        parameters.insert(random.randint(0, len(parameters)), random.choice(_PARAMETERS))
    if random.random() < 0.1:
        parameters.pop(random.randrange(len(parameters)))
    text = _rarely(random, b"form-data", b"Form-Data", b"attachment", b"form-data ", b"form-data\t", b"", chance=0.08)
    for parameter in parameters:
        text += _rarely(random, b"; ", b";", b" ;", b";;", b",", b" ", b";\t", b"; \t ", chance=0.15) + parameter
    return text + _rarely(random, b"", b";", b", x", b" x", b'"', b"\\", b" ", chance=0.08)


_PARAMETERS = (
    b"name",
    b"name=a",
    b"name=model",
    b'name="model"',
    b'NAME="model"',
    b"name*=utf-8''model",
    b'name*0="mo"',
    b'name*1="del"',
    b"filename=x",
    b'filename=""',
    b'filename="a;b"',
    b'filename="a; name=model"',
    b'filename="x\\"; name=\\"model"',
    b'filename="x\\\\"',
    b'filename="C:\\x"',
    b"filename*=utf-8''x",
    b"filename*=utf-8''x%22%3B%20name%3Dmodel",
    b"size=1",
    b'x="; name=model; "',
)


def _quoted(random: Random, text: bytes) -> bytes:
    usual = b'"' + text + b'"'
    return _rarely(
        random, usual, text, b"'" + text + b"'", b'"' + text, b'"\\' + text[:1] + text[1:] + b'"', b'" ' + text + b'"'
    )


# -- JSON


def _json(random: Random) -> Body:
    names = (*NAMES, b"m\\u006fdel", b"model\\u0000", b"MODE\\u004C", b"\xc5\xbf", b"mo\\del", b"model\\ud800")
    members = []
    for _ in range(random.choice((1, 1, 2, 2, 3))):
        value = random.choice(_JSON_VALUES)
        members.append(b'"' + random.choice(names) + b'"' + random.choice((b":", b": ", b" :\n")) + value)
    content = b"{" + b",".join(members) + _rarely(random, b"", b",", b" ", b"//x\n", b"/**/", chance=0.08) + b"}"
    content = _rarely(random, b"", b"\xef\xbb\xbf", b" ", b"\n", b"\x0c", b"\xc2\xa0", b"[", chance=0.08) + content
    content += _rarely(random, b"", b" ", b"{}", b"\0", b"x", b'{"model":"evil"}', chance=0.08)
    if random.random() < 0.05:
        content = content.decode("latin-1").encode(random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))
    kind = _rarely(
        random, b"application/json", b"application/json; charset=utf-8", b"application/json; charset=utf-16", b""
    )
    return Body("json", kind, content)


_JSON_VALUES = (
    *(
        b'"ok"',
        b'"ok"',
        b'"ok"',
        b'"evil"',
        b'"\\u006fk"',
        b'"o\\k"',
        b'"ok\\ud800"',
        b'"ok\\u0000"',
        b'"ok',
        b"'ok'",
        b"ok",
    ),
    *(
        b"1",
        b"01",
        b"1e999",
        b"-0",
        b"NaN",
        b"null",
        b"true",
        b"[]",
        b"[1,]",
        b"{}",
        b'{"model":"evil"}',
        b'[{"model":"x"}]',
    ),
    *(
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"a\tb"',
        b'"\\x41"',
        b'["ok"]',
        b"[" * 200 + b"]" * 200,
        b'"\xc3\xa9"',
        b'"\x7f"',
    ),
)


# -- forms


def _form(random: Random) -> Body:
    pairs = []
    for _ in range(random.choice((1, 1, 2, 2, 3))):
        name, value = (
            random.choice((*NAMES, b"+model", b"model%00", b"%4dodel", b"_charset_")),
            random.choice(_FORM_VALUES),
        )
        pairs.append(name + _rarely(random, b"=", b"", b"==", b"%3D", b" = ", chance=0.08) + value)
    content = b"".join(
        pair + _rarely(random, b"&", b";", b"&&", b"&amp;", b"%26", b"\n", chance=0.08) for pair in pairs
    )
    usual = b"application/x-www-form-urlencoded"
    kind = _rarely(random, usual, usual + b"; charset=utf-8", usual + b"; charset=utf-16", usual.upper())
    return Body("form", kind, content.rstrip(b"&"))


_FORM_VALUES = (
    b"ok",
    b"ok",
    b"%6fk",
    b"evil",
    b"ok%00",
    b"ok+",
    b"o%6",
    b"%ff",
    b"\xff",
    b"\xc3\xa9",
    b"",
    b"ok%26model%3Devil",
    b"%zz",
)
