"""Servers that stand in front of the proxy, each with the configuration that C{deploy/front} has for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from attrs import frozen

from .processes import ROOT

NAME = "llm.example.com"
FRONT = Path(ROOT, "deploy", "front")
_PLACES = (str(Path(sys.executable).parent), "/usr/sbin", "/usr/local/bin", os.path.expanduser("~/go/bin"))


def found(program: str) -> str:
    """Where a program is; C{""} if it is not installed."""
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(_PLACES)) or ""


@frozen
class Place:
    """
    Where a server runs, and what it stands in front of.

    @ivar proxy: the port of the proxy.
    """

    directory: Path
    port: int
    proxy: int
    cert: str
    key: str

    def replaced(self, text: str, more: Mapping[str, str]) -> str:
        """A file of C{deploy/front}, for this place. What is replaced has to be there."""
        own = {
            "127.0.0.1:8080": f"127.0.0.1:{self.proxy}",
            "/etc/llmproxy/tls/cert.pem": self.cert,
            "/etc/llmproxy/tls/key.pem": self.key,
        }
        for before, after in {**{k: v for k, v in own.items() if k in text}, **more}.items():
            assert before in text, f"{before!r} is not in the file"
            text = text.replace(before, after)
        return text

    def write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)


class Front:
    """
    A kind of server.

    @cvar program: what is started; where it is not installed, the tests are skipped.
    @cvar file: of C{deploy/front}.
    """

    program: ClassVar[str]
    file: ClassVar[str]

    def text(self) -> str:
        return (FRONT / self.file).read_text()

    def command(self, place: Place) -> Sequence[str]:
        """Write what the server reads, and say how it is started in the foreground."""
        raise NotImplementedError

    def start(self, place: Place) -> subprocess.Popen[bytes]:
        command = (found(self.program), *self.command(place))
        env = {**os.environ, "HOME": str(place.directory), "XDG_DATA_HOME": str(place.directory)}
        with open(place.directory / "said", "wb") as said:
            return subprocess.Popen(
                command, cwd=place.directory, env=env, stdout=said, stderr=said, start_new_session=True
            )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server and the workers that it has, which outlive one that is killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Nginx(Front):
    program, file = "nginx", "nginx.conf"

    around = """daemon off; pid {0}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c;
    uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;
    {1}
}}
"""

    def command(self, place: Place) -> Sequence[str]:
        servers = place.replaced(self.text(), {"listen 443 ssl": f"listen 127.0.0.1:{place.port} ssl"})
        path = place.write("nginx.conf", self.around.format(place.directory, servers))
        return ("-p", str(place.directory), "-c", path, "-e", "stderr")


class Caddy(Front):
    program, file = "caddy", "Caddyfile"

    def command(self, place: Place) -> Sequence[str]:
        text = place.replaced(self.text(), {f"{NAME}:443 {{": f"{NAME}:{place.port} {{\n\tbind 127.0.0.1"})
        path = place.write("Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)
        return ("run", "--config", path, "--adapter", "caddyfile")


class HAProxy(Front):
    program, file = "haproxy", "haproxy.cfg"

    def command(self, place: Place) -> Sequence[str]:
        both = place.write("both.pem", Path(place.cert).read_text() + Path(place.key).read_text())
        # As many descriptors as this machine gives anybody.
        more = {
            "maxconn 20000": "maxconn 200",
            "bind :443": f"bind 127.0.0.1:{place.port}",
            "/etc/llmproxy/tls/both.pem": both,
        }
        return ("-f", place.write("haproxy.cfg", place.replaced(self.text(), more)), "-db")


class Traefik(Front):
    program, file = "traefik", "traefik.yaml"

    def command(self, place: Place) -> Sequence[str]:
        routes = place.write("routes.yaml", place.replaced((FRONT / "traefik-llmproxy.yaml").read_text(), {}))
        more = {'":443"': f'"127.0.0.1:{place.port}"', "/etc/traefik/traefik-llmproxy.yaml": routes}
        return (f"--configFile={place.write('traefik.yaml', place.replaced(self.text(), more))}",)


class Apache(Front):
    program, file = "apache2", "apache.conf"

    around = """ServerRoot {0}
ServerName localhost
PidFile {0}/pid
DefaultRuntimeDir {0}
Mutex file:{0} default
ErrorLog {0}/errors
User www-data
Group www-data
Listen 127.0.0.1:{1}
{2}
{3}
"""
    modules = "mpm_event authz_core alias headers reqtimeout socache_shmcb ssl proxy proxy_http"

    def command(self, place: Place) -> Sequence[str]:
        loaded = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in self.modules.split()
        )
        site = place.replaced(self.text(), {"*:443": f"*:{place.port}"})
        path = place.write("apache.conf", self.around.format(place.directory, place.port, loaded, site))
        return ("-X", "-f", path)


class Envoy(Front):
    program, file = "envoy", "envoy.yaml"

    def command(self, place: Place) -> Sequence[str]:
        more = {
            "address: 0.0.0.0, port_value: 443": f"address: 127.0.0.1, port_value: {place.port}",
            "address: 127.0.0.1, port_value: 8080": f"address: 127.0.0.1, port_value: {place.proxy}",
        }
        path = place.write("envoy.yaml", place.replaced(self.text(), more))
        return ("-c", path, "--log-level", "warning", "--concurrency", "1", "--disable-hot-restart")
