"""
What C{deploy/Dockerfile} makes, without an engine: its steps run in a root of their own, in namespaces of their own.

The image that it stands on cannot be fetched here. In its place are the system's libraries and the Python of the tests,
at C{/usr/local} as in that image, and nobody can write to them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import Factory, define

from .processes import ROOT

UNFIT = (
    "needs Linux, root, and util-linux: namespaces"
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv")
    else ""
)
_OF_THE_SYSTEM = (
    "passwd",
    "group",
    "nsswitch.conf",
    "resolv.conf",
    "hosts",
    "ld.so.cache",
    "ssl",
    "login.defs",
    "pip.conf",
)
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.py[cod]", "dropin.cache")

_ENTER = """set -e
cd {root}
mount --bind . .
cd {root}
for each in usr {base}; do mkdir -p ./$each; mount --rbind /$each ./$each; mount -o remount,bind,ro ./$each; done
mount --bind {python} ./usr/local
mount -o remount,bind,ro ./usr/local
mount -t proc proc ./proc
mount -t tmpfs tmpfs ./tmp -o mode=1777
for each in null zero urandom random; do : >./dev/$each; mount --bind /dev/$each ./dev/$each; done
{more}
exec chroot . setpriv {privileges} env -i {command}
"""


@define
class Stage:
    """
    One C{FROM} and what follows it.

    @ivar root: its files.
    """

    root: Path
    env: dict[str, str] = Factory(dict)
    directory: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = Factory(list)
    command: list[str] = Factory(list)
    healthcheck: list[str] = Factory(list)
    volumes: list[str] = Factory(list)

    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[str, tuple[str, str]] | None = None,
        read_only: bool = False,
        out: int | None = None,
    ) -> subprocess.Popen[str]:
        """
        Start a command as the first process of a namespace, as this stage has it.

        @param mounts: what is put where: a directory, and C{ro} or C{rw}.
        @param read_only: the root cannot be written, and the process can neither keep nor get a privilege.
        """
        user, group = self.user.split(":")
        privileges = f"--reuid={user} --regid={group} --clear-groups"
        more = [f"mount -o remount,bind,ro {shlex.quote(str(self.root))}"] if read_only else []
        for place, (path, mode) in (mounts or {}).items():
            at = shlex.quote("." + place)
            more.append(f"mount --bind {shlex.quote(path)} {at}; mount -o remount,bind,{mode} {at}")
            (self.root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        if read_only:
            privileges += " --no-new-privs --bounding-set=-all --inh-caps=-all"
        variables = [f"{name}={value}" for name, value in {**self.env, **(env or {})}.items()]
        script = _ENTER.format(
            root=shlex.quote(str(self.root)),
            base=shlex.quote(sys.base_prefix.lstrip("/")),
            python=shlex.quote(sys.base_prefix),
            more="\n".join(more),
            privileges=privileges,
            command=shlex.join(["-C", self.directory, *variables, *command]),
        )
        within = (
            "unshare",
            "--mount",
            "--propagation=private",
            "--pid",
            "--fork",
            "--kill-child",
            "/bin/sh",
            "-c",
            script,
        )
        return subprocess.Popen(within, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, text=True)

    def run(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, read_only: bool = False
    ) -> tuple[int, str]:
        """Run a command to its end."""
        with self.start(command, env=env, read_only=read_only, out=subprocess.PIPE) as process:
            said, _ = process.communicate(timeout=600)
        return process.returncode, said


def first_process(process: subprocess.Popen[str]) -> int:
    """The process that is 1 to itself."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """What a Dockerfile says, line by line."""
    lines = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").split("\n"):
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


def allowed(path: str) -> bool:
    """Whether C{.dockerignore}, which leaves out everything, has an exception for a path of the checkout."""
    lines = Path(ROOT, ".dockerignore").read_text().split()
    assert "*" in lines
    return any(path == line[1:] or path.startswith(f"{line[1:]}/") for line in lines if line.startswith("!"))


class Build:
    """
    The stages of C{deploy/Dockerfile}, made in a directory.

    @ivar said: what the steps printed.
    """

    def __init__(self, directory: Path, args: Mapping[str, str]) -> None:
        self._directory = directory
        self._args = dict(args)
        self._named: dict[str, Stage] = {}
        self.said = ""
        for name, rest in instructions(Path(ROOT, "deploy", "Dockerfile").read_text()):
            getattr(self, f"_{name.lower()}")(rest)

    @property
    def image(self) -> Stage:
        return self._stage

    def _from(self, rest: str) -> None:
        root = self._directory / f"stage-{len(list(self._directory.iterdir()))}"
        for each in ("etc", "proc", "dev", "tmp", "run", "var", "opt", "usr", "root"):
            (root / each).mkdir(parents=True)
        for each in ("bin", "lib", "lib64", "sbin"):
            if Path("/", each).is_symlink():
                (root / each).symlink_to(os.readlink(f"/{each}"))
        for each in _OF_THE_SYSTEM:
            path = Path("/etc", each)
            if path.is_dir():
                shutil.copytree(path, root / "etc" / each, symlinks=True, ignore=shutil.ignore_patterns("private"))
            elif path.exists():
                shutil.copyfile(path, root / "etc" / each)
        # As the image of Python has it.
        self._stage = Stage(root, {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"})
        _, _, name = rest.partition(" AS ")
        self._named[name] = self._stage

    def _arg(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        self._args.setdefault(name, value)

    def _env(self, rest: str) -> None:
        for each in shlex.split(rest):
            name, _, value = each.partition("=")
            self._stage.env[name] = value

    def _workdir(self, rest: str) -> None:
        self._stage.directory = rest
        (self._stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _run(self, rest: str) -> None:
        command = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]
        status, said = self._stage.run(command, env={**self._args, "LC_ALL": "C.UTF-8"})
        self.said += said
        if status:
            raise AssertionError(f"RUN {rest}: {status}\n{said[-4000:]}")

    def _copy(self, rest: str) -> None:
        *sources, to = rest.split()
        whence = Path(ROOT)
        if sources[0].startswith("--from="):
            whence = self._named[sources.pop(0).removeprefix("--from=")].root
        target = Path(os.path.normpath(self._stage.root / self._stage.directory.lstrip("/") / to.lstrip("/")))
        if to.startswith("/"):
            target = self._stage.root / to.lstrip("/")
        for source in sources:
            for path in sorted(whence.glob(source.lstrip("/"))):
                assert whence != Path(ROOT) or allowed(source) or "*" in source, (
                    f"{source} is left out by .dockerignore"
                )
                self._copied(path, target, into=len(sources) > 1 or to.endswith("/"))

    @staticmethod
    def _copied(path: Path, target: Path, into: bool) -> None:
        if path.is_dir():
            ignored = _NOT_COPIED if path.is_relative_to(ROOT) and "stage-" not in str(path) else None
            shutil.copytree(path, target, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            place = target / path.name if into else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)

    def _user(self, rest: str) -> None:
        self._stage.user = rest

    def _entrypoint(self, rest: str) -> None:
        self._stage.entrypoint = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self._stage.command = json.loads(rest)

    def _healthcheck(self, rest: str) -> None:
        self._stage.healthcheck = json.loads(rest.partition(" CMD ")[2])

    def _volume(self, rest: str) -> None:
        self._stage.volumes = json.loads(rest)

    def _label(self, rest: str) -> None:
        assert "org.opencontainers.image.title" in rest

    def _expose(self, rest: str) -> None:
        assert rest == "8080"

    def _stopsignal(self, rest: str) -> None:
        assert re.fullmatch("SIGTERM", rest)
