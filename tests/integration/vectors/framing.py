"""Where the body of a request ends: RFC 9112 sections 6 and 7, RFC 9110 section 8.6."""

from __future__ import annotations

from . import GET, OK, SEEN, Arrived, Error, HalfClose, Pause, Vector, asked, asks, passed, refused

POST = b"POST /v1/x HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: proxy\r\n\r\n"


def bad_length(name: str, section: str, value: bytes) -> Vector:
    """A C{Content-Length} that is refused."""
    return refused(name, section, asks(POST, b"Content-Length: " + value) + b"abcde")


def bad_coding(name: str, section: str, value: bytes, status: int = 400) -> Vector:
    """A C{Transfer-Encoding} that is refused, though the body is in chunks."""
    code = "transfer_coding_not_supported" if status == 501 else "malformed_request"
    return refused(name, section, asks(POST, b"Transfer-Encoding: " + value) + b"3\r\nabc\r\n0\r\n\r\n", status, code)


def bad_framing(name: str, section: str, *fields: bytes) -> Vector:
    """Fields that leave open where the body ends."""
    return refused(name, section, asks(POST, *fields) + b"3\r\nabc\r\n0\r\n\r\n" + SMUGGLED)


def chunks(name: str, section: str, sent: bytes, seen: bytes) -> Vector:
    """A body in chunks, and what upstream sees of it."""
    return passed(name, section, asks(POST, CHUNKED) + sent, asked(POST, CHUNKED) + seen)


def bad_chunks(name: str, section: str, sent: bytes) -> Vector:
    """A body that is not in chunks as it says."""
    return refused(name, section, asks(POST, CHUNKED) + sent + SMUGGLED)


def bad_later(name: str, section: str, sent: bytes) -> Vector:
    """The same after a chunk that was right and has been sent on: upstream never gets a whole request."""
    return Vector(
        name,
        section,
        (asks(POST, CHUNKED) + b"3\r\nabc\r\n", Arrived(b"abc"), sent + SMUGGLED),
        gets=Error(400, "malformed_request", last=True),
        ends="closed",
        dropped=True,
        partial=asked(POST, CHUNKED) + b"3\r\nabc\r\n",
    )


