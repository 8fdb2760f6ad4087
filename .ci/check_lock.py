"""Does requirements.lock fit pyproject.toml? Offline; says what does not and how to mend it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(\s*;.*)?$")


def wanted(project: dict[str, object]) -> list[Requirement]:
    """Every direct requirement, extras too, that applies here."""
    table = project["project"]
    assert isinstance(table, dict)
    lines = [*table["dependencies"], *(line for extra in table["optional-dependencies"].values() for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return [r for r in requirements if r.marker is None or r.marker.evaluate()]


def locked(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Versions by name, and the lines that are no plain pin (addresses and paths have no place in the lock)."""
    pins = [PIN.match(line) for line in lines]
    versions: dict[str, str] = {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}
    return versions, [line for line, pin in zip(lines, pins, strict=True) if not pin]


def faults(project: dict[str, object], lock: str) -> list[str]:
    """What is wrong with the lock, one line each."""
    versions, odd = locked([line for line in lock.splitlines() if line.strip()])
    found = [f"no plain pin: {line!r}" for line in odd]
    for requirement in wanted(project):
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            found.append(f"missing: {requirement}")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement} is wanted, {version} is locked")
    return found


def main() -> int:
    """0 where the lock fits."""
    found = faults(tomllib.loads(Path("pyproject.toml").read_text()), Path("requirements.lock").read_text())
    for line in found:
        sys.stderr.write(f"requirements.lock: {line}\n")
    if found:
        sys.stderr.write("run `make lock` and commit the result\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
