"""What is published: an sdist and a wheel that anybody can make again, byte for byte, and what they consist of."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__

from ..tables import row
from .processes import ROOT

TOOLS = ("build", "twine", "check_wheel_contents", "cyclonedx_py")
MISSING = [name for name in TOOLS if find_spec(name) is None]
WHEEL = f"txllmproxy-{__version__}-py3-none-any.whl"
SDIST = f"txllmproxy-{__version__}.tar.gz"


def tool(name: str) -> Any:
    """A module of C{tools}."""
    spec = spec_from_file_location(name, Path(ROOT, "tools", f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checkout(at: Path) -> Path:
    """A copy of what git knows, in another directory, with other modes and other times."""
    dist = tool("dist")
    for path in dist.files_of(Path(ROOT)):
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(ROOT, path), at / path)
        (at / path).chmod(0o700 if os.access(Path(ROOT, path), os.X_OK) else 0o600)
    (at / ".env").write_text("MANAGEMENT_TOKEN=canary-of-the-checkout\n")
    (at / "deploy" / "compose" / "secrets").mkdir()
    (at / "deploy" / "compose" / "secrets" / "management_token").write_text("canary-of-the-checkout")
    (at / "llmproxy" / "core" / "__pycache__").mkdir(exist_ok=True)
    (at / "llmproxy" / "core" / "__pycache__" / "x.cpython-310.pyc").write_bytes(b"x")
    git = ("git", "-C", str(at), "-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in ("init --quiet", "add --all", "commit --quiet --message=x"):
        subprocess.run((*git, *command.split()), check=True, capture_output=True)
    return at


def made(source: Path, into: Path, **env: str) -> None:
    """Run what C{make dist} runs."""
    done = subprocess.run(
        (sys.executable, str(source / "tools" / "dist.py"), str(into)),
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **env},
        cwd=into,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class DistTests(SynchronousTestCase):
    if MISSING:
        skip = f"needs {', '.join(MISSING)} (make dist)"

    @staticmethod
    @cache
    def dist() -> Path:
        """Made once, of this checkout."""
        into = Path(os.path.abspath("dist-of-tests"))
        into.mkdir()
        made(Path(ROOT), into)
        return into

    def test_again(self) -> None:
        """The same bytes of another directory, with other modes, in another zone; what lies about is not in them."""
        directory = Path(os.path.abspath(self.mktemp()))
        into = directory / "into"
        into.mkdir(parents=True)
        source = checkout(directory / "source")
        previous = os.umask(0o077)
        try:
            made(source, into, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
        finally:
            os.umask(previous)
        for name in (WHEEL, SDIST):
            with row(name):
                self.assertEqual((into / name).read_bytes() == (self.dist() / name).read_bytes(), True)
        self.assertIn("SOURCE_DATE_EPOCH=1700000000", (into / "BUILT_WITH").read_text())

    def test_checked(self) -> None:
        """PyPI would take them and show their description, and the wheel has nothing that a wheel should not have."""
        paths = [str(self.dist() / name) for name in (WHEEL, SDIST)]
        for command in (("-m", "twine", "check", "--strict", *paths), ("-m", "check_wheel_contents", paths[0])):
            with row(command):
                done = subprocess.run((sys.executable, *command), cwd=ROOT, capture_output=True, text=True, check=False)
                self.assertEqual((done.returncode, done.stdout if done.returncode else ""), (0, ""))

    def test_wheel(self) -> None:
        """The package as a whole, with what it shows people and with its types, and nothing of its tests."""
        with zipfile.ZipFile(self.dist() / WHEEL) as wheel:
            names = set(wheel.namelist())
            read = {name: wheel.read(name) for name in names}
        ours = {path for path in tool("dist").files_of(Path(ROOT)) if path.startswith("llmproxy/")}
        left_out = {path for path in ours - names if not path.startswith("llmproxy/newsfragments/")}
        self.assertEqual(left_out, set())
        self.assertIn("twisted/plugins/llmproxy_plugin.py", names)
        self.assertFalse([name for name in names if name.startswith("tests/")])
        self.assertFalse([name for name, content in read.items() if b"canary-of-the-checkout" in content])

    def test_sdist(self) -> None:
        """Enough to build, read and deploy it: the chart has its rules and boards; one owner, two kinds of modes."""
        with tarfile.open(fileobj=io.BytesIO((self.dist() / SDIST).read_bytes())) as sdist:
            members = {member.name.partition("/")[2]: member for member in sdist.getmembers()}
        for name in (
            "LICENSE",
            "docs/cli.md",
            "deploy/Dockerfile",
            "deploy/helm/llmproxy/files/rules.yml",
            "deploy/helm/llmproxy/files/dashboards/llmproxy-overview.json",
            "tools/dist.py",
            ".dockerignore",
        ):
            self.assertIn(name, members)
        self.assertEqual({member.mtime for member in members.values()}, {1700000000})
        self.assertEqual({(member.uid, member.uname) for member in members.values()}, {(0, "")})
        self.assertEqual({member.mode for member in members.values()}, {0o755, 0o644})
        self.assertFalse([name for name in members if name.startswith(("tests/", ".ci/")) or "secrets/" in name])
        self.assertEqual(members["deploy/compose/make-secrets"].mode, 0o755)

    def test_bill(self) -> None:
        """The bill of an installation names all that is in it, is valid, and is the same the next time."""
        sbom = tool("sbom")
        directory = os.path.abspath(self.mktemp())
        python = sbom.installed(self.dist() / WHEEL, directory, "")
        htmx = Path(ROOT, sbom.HTMX).read_bytes()
        bills = [
            sbom.checked(json.dumps(sbom.with_root(sbom.bill_of(python), htmx, sbom.htmx_version(htmx.decode()))))
            for _ in range(2)
        ]
        self.assertEqual(bills[0], bills[1])
        bill = json.loads(bills[0])
        self.assertEqual(bill["metadata"]["component"]["name"], "txllmproxy")
        self.assertEqual(bill["metadata"]["component"]["version"], __version__)
        named = {each["name"].lower().replace("_", "-").replace("zope.", "zope-") for each in bill["components"]}
        here = {path.name.split("-")[0].lower().replace("_", "-") for path in Path(directory).rglob("*.dist-info")}
        self.assertLessEqual(here - {"txllmproxy"}, named)
        self.assertIn("htmx.org", named)
        self.assertNotIn(directory, bills[0])

    def test_extras(self) -> None:
        """The bill is of what the image has."""
        text = Path(ROOT, "deploy", "Dockerfile").read_text()
        self.assertIn(f"ARG EXTRAS={tool('sbom').EXTRAS}\n", text)