LENGTHS = [
    passed(
        "length", "9112 6.2", asks(POST, b"Content-Length: 5") + b"abcde", asked(POST, b"Content-Length: 5") + b"abcde"
    ),
    passed("length of nothing", "9110 8.6", asks(POST, b"Content-Length: 0"), asked(POST, b"Content-Length: 0")),
    passed("neither length nor coding", "9112 6.3", asks(POST), asked(POST)),
    passed(
        "length with zeros before it",
        "9110 8.6",
        asks(POST, b"Content-Length: 005") + b"abcde",
        asked(POST, b"Content-Length: 005") + b"abcde",
    ),
    passed(
        "length with a space after it",
        "9112 5.1",
        asks(POST, b"Content-Length:\t5 ") + b"abcde",
        asked(POST, b"Content-Length: 5") + b"abcde",
    ),
    passed(
        "every byte there is",
        "9110 6.4",
        asks(POST, b"Content-Length: 256") + bytes(range(256)),
        asked(POST, b"Content-Length: 256") + bytes(range(256)),
    ),
    passed(
        "body of a GET",
        "9110 9.3.1",
        asks(b"GET /v1/x HTTP/1.1", b"Content-Length: 3") + b"abc",
        asked(b"GET /v1/x HTTP/1.1", b"Content-Length: 3") + b"abc",
    ),
    passed(
        "body of a method nobody knows",
        "9110 9.1",
        asks(b"BREW /v1/x HTTP/1.1", b"Content-Length: 3") + b"abc",
        asked(b"BREW /v1/x HTTP/1.1", b"Content-Length: 3") + b"abc",
    ),
    passed(
        "body that comes byte for byte",
        "9112 6.3",
        [asks(POST, b"Content-Length: 3"), Pause(), b"a", Pause(), b"b", Pause(), b"c"],
        asked(POST, b"Content-Length: 3") + b"abc",
    ),
    Vector(
        "a request as a body",
        "9112 11.2",
        asks(POST, b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED + GET,
        [asked(POST, b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, SEEN],
        OK + OK,
    ),
    Vector(
        "more than the length",
        "9112 6.3",
        asks(POST, b"Content-Length: 3") + b"abcde\r\n\r\n",
        [asked(POST, b"Content-Length: 3") + b"abc"],
        Error(400, "malformed_request", before=OK, last=True),
        ends="closed",
    ),
    Vector(
        "less than the length",
        "9112 8",
        (asks(POST, b"Content-Length: 5") + b"abc", Arrived(b"abc"), HalfClose()),
        ends="closed",
        dropped=True,
        partial=asked(POST, b"Content-Length: 5") + b"abc",
    ),
    bad_length("no length", "9110 8.6", b""),
    bad_length("plus sign", "9110 8.6", b"+5"),
    bad_length("negative", "9110 8.6", b"-5"),
    bad_length("hexadecimal", "9110 8.6", b"0x5"),
    bad_length("letters", "9110 8.6", b"5a"),
    bad_length("fraction", "9110 8.6", b"5.0"),
    bad_length("exponent", "9110 8.6", b"5e0"),
    bad_length("underscore", "9110 8.6", b"1_0"),
    bad_length("two numbers", "9110 8.6", b"5 5"),
    bad_length("list of the same", "9110 8.6", b"5, 5"),
    bad_length("list of others", "9112 6.3", b"5, 6"),
    bad_length("list with an empty member", "9110 8.6", b"5,"),
    bad_length("beyond 64 bits", "9110 8.6", b"18446744073709551621"),
    bad_length("beyond anything", "9110 8.6", b"9" * 200),
    bad_framing("two lengths", "9112 6.3", b"Content-Length: 5", b"Content-Length: 6"),
    bad_framing("the same length twice", "9110 8.6", b"Content-Length: 5", b"Content-Length: 5"),
    bad_framing("length with a space before the colon", "9112 5.1", b"Content-Length : 5"),
    bad_framing("length on a folded line", "9112 5.2", b"Content-Length:", b" 5"),
]

CODINGS = [
    bad_framing("length and coding", "9112 6.1", b"Content-Length: 5", CHUNKED),
    bad_framing("coding and length", "9112 6.1", CHUNKED, b"Content-Length: 5"),
    bad_framing("coding and a length of nothing", "9112 6.1", CHUNKED, b"Content-Length: 0"),
    bad_framing("coding twice", "9112 6.1", CHUNKED, CHUNKED),
    bad_framing("coding with a space before the colon", "9112 5.1", b"Transfer-Encoding : chunked"),
    bad_framing("coding with a tab before the colon", "9112 5.1", b"Transfer-Encoding\t: chunked"),
    bad_framing("coding on a folded line", "9112 5.2", b"Transfer-Encoding:", b" chunked"),
    bad_framing("coding after a bare LF", "9112 2.2", b"A: b\nTransfer-Encoding: chunked"),
    bad_framing("coding after a bare CR", "9112 2.2", b"A: b\rTransfer-Encoding: chunked"),
    bad_framing("length and coding without an end", "9112 6.1", b"Content-Length: 5", b"Transfer-Encoding: gzip"),
    bad_coding("chunked twice in a list", "9112 6.1", b"chunked, chunked"),
    bad_coding("chunked first", "9112 6.1", b"chunked, gzip"),
    bad_coding("no coding", "9112 6.1", b""),
    bad_coding("coding after a vertical tab", "9112 6.1", b"\x0bchunked"),
    bad_coding("coding and NUL", "9112 6.1", b"chunked\0"),
    bad_coding("compressed", "9112 6.1", b"gzip, chunked", 501),
    bad_coding("compressed to the end", "9112 6.1", b"gzip", 501),
    bad_coding("identity", "9112 7", b"identity", 501),
    bad_coding("almost chunked", "9112 6.1", b"xchunked", 501),
    bad_coding("chunked in quotes", "9112 6.1", b'"chunked"', 501),
    bad_coding("chunked with parameters", "9112 7", b"chunked;q=1", 501),
    refused("coding in HTTP/1.0", "9112 6.1", asks(b"POST /v1/x HTTP/1.0", CHUNKED) + b"0\r\n\r\n"),
    passed(
        "coding in capitals",
        "9112 7",
        asks(POST, b"transfer-ENCODING: CHUNKED") + b"3\r\nabc\r\n0\r\n\r\n",
        asked(POST, CHUNKED) + b"3\r\nabc\r\n0\r\n\r\n",
    ),
    passed(
        "a name that is only like it",
        "9112 6.1",
        asks(POST, b"Transfer_Encoding: chunked", b"Content-Length: 3") + b"abc",
        asked(POST, b"Transfer_Encoding: chunked", b"Content-Length: 3") + b"abc",
    ),
]

CHUNKS = [
    chunks("one chunk", "9112 7.1", b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    chunks(
        "chunks in one read become one", "9112 7.1", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n"
    ),
    chunks("no chunk", "9112 7.1", b"0\r\n\r\n", b"0\r\n\r\n"),
    chunks("sizes with zeros before them", "9112 7.1", b"0003\r\nabc\r\n000\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    chunks("size in small letters", "9112 7.1", b"a\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n"),
    chunks("size in capitals", "9112 7.1", b"A\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n"),
    chunks("extension", "9112 7.1.1", b"3;a=b\r\nabc\r\n0;c\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    chunks("extension in quotes", "9112 7.1.1", b'3 ; a="b;\\"c"\r\nabc\r\n0\r\n\r\n', b"3\r\nabc\r\n0\r\n\r\n"),
    chunks("line ends as content", "9112 7.1", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"4\r\n\r\n\r\n\r\n0\r\n\r\n"),
    chunks("a last chunk as content", "9112 7.1", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
    chunks(
        "trailers",
        "9112 7.1.2",
        b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-other:2\r\n\r\n",
        b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-other: 2\r\n\r\n",
    ),
    Vector(
        "a request after the chunks",
        "9112 9.3.2",
        asks(POST, CHUNKED) + b"1\r\na\r\n0\r\n\r\n" + GET,
        [asked(POST, CHUNKED) + b"1\r\na\r\n0\r\n\r\n", SEEN],
        OK + OK,
    ),
    bad_chunks("no size", "9112 7.1", b"\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("size with 0x", "9112 7.1", b"0x3\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("size with a sign", "9112 7.1", b"+3\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("negative size", "9112 7.1", b"-3\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("size of other letters", "9112 7.1", b"g\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("size with an underscore", "9112 7.1", b"1_0\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("space before a size", "9112 7.1", b" 3\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("space after a size", "9112 7.1", b"3 \r\nabc\r\n0\r\n\r\n"),
    bad_chunks("size beyond 64 bits", "9112 7.1", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("size ended by a bare LF", "9112 7.1", b"3\nabc\r\n0\r\n\r\n"),
    bad_chunks("size ended by a bare CR", "9112 7.1", b"3\rabc\r\n0\r\n\r\n"),
    bad_chunks("bare LF in an extension", "9112 7.1.1", b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("bare CR in an extension", "9112 7.1.1", b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("NUL in an extension", "9112 7.1.1", b"3;\0\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("endless extension", "9112 7.1.1", b"3;" + b"x" * 5000),
    bad_chunks("content longer than its size", "9112 7.1", b"3\r\nabcd\r\n0\r\n\r\n"),
    bad_chunks("content shorter than its size", "9112 7.1", b"3\r\nab\r\n0\r\n\r\n"),
    bad_chunks("content ended by a bare LF", "9112 7.1", b"3\r\nabc\n0\r\n\r\n"),
    bad_chunks("content ended by a bare CR", "9112 7.1", b"3\r\nabc\r0\r\n\r\n"),
    bad_chunks("content without an end", "9112 7.1", b"3\r\nabc0\r\n\r\n"),
    bad_chunks("length in a trailer", "9110 6.5.1", b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"),
    bad_chunks("coding in a trailer", "9110 6.5.1", b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    bad_chunks("Host in a trailer", "9110 6.5.1", b"3\r\nabc\r\n0\r\nHost: other\r\n\r\n"),
    bad_chunks("trailer without a colon", "9112 7.1.2", b"3\r\nabc\r\n0\r\nX\r\n\r\n"),
    bad_chunks("folded trailer", "9112 5.2", b"3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n"),
    bad_chunks("bare LF in a trailer", "9112 7.1.2", b"3\r\nabc\r\n0\r\nX: y\nZ: z\r\n\r\n"),
    bad_chunks("space before the colon of a trailer", "9112 5.1", b"3\r\nabc\r\n0\r\nX : y\r\n\r\n"),
    bad_later("second size is none", "9112 7.1", b"zz\r\n"),
    bad_later("second chunk is longer than its size", "9112 7.1", b"1\r\nab\r\n"),
    bad_later("trailer that decides about framing", "9110 6.5.1", b"0\r\nContent-Length: 3\r\n\r\n"),
    bad_later("second size ended by a bare LF", "9112 7.1", b"3\nabc\r\n0\r\n\r\n"),
    Vector(
        "cut within a chunk",
        "9112 8",
        (asks(POST, CHUNKED) + b"5\r\nabc", Arrived(b"abc"), HalfClose()),
        ends="closed",
        dropped=True,
        partial=asked(POST, CHUNKED) + b"3\r\nabc\r\n",
    ),
    Vector(
        "cut before the last chunk",
        "9112 8",
        (asks(POST, CHUNKED) + b"3\r\nabc\r\n", Arrived(b"abc"), HalfClose()),
        ends="closed",
        dropped=True,
        partial=asked(POST, CHUNKED) + b"3\r\nabc\r\n",
    ),
]

VECTORS = LENGTHS + CODINGS + CHUNKS
