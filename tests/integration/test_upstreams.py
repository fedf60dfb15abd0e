"""The ways to upstream: TLS with names that are verified, certificates of our own, other proxies, several addresses."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from datetime import timedelta
from typing import Any

from attrs import evolve
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.ssl import DefaultOpenSSLContextFactory

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.model import CacheConfig, ConnectionConfig
from llmproxy.config.upstreams import UpstreamConfig
from llmproxy.net.lookups import in_thread

from .certificates import Authority
from .conversation import Scripted, ScriptedWire
from .harness import UPSTREAM_KEY, ProxyTestCase, get

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class TlsServer:
    """
    An upstream that speaks TLS, in a thread; it answers one request a connection.

    @ivar resumed: of each connection, whether its session was resumed.
    @ivar names: who the clients said they were.
    @ivar authority: asks clients for a certificate of this one.
    """

    def __init__(self, certificate: str, key: str, authority: Authority | None = None) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        if authority is not None:
            context.load_verify_locations(authority.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.resumed: list[bool] = []
        self.names: list[Any] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            with plain:
                self._answer(plain)

    def _answer(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += secure.recv(65536) or b"\r\n\r\n"
                certificate = secure.getpeercert() or {}
                self.names += [pair[1] for rdn in certificate.get("subject", ()) for pair in rdn]
                self.resumed.append(bool(secure.session_reused))
                secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
                secure.recv(1)
        except OSError:
            pass

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)


class WaysTestCase(ProxyTestCase):
    def make_upstream(self) -> Scripted:
        return Scripted()

    async def ask(self, path: bytes) -> bytes:
        """What a client gets."""
        client = await self.send(get(path, b"Connection: close"))
        await client.until_closed()
        return client.received


class TlsTests(WaysTestCase):
    """One API for each way to present and to trust a certificate."""

    def config(self, base_url: str) -> APIConfig:
        ours, other = Authority(self.mktemp(), "ours"), Authority(self.mktemp(), "other")
        self.servers = {
            "good": TlsServer(*ours.issue("localhost")),
            "misnamed": TlsServer(*ours.issue("else.example")),
            "expired": TlsServer(*ours.issue("localhost", timedelta(hours=-1))),
            "asking": TlsServer(*ours.issue("localhost"), authority=ours),
        }
        certificate, key = ours.issue("the-proxy")
        trusting = ConnectionConfig(ca_file=ours.ca_file)
        ways = {
            "good": ("good", trusting),
            "misnamed": ("misnamed", trusting),
            "expired": ("expired", trusting),
            "unknown": ("good", ConnectionConfig(ca_file=other.ca_file)),
            "platform": ("good", ConnectionConfig()),
            "unverified": ("misnamed", ConnectionConfig(verify=False)),
            "asking": ("asking", evolve(trusting, client_cert=certificate, client_key=key)),
            "anonymous": ("asking", trusting),
        }
        apis = {
            name: evolve(
                self.api(f"https://localhost:{self.servers[server].port}"),
                connection=connection,
                cache=CacheConfig(enabled=False),
            )
            for name, (server, connection) in ways.items()
        }
        at = f"https://localhost:{self.servers['misnamed'].port}"
        for name, sni in (("named", "else.example"), ("named_otherwise", "other.example")):
            upstream = UpstreamConfig(name, at, sni=sni)
            apis[name] = evolve(apis["good"], base_url="", upstreams=(upstream,), connection=trusting)
        return APIConfig(apis, "good")

    async def tearDown(self) -> None:  # type: ignore[override]
        await super().tearDown()
        for server in self.servers.values():
            server.close()

    async def test_verified(self) -> None:
        """Upstream is who it says: its authority is ours and its name the one that was asked for; else 502."""
        self.assertIn(b" 200 OK", await self.ask(b"/good/v1/x"))
        for name in (b"misnamed", b"expired", b"unknown", b"platform"):
            got = await self.ask(b"/" + name + b"/v1/x")
            self.assertTrue(got.startswith(b"HTTP/1.1 502 "), (name, got))
            self.assertIn(b'"upstream_tls_error"', got)
        self.assertEqual(len(self.servers["misnamed"].resumed), 0)

    async def test_server_name(self) -> None:
        """An upstream whose certificate has another name than its address is who it says by that name, and no other."""
        self.assertIn(b" 200 OK", await self.ask(b"/named/v1/x"))
        got = await self.ask(b"/named_otherwise/v1/x")
        self.assertTrue(got.startswith(b"HTTP/1.1 502 "), got)

    async def test_unverified(self) -> None:
        """Where the configuration says so, and only there, anybody is upstream."""
        self.assertIn(b" 200 OK", await self.ask(b"/unverified/v1/x"))

    async def test_client_certificate(self) -> None:
        """An upstream that asks who we are is told, by the API that has a certificate for it."""
        self.assertIn(b" 200 OK", await self.ask(b"/asking/v1/x"))
        self.assertEqual(self.servers["asking"].names, ["the-proxy"])
        got = await self.ask(b"/anonymous/v1/x")
        self.assertTrue(got.startswith(b"HTTP/1.1 502 "), got)
        self.assertEqual(len(self.servers["asking"].resumed), 1)

    async def test_resumed(self) -> None:
        """A second connection resumes the session of the first; that of another API does not."""
        for _ in range(3):
            self.assertIn(b" 200 OK", await self.ask(b"/good/v1/x"))
        self.assertEqual(self.servers["good"].resumed, [False, True, True])


class NameTests(WaysTestCase):
    def config(self, base_url: str) -> APIConfig:
        port = base_url.rpartition(":")[2]
        return APIConfig({"api": self.api(f"http://localhost:{port}")}, "api")

    async def test_other_address(self) -> None:
        """RFC 8305: a name of which one address does not answer is reached by another one."""
        self.assertIn(b" 200 OK", await self.ask(b"/v1/x"))


class NameServerTests(WaysTestCase):
    """Names as containers have them, and one that the name server says nothing of."""

    def config(self, base_url: str) -> APIConfig:
        port = base_url.rpartition(":")[2]
        ours = Authority(self.mktemp(), "ours")
        self.secure = [TlsServer(*ours.issue(name)) for name in ("llm_server", "name.invalid")]
        origins = {
            "plain": f"http://llm_server:{port}",
            "secure": f"https://llm_server:{self.secure[0].port}",
            "misnamed": f"https://llm_server:{self.secure[1].port}",
            "silent": f"http://silent.example:{port}",
        }
        connection = ConnectionConfig(ca_file=ours.ca_file)
        return APIConfig({name: evolve(self.api(url), connection=connection) for name, url in origins.items()}, "plain")

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.asked: list[bytes] = []
        self.silence = threading.Event()
        self.service.proxy.foundation.names._look_up = lambda host: in_thread(reactor, host, self.getaddrinfo)

    async def tearDown(self) -> None:  # type: ignore[override]
        self.silence.set()
        await super().tearDown()
        for server in self.secure:
            server.close()

    def getaddrinfo(self, host: bytes, *about: Any) -> Any:
        self.asked.append(host)
        if host == b"silent.example":
            self.silence.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    async def test_underscore(self) -> None:
        """They are connected to, and the certificate is for them or is refused."""
        self.assertIn(b" 200 OK", await self.ask(b"/v1/x"))
        self.assertIn(b" 200 OK", await self.ask(b"/secure/v1/x"))
        self.assertIn(b"upstream_tls_error", await self.ask(b"/misnamed/v1/x"))

    async def test_silent(self) -> None:
        """Of what waits for one name, others notice nothing; who waits is one thread, and ends when it is told."""
        stuck = [await self.send(get(b"/silent/v1/%d" % number, b"Connection: close")) for number in range(40)]
        self.assertIn(b" 200 OK", await self.ask(b"/v1/x"))
        self.assertEqual(sorted(self.asked), [b"llm_server", b"silent.example"])
        stuck.pop().close()
        self.silence.set()
        for client in stuck:
            await client.until_closed()
            self.assertIn(b" 200 OK", client.received)
        self.assertEqual(len(self.asked), 2)


class ProxyWire(ScriptedWire):
    """A proxy on the way, which is itself what is behind it."""

    def dataReceived(self, data: bytes) -> None:
        upstream: Any = self._upstream
        if data.startswith(b"CONNECT "):
            upstream.tunnels.append(data)
            self.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.transport.startTLS(upstream.context)  # type: ignore[union-attr]
        else:
            super().dataReceived(data)


class ProxyUpstream(Scripted):
    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.tunnels: list[bytes] = []
        certificate, key = authority.issue("secure.example")
        self.context = DefaultOpenSSLContextFactory(key, certificate, SSL.TLS_METHOD)

    def buildProtocol(self, addr: Any) -> ProxyWire:
        wire = ProxyWire(self)
        self.wires.append(wire)
        return wire


class EnvironmentTests(WaysTestCase):
    """C{HTTP_PROXY}, C{HTTPS_PROXY} and C{NO_PROXY}, for APIs that are to obey them."""

    def make_upstream(self) -> ProxyUpstream:
        self.authority = Authority(self.mktemp())
        return ProxyUpstream(self.authority)

    def config(self, base_url: str) -> APIConfig:
        proxy = f"http://user:p%40ss@{base_url[7:]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            self.patch_environment(name, proxy)
        self.patch_environment("NO_PROXY", "direct.invalid")
        obeying = ConnectionConfig(ca_file=self.authority.ca_file)
        apis = {
            "plain": self.reached("http://plain.example:81", obeying),
            "secure": self.reached("https://secure.example", obeying),
            "direct": self.reached("http://direct.invalid", obeying),
            "disobedient": self.reached("http://plain.invalid", ConnectionConfig(proxy_from_environment=False)),
        }
        return APIConfig(apis, "plain")

    def reached(self, base_url: str, connection: ConnectionConfig) -> APIProviderConfig:
        return evolve(self.api(base_url), connection=connection, cache=CacheConfig(enabled=False))

    def patch_environment(self, name: str, value: str) -> None:
        before = {key: os.environ.pop(key, None) for key in (name, name.lower())}
        os.environ[name] = value

        def restore() -> None:
            os.environ.pop(name, None)
            os.environ.update({key: old for key, old in before.items() if old is not None})

        self.addCleanup(restore)

    async def test_plain(self) -> None:
        """The proxy is asked in absolute form, with its credentials, which nobody else gets to see."""
        self.assertIn(b" 200 OK", await self.ask(b"/plain/v1/x?y"))
        [seen] = self.upstream.seen
        lines = seen.split(b"\r\n")
        self.assertEqual(lines[:2], [b"GET http://plain.example:81/v1/x?y HTTP/1.1", b"Host: plain.example:81"])
        self.assertIn(b"Proxy-Authorization: Basic dXNlcjpwQHNz", lines)
        self.assertEqual(self.upstream.tunnels, [])

    async def test_secure(self) -> None:
        """TLS goes through a tunnel, to a name that is verified; the proxy sees no key."""
        self.assertIn(b" 200 OK", await self.ask(b"/secure/v1/x"))
        [tunnel] = self.upstream.tunnels
        self.assertTrue(
            tunnel.startswith(b"CONNECT secure.example:443 HTTP/1.1\r\nHost: secure.example:443\r\n"), tunnel
        )
        self.assertIn(b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n", tunnel)
        self.assertNotIn(UPSTREAM_KEY.encode(), tunnel)
        [seen] = self.upstream.seen
        self.assertTrue(seen.startswith(b"GET /v1/x HTTP/1.1\r\nHost: secure.example\r\n"), seen)
        self.assertNotIn(b"Proxy-Authorization", seen)

    async def test_not_through_it(self) -> None:
        """What C{NO_PROXY} names is reached directly, and everything by an API that does not look there."""
        for name in (b"direct", b"disobedient"):
            got = await self.ask(b"/" + name + b"/v1/x")
            self.assertTrue(got.startswith(b"HTTP/1.1 502 "), got)
            self.assertIn(b'"upstream_unreachable"', got)
        self.assertEqual((self.upstream.seen, self.upstream.tunnels), ([], []))
