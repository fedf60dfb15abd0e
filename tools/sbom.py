"""
A bill of materials (CycloneDX, JSON) of what an installation of the wheel consists of: C{make sbom}.

The wheel is installed into an environment of its own, so that nothing stands in the bill that only happens to be here;
what the wheel brings of others' (htmx, for the admin pages) is added. It holds no time and no number of its own: the
same installation gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAME = "txllmproxy"
EXTRAS = "http2,postgres,mysql,brotli,zstd,redact,otel"
"""Those of deploy/Dockerfile."""

HTMX = "llmproxy/admin/static/htmx.js"


def installed(wheel: Path, directory: str, extras: str) -> str:
    """The interpreter of an environment that has the wheel and what it asks for, and nothing else."""
    venv.create(directory, with_pip=False)
    python = str(Path(directory, "bin", "python"))
    install = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile")
    subprocess.run((*install, f"{wheel}[{extras}]" if extras else str(wheel)), check=True)
    return python


def bill_of(python: str) -> dict[str, Any]:
    """What the environment of an interpreter consists of."""
    command = (sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON", python)
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def with_root(bill: dict[str, Any], htmx: bytes, version: str) -> dict[str, Any]:
    """The bill with our package as what it is of, and what that brings along among its components."""
    (ours,) = [each for each in bill["components"] if each["name"] == NAME]
    # Where it lay when it was installed is nobody's business.
    ours.pop("externalReferences", None)
    ours["type"] = "application"
    brought = {
        "type": "library",
        "bom-ref": f"htmx.org=={version}",
        "name": "htmx.org",
        "version": version,
        "purl": f"pkg:npm/htmx.org@{version}",
        "licenses": [{"license": {"id": "0BSD"}}],
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(htmx).hexdigest()}],
    }
    components = [each for each in bill["components"] if each is not ours] + [brought]
    bill["metadata"]["component"] = ours
    bill["components"] = sorted(components, key=lambda each: each["bom-ref"])
    for each in bill["dependencies"]:
        if each["ref"] == ours["bom-ref"]:
            each["dependsOn"] = sorted([*each.get("dependsOn", ()), brought["bom-ref"]])
    bill["dependencies"].append({"ref": brought["bom-ref"]})
    return bill


def htmx_version(text: str) -> str:
    """What the file says of itself."""
    version = text.partition('version:"')[2].partition('"')[0]
    if not version:
        raise SystemExit(f"{HTMX}: does not say its version")
    return version


def checked(text: str) -> str:
    """@raise SystemExit: the text is no CycloneDX."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = json.loads(text)["specVersion"]
    problem = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(text)
    if problem:
        raise SystemExit(f"the bill is not valid: {problem}")
    return text


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    wheels = sorted(directory.glob(f"{NAME}-*-py3-none-any.whl"), key=lambda each: each.stat().st_mtime)
    if not wheels:
        raise SystemExit(f"there is no wheel in {directory}: make dist")
    wheel = wheels[-1]
    htmx = (ROOT / HTMX).read_bytes()
    with tempfile.TemporaryDirectory(prefix="llmproxy-sbom-") as name:
        bill = bill_of(installed(wheel, name, EXTRAS))
    made = with_root(bill, htmx, htmx_version(htmx.decode()))
    path = directory / f"{NAME}-{made['metadata']['component']['version']}.cdx.json"
    path.write_text(checked(json.dumps(made, indent=2, sort_keys=True) + "\n"))
    print(path)


if __name__ == "__main__":
    main()
