"""
Builds of an sdist and a wheel that are the same bytes wherever and whenever they are made: C{make dist}.

What git knows is copied, with two kinds of modes, and built there: nothing that lies about in a checkout comes along.
Times are those of C{SOURCE_DATE_EPOCH} (reproducible-builds.org), which is the last commit's unless it is set. The same
versions of setuptools and of the Python that compresses are needed; the file C{dist/BUILT_WITH} names them.
"""

from __future__ import annotations

import gzip
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRUNED = (".ci/", "tests/", "tox.ini")
"""What git knows and neither of them has: it is for those who change the proxy, and they have git."""


def files_of(root: Path) -> list[str]:
    """The paths that belong to a checkout; all there are where it is none, as in an unpacked sdist."""
    asked = ("git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if (root / ".git").exists():
        found = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split("\0")
        return sorted(each for path in found if path for each in below(root, path))
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def below(root: Path, path: str) -> list[str]:
    """The files that a path means: a link to a directory is all that is in there."""
    if (root / path).is_dir():
        return [f"{path}/{each.name}" for each in (root / path).iterdir() if each.is_file()]
    return [path] if (root / path).is_file() else []


def copy(root: Path, to: Path) -> None:
    """Copy what is built, symbolic links as what they lead to."""
    for path in files_of(root):
        if path.startswith(PRUNED):
            continue
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, to / path)
        (to / path).chmod(0o755 if os.access(root / path, os.X_OK) else 0o644)
    for directory in (each for each in to.rglob("*") if each.is_dir()):
        directory.chmod(0o755)


def epoch_of(root: Path, env: Mapping[str, str]) -> int:
    """Seconds that all times become."""
    if env.get("SOURCE_DATE_EPOCH"):
        return int(env["SOURCE_DATE_EPOCH"])
    if not (root / ".git").exists():
        return int((root / "setup.cfg").stat().st_mtime)
    asked = ("git", "-C", str(root), "log", "-1", "--format=%ct")
    return int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)


def normalised(sdist: bytes, epoch: int) -> bytes:
    """The same members in the order of their names, with one time, one owner, and two kinds of modes."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(sdist), mode="r:gz") as before,
        gzip.GzipFile(filename="", fileobj=made, mode="wb", mtime=epoch, compresslevel=9) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as after,
    ):
        for member in sorted(before.getmembers(), key=lambda each: each.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            after.addfile(member, before.extractfile(member) if member.isfile() else None)
    return made.getvalue()


def build(root: Path, into: Path, epoch: int) -> list[Path]:
    """An sdist, and the wheel that is made of it."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="llmproxy-dist-") as name:
        source, made = Path(name, "source"), Path(name, "made")
        source.mkdir()
        copy(root, source)
        env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        # The pure wheel, whatever somebody compiles otherwise (make wheels).
        env["LLMPROXY_COMPILE"] = "0"
        # What a compiler makes is not the same everywhere: make wheels.
        env["LLMPROXY_COMPILE"] = "0"
        previous = os.umask(0o022)
        try:
            command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(source))
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=name)
        finally:
            os.umask(previous)
        if done.returncode:
            raise SystemExit(done.stdout[-4000:] + done.stderr[-4000:])
        paths = []
        for path in sorted(made.iterdir()):
            content = path.read_bytes()
            target = into / path.name
            target.write_bytes(normalised(content, epoch) if path.name.endswith(".tar.gz") else content)
            paths.append(target)
    return paths


def main() -> None:
    into = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    epoch = epoch_of(ROOT, os.environ)
    for path in build(ROOT, into, epoch):
        print(path)
    built_with = {name: version(name) for name in ("build", "setuptools")}
    lines = [f"SOURCE_DATE_EPOCH={epoch}", f"python=={platform.python_version()}"]
    lines += [f"{name}=={number}" for name, number in built_with.items()]
    (into / "BUILT_WITH").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
